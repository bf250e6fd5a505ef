/** Reads the body of a request, and no more of it than is allowed. */
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';

/** Whoever sends too much has so long to hear why: a connection that is cut off takes the answer with it. */
const LINGER_MS = 2_000;

/** @returns undefined where it is larger; the rest is not kept */
export function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.resolve(undefined);
  const decoder = new StringDecoder();
  let text = '';
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limit) text += decoder.write(chunk);
    else resolve(undefined);
  });
  request.once('end', () => resolve(bytes > limit ? undefined : text + decoder.end()));
  request.once('error', reject);
  request.once('close', () => reject(new Error('the request was broken off')));
  return promise;
}

/** Of a request that is answered before its end: the rest is thrown away, for a while. */
export function cutLater(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  request.once('close', () => clearTimeout(timer));
}
