// A receiver of deliveries over TLS that tells which connection each came by; the path says what it answers.
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CERTIFICATE, KEY } from './certificate.ts';

export interface Received {
  path: string;
  /** 1 is the first connection. */
  connection: number;
  /** What the client asked for in the handshake. */
  servername: string;
  method: string;
  headers: Record<string, string>;
  body: string;
}

export interface TlsReceiver {
  port: number;
  received: Received[];
  /** Connections that were made, also where nothing came by them. */
  connections(): number;
  /** Of them those that have ended. */
  ended(): number;
  close(): Promise<void>;
}

type Answer = (response: ServerResponse) => void;

const ANSWERS: Record<string, Answer> = {
  '/': (response) => response.end('{"ok":true}'),
  '/last': (response) => response.setHeader('connection', 'close').end('{"ok":true}'),
  '/long': (response) => response.end('x'.repeat(100_000)),
  '/none': (response) => response.writeHead(204).end(),
  '/elsewhere': (response) => response.writeHead(302, { location: 'https://elsewhere.example.net/' }).end(),
  '/odd': (response) => response.writeHead(999).end('no such status'),
  '/busy': (response) => response.writeHead(503, { 'retry-after': '120' }).end('later'),
  '/reset': (response) => response.socket?.destroy(),
  '/upgrade': (response) =>
    response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  '/endless': (response) => pour(response.writeHead(500)),
  '/hang': () => {},
};

/** Until nobody listens any more. */
function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write('x'.repeat(65_536)));
  if (!response.destroyed) response.once('drain', () => pour(response));
}

export async function startTlsReceiver(): Promise<TlsReceiver> {
  const received: Received[] = [];
  const known = new Map<object, number>();
  let connections = 0;
  let ended = 0;
  const server = createServer({ cert: CERTIFICATE, key: KEY }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { url: path = '', method = '', socket } = request;
    const { servername } = socket as { servername?: string | false };
    received.push({
      path,
      connection: known.get(socket) ?? 0,
      servername: servername || '',
      method,
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString('utf8'),
    });
    ANSWERS[path]?.(response);
  });
  server.on('connection', (socket) => {
    connections += 1;
    socket.on('close', () => (ended += 1));
  });
  server.on('secureConnection', (socket) => known.set(socket, known.size + 1));
  server.on('tlsClientError', () => {}); // a client that does not like the certificate
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    connections: () => connections,
    ended: () => ended,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
