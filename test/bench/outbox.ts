/** Where handlers inside workerd tell that they ran: the clock that counts is outside. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Outbox {
  url: string;
  /** Whoever is told of each message. */
  listener: (n: number) => void;
  close(): void;
}

export async function openOutbox(): Promise<Outbox> {
  const outbox = { url: '', listener: (_n: number) => {}, close: () => {} };
  const server = createServer((request, response) => {
    outbox.listener(Number(request.url?.slice(1)));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  outbox.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  outbox.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return outbox;
}
