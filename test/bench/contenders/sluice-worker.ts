/** Sluice through its Worker, bundled as for deployment, in workerd. */
import { join } from 'node:path';
import { buildBundle } from '../../../src/dev/bundle.ts';
import { tokensSetting } from '../../../src/dev/stack.ts';
import { startWorker } from '../../../src/dev/worker.ts';
import { makeKeys } from '../../../src/redis/keys.ts';
import { type Contender, FAST } from '../contender.ts';
import { openOutbox, PLAIN, readAfter, readAlong } from '../outbox.ts';
import { PREFIX, QUEUE, SETTINGS, settingsText, type Variant } from './sluice-settings.ts';

const TOKEN = 'bench';

export const sluiceWorker = ({ drains = 1, settings }: Variant = {}): Contender => ({
  name: `Sluice, Worker in Miniflare, ${drains === 1 ? 'one drain' : `${drains} drains`}`,
  settings: `${settingsText(settings)}; messages come in by POST, a backlog is drained by POST /v1/drain`,
  ...(drains > 1 ? { consumerOnly: true } : {}),
  most: FAST,
  async prepare({ emulator, raw }) {
    const outbox = await openOutbox();
    const bundle = await buildBundle(join(import.meta.dirname, '../worker.ts'));
    const env = {
      ...SETTINGS,
      ...settings,
      UPSTASH_REDIS_REST_URL: emulator.url,
      UPSTASH_REDIS_REST_TOKEN: emulator.token,
      SLUICE_TOKENS: tokensSetting(TOKEN),
      OUTBOX: outbox.url,
    };
    const worker = await startWorker({ bundle, env, files: false, log: () => {} }); // nor has Cloudflare Queues' Worker any
    const call = async (method: string, path: string, body?: unknown) => {
      const answer = await fetch(worker.url + path, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, ...PLAIN },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`the Worker answered ${answer.status} ${text.slice(0, 200)}`);
      return text;
    };
    const { awake } = makeKeys(PREFIX);
    return {
      async open() {
        await call('POST', '/bench/reset');
        await raw.set(awake, 'bench'); // as if somebody were draining: what comes in wakes nobody until consume
        return {
          enqueue: (body) => call('POST', `/v1/queues/${QUEUE}/messages`, { body }),
          enqueueMany: (bodies) =>
            call('POST', '/v1/messages', { messages: bodies.map((body) => ({ queue: QUEUE, body })) }),
          async consume(watch, supply) {
            outbox.listener = (n) => watch.handled(n);
            await raw.del(awake);
            const read = async (from: number) => JSON.parse(await call('GET', `/bench/seen?from=${from}`)) as number[];
            if (supply === 'lone') return { stop: async () => {} };
            if (supply === 'arrivals') return readAlong(watch, read);
            const drain = async () => {
              const answer = JSON.parse(await call('POST', '/v1/drain')) as { drain?: { acked: number } };
              watch.acked(answer.drain?.acked ?? 0);
            };
            await Promise.all(Array.from({ length: drains }, drain));
            return readAfter(watch, read);
          },
          async close() {
            outbox.listener = () => {};
          },
        };
      },
      async close() {
        outbox.close();
        await worker.kill();
      },
    };
  },
});
