/** Signed content: the bytes that a signature covers. Built from parts, so that the body is never decoded. */
import { type Bytes, toHex, utf8 } from '../formats/bytes.ts';
import { isForm } from '../message/raw.ts';
import type { Arrived } from './scheme.ts';

/** @returns what may have been signed: one content, or with Twilio's URLs two; none where a digest in the URL does not fit */
export async function signedContents(
  form: string,
  { id, time }: { id: string; time: string },
  arrived: Arrived,
): Promise<Bytes[]> {
  if (form === 'twilio') return twilioContents(arrived);
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

/**
 * The URL, with and without its port, and behind it the fields of a form; any other body stands in the URL by its digest.
 * Runtimes write an apostrophe of the query as %27 whichever came, so both are tried: they are the same parameters.
 * https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
async function twilioContents({ headers, bytes, url, search }: Arrived): Promise<Bytes[]> {
  if (!URL.canParse(url)) return [];
  const { protocol, hostname, port, pathname } = new URL(url);
  const ports = ['', `:${port || (protocol === 'https:' ? 443 : 80)}`];
  const queries = new Set([search, search.replaceAll('%27', "'")]);
  const urls = ports.flatMap((suffix) =>
    Array.from(queries, (query) => `${protocol}//${hostname}${suffix}${pathname}${query}`),
  );
  if (isForm(headers.get('content-type') ?? '')) {
    const fields = twilioFields(new TextDecoder().decode(bytes));
    return urls.map((text) => utf8(text + fields));
  }
  const digests = new URLSearchParams(search).getAll('bodySHA256');
  const digest = toHex(await crypto.subtle.digest('SHA-256', bytes));
  const fits = digests.length === 1 ? digests[0] === digest : digests.length === 0 && bytes.length === 0;
  return fits ? urls.map(utf8) : [];
}

/** Names in order, each with its values: each once, in order. */
function twilioFields(text: string): string {
  const pairs = Array.from(new URLSearchParams(text), ([name, value]) => ({ name, value, key: name + value }));
  const once = [...new Map(pairs.map((pair) => [`${pair.name}\n${pair.value}`, pair])).values()];
  const before = (a: string, b: string) => (a < b ? -1 : Number(a > b));
  return once
    .toSorted((a, b) => before(a.name, b.name) || before(a.value, b.value))
    .map(({ key }) => key)
    .join('');
}
