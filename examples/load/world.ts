/** The world outside, as the demo's handlers meet it: it answers in its own time, and not always well. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface World {
  url: string;
  close(): Promise<void>;
}

/** Receivers of webhooks: the paths of their URLs. */
export const PARTNERS = { sound: 'acme', flaky: 'globex', down: 'initech' };

/** A status and how long it takes, ms. */
type Mood = [status: number, ms: number];

export async function startWorld(): Promise<World> {
  const server = createServer(async (request, response) => {
    const partner = request.url?.slice(1) ?? '';
    if (Object.values(PARTNERS).includes(partner)) return void response.writeHead(answerOf(partner, Date.now())).end();
    const sent = await text(request).catch(() => undefined); // whoever sent it is gone
    if (sent === undefined) return;
    const { id, queue, attempt } = JSON.parse(sent) as { id: string; queue: string; attempt: number };
    const [status, ms] = moodOf(id, queue, attempt);
    setTimeout(() => response.writeHead(status).end(), ms);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Two minutes in four, whoever is away at times is. */
function answerOf(partner: string, now: number): number {
  if (partner === PARTNERS.down) return 500;
  return partner === PARTNERS.flaky && now % 240_000 < 120_000 ? 503 : 200;
}

/** One in 40 messages never gets through, one in 12 fails at first, one in 30 is told to come back. */
function moodOf(id: string, queue: string, attempt: number): Mood {
  const fate = [...id].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) % 9_973, 7);
  const ms = 8 + (fate % 60) + (fate % 23 === 0 ? 600 : 0);
  if (queue !== 'confirmation.email' && fate % 40 === 0) return [fate % 80 === 0 ? 410 : 500, ms];
  if (attempt === 1 && fate % 12 === 0) return [503, ms];
  if (attempt === 1 && fate % 30 === 1) return [429, ms];
  return [202, ms];
}
