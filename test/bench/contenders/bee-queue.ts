/** bee-queue over TCP, straight to Redis. */
import BeeQueue from 'bee-queue';
import { type Body, type Contender, FAST } from '../contender.ts';

const CONCURRENCY = 100;

export const beeQueue: Contender = {
  name: `bee-queue, concurrency ${CONCURRENCY}`,
  settings:
    'removeOnSuccess; events and the memory of jobs off, as its README advises for speed; saveAll for batches; its stalled ' +
    'check started',
  most: FAST / 5,
  async prepare({ redisUrl }) {
    const { hostname: host, port } = new URL(redisUrl);
    const shared = { redis: { host, port: Number(port) }, getEvents: false, sendEvents: false, storeJobs: false };
    return {
      async open(run) {
        const producer = new BeeQueue<Body>(run, { ...shared, isWorker: false });
        await producer.ready();
        return {
          enqueue: (body) => producer.createJob(body).save(),
          async enqueueMany(bodies) {
            const errors = await producer.saveAll(bodies.map((body) => producer.createJob(body)));
            for (const error of errors.values()) throw error;
          },
          async consume(watch) {
            const worker = new BeeQueue<Body>(run, { ...shared, removeOnSuccess: true });
            worker.on('succeeded', () => watch.acked(1));
            worker.on('error', () => {}); // a connection that ends with the run
            await worker.ready();
            worker.checkStalledJobs(5_000);
            worker.process(CONCURRENCY, async ({ data }) => watch.handled(data.n));
            return { stop: () => worker.close(1_000) };
          },
          close: () => producer.close(1_000),
        };
      },
      close: async () => {},
    };
  },
};
