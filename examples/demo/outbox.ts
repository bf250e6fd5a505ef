/** The outbox: a local server that stands for the world outside, and records every delivery that reaches it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Delivered {
  id: string;
  queue: string;
  attempt: number;
  body: unknown;
  /** From the enqueue, by Redis' clock, to the arrival here, ms. */
  waitMs: number;
  at: number;
}

export interface Outbox {
  url: string;
  deliveries: Delivered[];
  /** Resolves when this message has arrived. */
  arrival(id: string): Promise<Delivered>;
  close(): Promise<void>;
}

/** What a mail provider takes to answer. */
const ANSWER_MS = 4;

/** @param fails whether a first delivery is answered 503 instead of being taken */
export async function startOutbox(fails: (id: string) => boolean): Promise<Outbox> {
  const deliveries: Delivered[] = [];
  const waiting = new Map<string, (delivered: Delivered) => void>();
  const server = createServer(async (request, response) => {
    const sent = await text(request).catch(() => undefined); // the Worker was killed while it sent
    if (sent === undefined) return;
    const message = JSON.parse(sent) as Delivered & { enqueuedAt: number };
    const failed = message.attempt === 1 && fails(message.id);
    if (!failed) {
      const { id, queue, attempt, body, enqueuedAt } = message;
      const delivered = {
        id,
        queue,
        attempt,
        body,
        at: performance.now(),
        waitMs: Math.max(0, Date.now() - enqueuedAt),
      };
      deliveries.push(delivered);
      waiting.get(id)?.(delivered);
    }
    setTimeout(() => response.writeHead(failed ? 503 : 202).end(), ANSWER_MS);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deliveries,
    arrival(id) {
      const arrived = deliveries.find((delivered) => delivered.id === id);
      return arrived ? Promise.resolve(arrived) : new Promise((resolve) => waiting.set(id, resolve));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A share of first deliveries that the outbox of the demo does not take. */
export function oneInFifty(id: string): boolean {
  return [...id].reduce((sum, char) => sum + char.charCodeAt(0), 0) % 50 === 0;
}
