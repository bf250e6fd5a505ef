/** To Redis from Node: the protocol of connect-fetch.ts over `undici.request`, which costs half as much as Node's `fetch`. */
import { request } from 'undici';
import type { Connection, Send } from './client.ts';
import { garbled, refusalOf, unanswered } from './refusal.ts';

/** The service answers each request with one, and a replica that is asked with it waits until it has seen as much. */
const SYNC_TOKEN = 'upstash-sync-token';

export function connect({ url, token, timeoutMs }: Connection): Send {
  let syncToken = '';
  const post = async (command: string[]) => {
    const { statusCode, headers, body } = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, [SYNC_TOKEN]: syncToken },
      body: JSON.stringify(command),
      signal: AbortSignal.timeout(timeoutMs()),
    });
    const text = await body.text();
    syncToken = String(headers[SYNC_TOKEN] ?? '');
    return { ok: statusCode >= 200 && statusCode < 300, text };
  };
  return async (command) => {
    const { ok, text } = await post(command).catch((error: unknown) => {
      throw unanswered(error);
    });
    const { result, error } = parse(text);
    if (!ok) throw refusalOf(String(error));
    return result;
  };
}

function parse(text: string): { result?: unknown; error?: unknown } {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null) return answer;
  } catch {}
  throw garbled();
}
