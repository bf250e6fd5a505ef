// A proxy in front of the Worker that does harm on demand: it may drop an answer after the request was carried out.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Seen {
  path: string;
  key: string | undefined;
  body: string;
}

export type Harm = 'drop-reply' | 'drop-request' | undefined;

export interface ShakyProxy {
  url: string;
  seen: Seen[];
  /** How many of them were answered. */
  answered(): number;
  close(): Promise<void>;
}

/** @param harm asked for each request, with its number from 0 */
export async function startProxy(target: string, harm: (seen: Seen, index: number) => Harm): Promise<ShakyProxy> {
  const seen: Seen[] = [];
  let answered = 0;
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => undefined); // the process was killed while it sent
    if (body === undefined) return;
    const { 'idempotency-key': key, authorization = '' } = request.headers as Record<string, string>;
    const one = { path: request.url ?? '', key, body };
    const todo = harm(one, seen.push(one) - 1);
    if (todo === 'drop-request') return void request.socket.destroy();
    const headers = { authorization, 'content-type': 'application/json', ...(key ? { 'idempotency-key': key } : {}) };
    const answer = await fetch(target + request.url, { method: 'POST', headers, body });
    const told = await answer.text();
    if (todo === 'drop-reply') return void request.socket.destroy();
    const pass = ['content-type', 'retry-after'].flatMap((name) => {
      const value = answer.headers.get(name);
      return value ? [[name, value]] : [];
    });
    response.writeHead(answer.status, Object.fromEntries(pass)).end(told, () => answered++);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answered: () => answered,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
