/** Cloudflare Queues as Miniflare emulates them: a broker in memory, in workerd. */
import { Miniflare, NoOpLog } from 'miniflare';
import { type Body, type Contender, FAST } from '../contender.ts';
import { openOutbox, PLAIN, readAfter, readAlong, repeat } from '../outbox.ts';

// Consumers start by themselves: the first batch waits for the gate, and the backlog gathers behind it.
const WORKER = `
let seen = [], open = true;
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/send') { await env.QUEUE.send(await request.json(), { contentType: 'json' }); return new Response(); }
    if (pathname === '/batch') {
      const bodies = await request.json();
      await env.QUEUE.sendBatch(bodies.map((body) => ({ body, contentType: 'json' })));
      return new Response();
    }
    if (pathname === '/gate') { open = searchParams.get('open') === '1'; return new Response(); }
    if (pathname === '/count') return new Response(String(seen.length));
    if (pathname === '/reset') { seen = []; return new Response(); }
    return Response.json(seen.slice(Number(searchParams.get('from'))));
  },
  async queue(batch, env) {
    while (!open) await scheduler.wait(2);
    for (const { body } of batch.messages) {
      if (body.report) await fetch(env.OUTBOX + body.n);
      else seen.push(body.n);
    }
  },
};`;

export const cloudflareQueues: Contender = {
  name: 'Cloudflare Queues in Miniflare',
  settings:
    'max_batch_size 100, max_batch_timeout 0; sendBatch of up to 100, its limit. No Redis: its broker is in memory',
  most: FAST,
  bulk: 100,
  async prepare() {
    const outbox = await openOutbox();
    const miniflare = new Miniflare({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      logRequests: false,
      log: new NoOpLog(),
      workers: [
        {
          config: {
            name: 'queues',
            compatibilityDate: '2026-10-20',
            manifest: {
              mainModule: 'worker.js',
              modulesRoot: process.cwd(),
              modules: { 'worker.js': { type: 'esm', contents: WORKER } },
            },
            env: { QUEUE: { type: 'queue', name: 'work' }, OUTBOX: { type: 'text', value: outbox.url } },
            triggers: [{ type: 'queue', name: 'work', maxBatchSize: 100, maxBatchTimeout: 0 }],
          },
        },
      ],
    });
    const { origin } = await miniflare.ready;
    const post = async (path: string, body?: unknown) => {
      const answer = await fetch(origin + path, {
        method: 'POST',
        headers: PLAIN,
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`Miniflare answered ${answer.status} ${text.slice(0, 200)}`);
      return text;
    };
    return {
      async open() {
        await post('/reset');
        await post('/gate?open=0');
        return {
          enqueue: (body) => post('/send', body),
          enqueueMany: (bodies: Body[]) => post('/batch', bodies),
          async consume(watch, supply) {
            outbox.listener = (n) => watch.handled(n);
            await post('/gate?open=1');
            const read = async (from: number) => JSON.parse(await post(`/seen?from=${from}`)) as number[];
            if (supply === 'lone') return { stop: async () => {} };
            if (supply === 'arrivals') return readAlong(watch, read);
            let acked = 0;
            const counting = repeat(async () => {
              const count = Number(await post('/count'));
              watch.acked(count - acked);
              acked = count;
            });
            return readAfter(watch, read, counting.stop);
          },
          async close() {
            outbox.listener = () => {};
          },
        };
      },
      async close() {
        outbox.close();
        await miniflare.dispose();
      },
    };
  },
};
