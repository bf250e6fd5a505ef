/** Sluice as a library in Node: createSluice over HTTP, without a Worker around it. */
import { reopenEngine } from '../../../src/engine/makings.ts';
import { createSluice, defineQueue } from '../../../src/index.ts';
import { connect } from '../../../src/redis/undici.ts';
import { type Body, type Contender, FAST, type Watch } from '../contender.ts';
import { QUEUE, SETTINGS, settingsText, type Variant } from './sluice-settings.ts';

export const sluiceLibrary = ({ drains = 1, settings }: Variant = {}): Contender => ({
  name: `Sluice, library in Node, ${drains === 1 ? 'one drain' : `${drains} drains`}`,
  settings: `${settingsText(settings)}; a backlog is drained by its cron handler, arrivals by the drains that they wake`,
  ...(drains > 1 ? { consumerOnly: true } : {}),
  most: FAST,
  async prepare({ emulator }) {
    const { url, token } = emulator;
    const env = { ...SETTINGS, ...settings, UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
    let handled = 0;
    let watch: Watch | undefined;
    const handler = ({ body }: { body: unknown }) => {
      handled += 1;
      watch?.handled((body as Body).n);
    };
    const queue = defineQueue(QUEUE, { subrequests: 0, handler });
    const sluice = createSluice<typeof env>({ queues: [queue] });
    reopenEngine(sluice, [env], { connect }); // as a resident process has it
    const quiet = sluice.producer(env);
    const waking = sluice.producer(env, { waitUntil: () => {} });
    const tick = () => sluice.scheduled({} as ScheduledController, env, {} as ExecutionContext);
    return {
      async open() {
        let producer = quiet;
        return {
          enqueue: (body) => producer.enqueue(queue, body),
          enqueueMany: (bodies) => producer.enqueueMany(bodies.map((body) => ({ queue, body }))),
          async consume(told, supply) {
            handled = 0;
            watch = told;
            if (supply !== 'backlog') producer = waking;
            else {
              await Promise.all(Array.from({ length: drains }, tick));
              told.acked(handled); // a drain that has ended has acknowledged what it handled
            }
            return {
              async stop() {
                producer = quiet;
              },
            };
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
