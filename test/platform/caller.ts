/**
 * Whoever calls, and may leave: then the platform ends what is not behind waitUntil.
 *
 * workerd does that too, but sees only a connection that is reset, where `fetch` closes it in peace.
 */
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Aborted, the caller leaves. */
  signal?: AbortSignal;
}

/** @throws where the connection ends before the answer */
export function call(url: string, { method = 'GET', headers = {}, body, signal }: Call = {}): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const outgoing = request(url, { method, headers, agent: false });
  const leave = () => outgoing.socket?.resetAndDestroy();
  signal?.addEventListener('abort', leave, { once: true });
  outgoing.on('error', reject);
  outgoing.on('response', (incoming) => {
    const { statusCode: status = 0, headersDistinct } = incoming;
    const given = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
      values.map((value) => [name, value]),
    );
    const answer = (bytes: Buffer) =>
      new Response(bytes.length === 0 ? null : bytes, { status, headers: given as [string, string][] });
    resolve(buffer(incoming).then(answer));
  });
  outgoing.end(body);
  return promise;
}
