/** Signed content: the bytes that a signature covers. Built from parts, so that the body is never decoded. */
import { type Bytes, utf8 } from '../formats/bytes.ts';
import type { ContentFunction, WebhookRequest } from './scheme.ts';

/** @returns what may have been signed: one content, or as many as the scheme's own function gives */
export async function signedContents(
  form: string | ContentFunction,
  { id, time }: { id: string; time: string },
  arrived: WebhookRequest,
): Promise<Bytes[]> {
  if (typeof form === 'function') return form(arrived);
  const texts = form
    .split('{body}')
    .map((text) =>
      text.replace(/\{(id|time|url)\}/g, (_, name: 'id' | 'time' | 'url') => ({ id, time, url: arrived.url })[name]),
    );
  return [joined(texts.flatMap((text, i) => (i === 0 ? [utf8(text)] : [arrived.bytes, utf8(text)])))];
}

function joined(parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
