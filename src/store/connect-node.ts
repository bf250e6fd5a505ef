/** To Redis from Node: the protocol of connect-fetch.ts over `undici.request`, which costs half as much as Node's `fetch`. */
import { request } from 'undici';
import type { Connection, Send } from './client.ts';
import { garbled, refusalOf, unanswered } from './refusal.ts';

/** The service answers each request with one, and a replica that is asked with it waits until it has seen as much. */
const SYNC_TOKEN = 'upstash-sync-token';

export function connect({ url, token, timeoutMs }: Connection): Send {
  const address = url.replace(/\/$/, '');
  let syncToken = '';
  const post = async (command: string[], signal: AbortSignal) => {
    const { statusCode, headers, body } = await request(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, [SYNC_TOKEN]: syncToken },
      body: JSON.stringify(command),
      signal,
    }).catch(throwUnanswered);
    const text = await body.text().catch(throwUnanswered);
    const ok = statusCode >= 200 && statusCode < 300;
    if (ok) syncToken = String(headers[SYNC_TOKEN] ?? '');
    return { ok, text };
  };
  return async (command) => {
    const { ok, text } = await within(timeoutMs(), (signal) => post(command, signal));
    const { result, error } = parse(text);
    if (!ok) throw refusalOf(typeof error === 'string' ? error : '');
    return result;
  };
}

/** The signal alone would not do: undici hears it only once it is connected, and gives a connection ten seconds. */
async function within<Result>(ms: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const reason = new DOMException('no answer in time', 'TimeoutError');
    controller.abort(reason);
    reject(unanswered(reason));
  }, ms);
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Of a request that failed. What else goes wrong here is no trouble of storage. */
function throwUnanswered(error: unknown): never {
  throw unanswered(error);
}

function parse(text: string): { result?: unknown; error?: unknown } {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null) return answer;
  } catch {}
  throw garbled();
}
