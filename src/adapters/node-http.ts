/** Requests and answers of node:http as those of the web. A body is read as it is asked for, so that nobody holds what is refused. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream } from 'node:stream/web';
import { logError, nameOfError } from '../log.ts';
import type { Answer } from './server.ts';

/** Whoever was refused may still be sending. It has so long to hear why: a connection that is cut off takes the answer with it. */
const LINGER_MS = 2_000;

export function listenBy(answer: Answer): RequestListener {
  return (incoming, outgoing) => {
    respond(incoming, outgoing, answer).catch((error: unknown) => {
      if (!outgoing.closed) logError('answer broke off', { error: nameOfError(error) });
      outgoing.destroy();
    });
  };
}

async function respond(incoming: IncomingMessage, outgoing: ServerResponse, answer: Answer): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const request = toRequest(incoming, gone.signal);
  const response = request ? await answer(request) : new Response(null, { status: 400 });
  outgoing.statusCode = response.status;
  outgoing.setHeaders(response.headers);
  if (response.body) await pipeline(Readable.fromWeb(response.body as unknown as ReadableStream), outgoing);
  else outgoing.end();
  if (!incoming.complete) cutLater(incoming);
}

/** @returns undefined where it can be none: a method or an address of proxies, a host that is no name */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = 'GET', url = '/', rawHeaders } = incoming;
  const headers = new Headers();
  try {
    for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
    const host = headers.get('host') || 'localhost';
    // With one of these in it, the host would bring a path of its own: another than the one that a proxy has judged.
    if (!url.startsWith('/') || /[/\\?#]/.test(host)) return undefined;
    // One after the other: resolved against the host, a path that begins with two slashes would name another host.
    const address = `${schemeOf(incoming)}://${host}${url}`;
    const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(incoming);
    return new Request(address, { method, headers, body, signal, duplex: 'half' } as RequestInit);
  } catch {
    return undefined;
  }
}

/** Behind a proxy that ends TLS the scheme is what that says: cookies and origins go by it. */
function schemeOf({ socket, headers }: IncomingMessage): 'http' | 'https' {
  return 'encrypted' in socket || headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
}

/** Who reads only a part of it leaves the connection as it is, for the answer. */
function bodyOf(incoming: IncomingMessage): BodyInit {
  return ReadableStream.from(incoming.iterator({ destroyOnReturn: false })) as unknown as BodyInit;
}

/** Nobody wants the rest of this body. */
function cutLater(incoming: IncomingMessage): void {
  const timer = setTimeout(() => incoming.destroy(), LINGER_MS);
  incoming.once('close', () => clearTimeout(timer));
}
