/** Sluice as a library in Node: createSluice over HTTP, without a Worker around it. */
import { createSluice, defineQueue } from '../../../src/index.ts';
import { type Body, type Contender, FAST, pause, type Watch } from '../contender.ts';
import { QUEUE, SETTINGS, SETTINGS_TEXT } from './sluice-settings.ts';

/** @param drains at once, as where cron ticks overlap */
export const sluiceLibrary = (drains: number): Contender => ({
  name: `Sluice, library in Node, ${drains === 1 ? 'one drain' : `${drains} drains`}`,
  settings: `${SETTINGS_TEXT}; a backlog is drained by its cron handler, arrivals by the drains that they wake`,
  ...(drains > 1 ? { consumerOnly: true } : {}),
  most: FAST,
  async prepare({ emulator, raw }) {
    const env = { ...SETTINGS, UPSTASH_REDIS_REST_URL: emulator.url, UPSTASH_REDIS_REST_TOKEN: emulator.token };
    let handled = 0;
    let watch: Watch | undefined;
    const handler = ({ body }: { body: unknown }) => {
      handled += 1;
      watch?.handled((body as Body).n);
    };
    const queue = defineQueue(QUEUE, { requests: 0, handler });
    const sluice = createSluice<typeof env>({ queues: [queue] });
    const quiet = sluice.producer(env);
    const waking = sluice.producer(env, { waitUntil: () => {} });
    return {
      async open() {
        let producer = quiet;
        let sent = 0;
        return {
          enqueue(body) {
            sent += 1;
            return producer.enqueue(queue, body);
          },
          enqueueMany(bodies) {
            sent += bodies.length;
            return producer.enqueueMany(bodies.map((body) => ({ queue, body })));
          },
          async consume(told, supply) {
            handled = 0;
            watch = told;
            let stopped = false;
            const stop = async () => {
              producer = quiet;
              stopped = true;
            };
            if (supply === 'arrivals') {
              producer = waking;
              return { stop };
            }
            const keys = (await raw.dbsize()) - sent;
            for (let i = 0; i < drains; i++) {
              void sluice.scheduled({} as ScheduledController, env, {} as ExecutionContext);
            }
            // A drain says how much it acknowledged when it ends, and it may sleep before that. An envelope that is gone was
            // acknowledged.
            void (async () => {
              while (!stopped && handled < sent) await pause(LOOK_MS);
              while (!stopped && (await raw.dbsize()) > keys) await pause(LOOK_MS);
              told.acked(sent);
            })();
            return { stop };
          },
          async close() {
            watch = undefined;
          },
        };
      },
      close: async () => {},
    };
  },
});

const LOOK_MS = 1;
