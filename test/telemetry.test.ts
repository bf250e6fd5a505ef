// Traces in an engine: off they cost nothing, on they are within the budget, and a handler gets the context to pass on.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { type Engine, openEngine } from '../src/engine.ts';
import { defineQueue, type HandlerContext } from '../src/index.ts';
import type { Message } from '../src/message/message.ts';
import { drainFor } from './regressions/engines.ts';
import { type Bench, onEachRedis } from './support/bench.ts';

/** Spans go out behind the answer, and the machine may stand still for seconds. */
const SENT = { timeout: 15_000 };
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = `00-${TRACE}-b7ad6b7169203331-01`;

let collector: Server | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  collector?.close();
});

async function collect(): Promise<{ url: string; texts: string[] }> {
  const texts: string[] = [];
  collector = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    texts.push(text);
    response.end('{}');
  });
  await new Promise<void>((resolve) => collector?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`, texts };
}

type Handle = (message: Message, context: HandlerContext) => unknown;

function engineOn(bench: Bench, handle: Handle, settings: Record<string, string> = {}): Engine {
  const env = {
    UPSTASH_REDIS_REST_URL: bench.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: bench.redises.emulator.token,
    SLUICE_PREFIX: bench.prefix,
    ...settings,
  };
  const queue = defineQueue('work', { subrequests: 0, attempts: 1, handler: handle });
  return openEngine(env, new Map([[queue.name, queue]]));
}

const input = (engine: Engine, body: unknown = 1, options: object = {}) => [
  { queue: engine.queues.get('work'), body, options, path: '' },
];

onEachRedis(
  'traces',
  (bench) => {
    test('off by default: not one request more, and the context of the caller is passed on as it is', async () => {
      const contexts: (string | undefined)[] = [];
      const engine = engineOn(bench(), (_, { traceparent }) => void contexts.push(traceparent));
      await engine.enqueue(input(engine));
      await drainFor(engine, 5_000);
      const fetched = vi.spyOn(globalThis, 'fetch');
      const { requests } = await bench().cost(async () => {
        await engine.enqueue(input(engine), undefined, { traceparent: CALLER });
        await drainFor(engine, 5_000);
      });
      expect(requests).toBe(3);
      expect(fetched).toHaveBeenCalledTimes(requests); // to storage: spans would be sent by it too
      expect(contexts).toEqual([undefined, CALLER]);
    });

    test('what is no trace context is ignored, and a message keeps one of its own', async () => {
      const contexts: (string | undefined)[] = [];
      const engine = engineOn(bench(), (_, { traceparent }) => void contexts.push(traceparent));
      await engine.enqueue(input(engine), undefined, { traceparent: 'nonsense' });
      await drainFor(engine, 5_000);
      const own = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
      await engine.enqueue(input(engine, 2, { headers: { traceparent: own } }), undefined, { traceparent: CALLER });
      await engine.enqueue(input(engine, 3, { headers: { traceparent: 'nonsense' } }));
      await drainFor(engine, 5_000);
      expect(contexts).toEqual([undefined, own, undefined]);
    });

    test('what a handler enqueues with its ack belongs to the trace of its message', async () => {
      const contexts: (string | undefined)[] = [];
      const engine = engineOn(bench(), async ({ body }, { traceparent, enqueue }) => {
        contexts.push(traceparent);
        const queue = engine.queues.get('work');
        if (body === 1 && queue) await enqueue(queue, 2);
      });
      await engine.enqueue(input(engine), undefined, { traceparent: CALLER });
      await drainFor(engine, 5_000);
      expect(contexts).toEqual([CALLER, CALLER]);
    });

    test('a message of the largest size is taken with its context and its delay too', async () => {
      const engine = engineOn(bench(), () => {});
      const largest = 'x'.repeat(256 * 1024 - '{"body":""}'.length);
      await engine.enqueue(input(engine, largest, { delay: 1 }), undefined, { traceparent: CALLER });
      await expect(engine.enqueue(input(engine, `${largest}x`))).rejects.toThrow('must take at most');
      expect(await drainFor(engine, 5_000)).toMatchObject({ acked: 1 });
    });

    test('a drain sends its spans in one request, which its report counts; a failure shows by its kind only', async () => {
      const { url, texts } = await collect();
      vi.spyOn(console, 'error').mockImplementation(() => {});
      const seen: (string | undefined)[] = [];
      const handle: Handle = ({ body }, { traceparent }) => {
        seen.push(traceparent);
        if (body === 'fails') throw new Error('a secret');
      };
      const engine = engineOn(bench(), handle, { SLUICE_OTLP_ENDPOINT: url });
      for (const body of ['works', 'fails', 'works']) {
        await engine.enqueue(input(engine, body), undefined, { traceparent: CALLER });
      }
      await vi.waitFor(() => expect(texts).toHaveLength(3), SENT);
      texts.splice(0);
      let fetched = 0;
      const { requests } = await bench().cost(async () => {
        fetched = (await drainFor(engine, 5_000)).requests;
      });
      expect(fetched).toBe(requests + 1);
      const [text = ''] = texts;
      expect(texts).toHaveLength(1);
      const spans = JSON.parse(text).resourceSpans[0].scopeSpans[0].spans as { spanId: string; status?: object }[];
      expect(seen.map((traceparent) => traceparent?.split('-')[2]).toSorted()).toEqual(
        spans.map(({ spanId }) => spanId).toSorted(),
      );
      expect(spans.map(({ status }) => status).filter(Boolean)).toEqual([{ code: 2 }]);
      expect(text).toContain('"failed"');
      expect(text).not.toMatch(/secret|works/);
      const [letter = ''] = Object.keys((await bench().shard()).dead.work ?? {});
      bench().alive.add(letter.slice(letter.indexOf('.') + 1));
    });

    test('a collector that sends elsewhere is not followed: its key is for nobody else', async () => {
      const asked: unknown[] = [];
      collector = createServer((request, response) => {
        asked.push([request.url, request.headers['x-key']]);
        response.writeHead(307, { location: '/elsewhere' }).end();
      });
      await new Promise<void>((resolve) => collector?.listen(0, '127.0.0.1', resolve));
      const { port } = collector.address() as AddressInfo;
      const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const settings = { SLUICE_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, SLUICE_OTLP_HEADERS: 'x-key=secret' };
      const engine = engineOn(bench(), () => {}, settings);
      await engine.enqueue(input(engine));
      await vi.waitFor(() => expect(warned.mock.calls.join()).toContain('"event":"spans refused"'), SENT);
      expect(warned.mock.calls.join()).toContain('"status":307');
      await drainFor(engine, 5_000);
      expect(asked).toEqual(Array(2).fill(['/v1/traces', 'secret']));
    });

    test('without a collector the work is done all the same', async () => {
      const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const engine = engineOn(bench(), () => {}, { SLUICE_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
      await engine.enqueue(input(engine));
      expect(await drainFor(engine, 5_000)).toMatchObject({ acked: 1 });
      expect(warned.mock.calls.map(([line]) => JSON.parse(String(line)))).toContainEqual({
        level: 'warn',
        event: 'spans not exported',
        spans: 1,
      });
    });
  },
  ['the embedded Redis'],
);
