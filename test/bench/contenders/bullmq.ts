/** BullMQ over TCP, straight to Redis. */
import { Queue, Worker } from 'bullmq';
import { type Body, type Contender, FAST, type Watch } from '../contender.ts';

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
        let watch: Watch | undefined;
        const handler = async ({ data }: { data: Body }) => watch?.handled(data.n);
        const options = { connection: { ...connection, maxRetriesPerRequest: null }, concurrency, autorun: false };
        const worker = new Worker(run, handler, options);
        worker.on('completed', () => watch?.acked(1));
        worker.on('error', () => {}); // a connection that ends with the run
        await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]); // else the clock would count how it connects
        return {
          enqueue: (body) => queue.add('work', body),
          enqueueMany: (bodies) => queue.addBulk(bodies.map((data) => ({ name: 'work', data }))),
          async consume(told) {
            watch = told;
            worker.run().catch(() => {}); // it ends where the connection does
            return { stop: () => worker.close(true) };
          },
          async close() {
            await Promise.all([worker.close(true), queue.close()]);
          },
        };
      },
      close: async () => {},
    };
  },
});
