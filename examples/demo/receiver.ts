/**
 * A receiver of webhooks that checks every signature with the package `standardwebhooks`, and fails as it is asked to.
 *
 * The query of its URL says how: `?fail=500&times=1` answers 500 once for each message and takes it then. `fail` is a
 * status, or `hang`, `reset`, `endless`, `trickle`; `retry-after`, `location` and `webhook-delivery` are sent as headers.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Arrived {
  path: string;
  id: string;
  attempt: number;
  method: string;
  headers: Record<string, string>;
  body: string;
  /** Its signature is right under one of the secrets. */
  verified: boolean;
  /** It was answered with 200. */
  taken: boolean;
  /** performance.now() */
  at: number;
}

export interface Receiver {
  url: string;
  arrived: Arrived[];
  close(): Promise<void>;
}

/** @param secrets those that the receiver knows: `whsec_…` */
export async function startReceiver(secrets: string[]): Promise<Receiver> {
  const arrived: Arrived[] = [];
  const server = createServer(async (request, response) => {
    const body = await textOf(request).catch(() => undefined);
    if (body === undefined) return;
    const url = new URL(request.url ?? '/', 'http://receiver');
    const headers = request.headers as Record<string, string>;
    const attempt = Number(headers['sluice-attempt']);
    const taken = !url.searchParams.has('fail') || attempt > Number(url.searchParams.get('times') ?? Infinity);
    arrived.push({
      path: url.pathname + url.search,
      id: headers['webhook-id'] ?? '',
      attempt,
      method: request.method ?? '',
      headers,
      body,
      verified: secrets.some((secret) => isSigned(secret, body, headers)),
      taken,
      at: performance.now(),
    });
    if (taken) response.end('{"ok":true}');
    else fail(url.searchParams, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const HEADERS = ['retry-after', 'location', 'webhook-delivery'];

function fail(query: URLSearchParams, response: ServerResponse): void {
  const how = query.get('fail') ?? '';
  for (const name of HEADERS) {
    const value = query.get(name);
    if (value !== null) response.setHeader(name, value);
  }
  response.setHeader('content-type', 'text/plain');
  if (how === 'hang') return;
  if (how === 'reset') {
    response.writeHead(500, { 'content-length': '1000' });
    response.write('half of it', () => response.destroy());
  } else if (how === 'endless') {
    response.writeHead(500);
    pour(response);
  } else if (how === 'trickle') {
    response.writeHead(500);
    response.write('a beginning and no end');
  } else {
    response.writeHead(Number(how));
    response.end(`answered ${how}`);
  }
}

/** Until nobody listens any more. */
function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write('x'.repeat(65_536)));
  if (!response.destroyed) response.once('drain', () => pour(response));
}

function isSigned(secret: string, body: string, headers: Record<string, string>): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
