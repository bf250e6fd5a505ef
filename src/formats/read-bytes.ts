/** Reading a body as bytes: counted while it comes, because a stated length need not be true. */
import type { Bytes } from './bytes.ts';

/** @returns undefined where there are more than `most`: the rest is not read */
export async function readBytes(body: ReadableStream<Uint8Array> | null, most: number): Promise<Bytes | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > most) return undefined; // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
