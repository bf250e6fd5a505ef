/** The outbox of a torture run: it records each delivery of the Worker's handlers, and treats it as the key's fate says. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { History } from './history.ts';
import { fateOf, keyIn } from './messages.ts';

export interface TortureOutbox {
  url: string;
  deliveries(): number;
  close(): Promise<void>;
}

/** So long that a burst is more than one drain ends soon. */
const ANSWER_MS = 40;
/** Longer than a drain of this run takes messages, shorter than a handler's own time. */
const HANG_MS = 6_000;
/** A connection that ends just as it is used again would be a failure of the harness. */
const KEEP_ALIVE_MS = 300_000;

export async function startTortureOutbox(history: History): Promise<TortureOutbox> {
  let deliveries = 0;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, async (request, response) => {
    const sent = await text(request).catch(() => undefined); // the Worker was killed while it sent
    if (sent === undefined) return;
    const { id, queue, attempt, body } = JSON.parse(sent) as {
      id: string;
      queue: string;
      attempt: number;
      body: unknown;
    };
    const key = keyIn(queue, body);
    deliveries += 1;
    history.record({ what: 'delivered', id, attempt, key, at: Date.now() });
    const { status, afterMs } = answerTo(key, attempt);
    setTimeout(() => response.writeHead(status).end(), afterMs);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deliveries: () => deliveries,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answerTo(key: string, attempt: number): { status: number; afterMs: number } {
  const fate = fateOf(key);
  if (fate === 'doomed') return { status: 503, afterMs: ANSWER_MS };
  if (attempt > 1 || fate === 'taken') return { status: 202, afterMs: ANSWER_MS };
  if (fate === 'hangs') return { status: 202, afterMs: HANG_MS };
  return { status: fate === 'busy' ? 429 : 503, afterMs: ANSWER_MS };
}
