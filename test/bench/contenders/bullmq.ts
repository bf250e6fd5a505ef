/** BullMQ over TCP, straight to Redis. */
import { Queue, Worker } from 'bullmq';
import { type Body, type Contender, FAST } from '../contender.ts';

export const bullmq = (concurrency: number): Contender => ({
  name: `BullMQ, concurrency ${concurrency}`,
  settings: 'removeOnComplete, so that done jobs are gone; addBulk for batches; its stalled check on; no QueueEvents',
  ...(concurrency < 100 ? { consumerOnly: true } : {}),
  most: FAST / 5,
  async prepare({ redisUrl }) {
    const { hostname: host, port } = new URL(redisUrl);
    const connection = { host, port: Number(port) };
    return {
      async open(run) {
        const queue = new Queue(run, { connection, defaultJobOptions: { removeOnComplete: true } });
        await queue.waitUntilReady();
        return {
          enqueue: (body) => queue.add('work', body),
          enqueueMany: (bodies) => queue.addBulk(bodies.map((data) => ({ name: 'work', data }))),
          async consume(watch) {
            const handler = async ({ data }: { data: Body }) => watch.handled(data.n);
            const options = { connection: { ...connection, maxRetriesPerRequest: null }, concurrency };
            const worker = new Worker(run, handler, options);
            worker.on('completed', () => watch.acked(1));
            worker.on('error', () => {}); // a connection that ends with the run
            await worker.waitUntilReady();
            return { stop: () => worker.close(true) };
          },
          close: () => queue.close(),
        };
      },
      close: async () => {},
    };
  },
});
