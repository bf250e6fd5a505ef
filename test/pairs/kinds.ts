// A queue of each kind, and what messages have to say for it.
import * as z from 'zod/mini';
import { type AnyQueue, defineQueue, type Handler, type MessageOptions } from '../../src/index.ts';

/** Stands in the code for a receiver whose port is known when the bundle is built only. */
export const RECEIVER = 'http://receiver.localhost';

const handler: Handler<unknown, { RECEIVER: string }> = async ({ id, queue, body, headers }, { env }) => {
  const answer = await fetch(`${env.RECEIVER}/${queue}`, {
    method: 'POST',
    headers: { ...headers, 'webhook-id': id, 'sluice-attempt': '1' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error('not taken');
};

export interface Kind {
  queue: AnyQueue;
  /** What messages have to say for such a queue. */
  options?: (from: string) => MessageOptions;
  /** Of many with one key one comes out. */
  once?: true;
}

export const kinds: Record<string, Kind> = {
  push: { queue: defineQueue('push', { handler }) },
  pull: { queue: defineQueue('pull', { kind: 'pull' }) },
  url: {
    queue: defineQueue('url', { destination: { url: `${RECEIVER}/url`, headers: { 'x-queue-key': 'of the queue' } } }),
  },
  named: {
    queue: defineQueue('named', {
      destination: { headers: { 'x-queue-key': 'of the queue' }, headersFor: ['https://elsewhere.example.com'] },
    }),
    options: () => ({ destination: { url: `${RECEIVER}/named`, headers: { 'x-own': 'of the message' } } }),
  },
  ordered: { queue: defineQueue('ordered', { ordered: true, handler }), options: (from) => ({ group: from }) },
  'ordered-destination': {
    queue: defineQueue('ordered-destination', { ordered: { afterDeath: 'block' }, destination: true }),
    options: () => ({ destination: `${RECEIVER}/ordered-destination` }),
  },
  limited: {
    queue: defineQueue('limited', { limits: { concurrency: 1, rate: { limit: 50, per: '1s' } }, handler }),
  },
  checked: { queue: defineQueue('checked', { schema: z.object({ from: z.string() }), handler }) },
  dedup: {
    queue: defineQueue('dedup', { dedup: { window: '10m' }, handler }),
    options: (from) => ({ dedup: { key: from } }),
    once: true,
  },
  replacing: {
    queue: defineQueue('replacing', { kind: 'pull', dedup: { mode: 'replace', window: '10m' } }),
    options: (from) => ({ dedup: { key: from } }),
  },
  debounced: {
    queue: defineQueue('debounced', { destination: true, dedup: { mode: 'debounce', window: '700ms' } }),
    options: (from) => ({ dedup: { key: from }, destination: `${RECEIVER}/debounced` }),
  },
};

export const KINDS = Object.keys(kinds);
export const optionsOf = (kind: string, from: string) => kinds[kind]?.options?.(from) ?? {};
export const isOnce = (kind: string) => kinds[kind]?.once ?? false;
export const isPulled = (kind: string) => kinds[kind]?.queue.handler === undefined && !kinds[kind]?.queue.destination;
