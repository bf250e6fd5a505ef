/** What Twilio signs. Only a Worker that imports this provider has it. */
import { type Bytes, toHex, utf8 } from '../formats/bytes.ts';
import { isForm } from '../message/raw.ts';
import type { WebhookRequest } from './scheme.ts';

/**
 * What may have been signed: the URL, with and without its port, and behind it the fields of a form; any other body stands in the
 * URL by its digest, and where that does not fit nothing was. Runtimes write an apostrophe of the query as %27 whichever came, so
 * both are tried: they are the same parameters. https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
export async function twilioContents({ headers, bytes, url, search }: WebhookRequest): Promise<Bytes[]> {
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
