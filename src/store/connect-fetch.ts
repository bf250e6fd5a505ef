/** To Redis by `fetch`, everywhere but in Node: the HTTP client of @upstash/redis alone, with all that it does on its own turned off. */
import { HttpClient } from '../../node_modules/@upstash/redis/chunk-4WQYU7T6.mjs'; // see upstash.d.ts
import type { StorageError } from '../errors.ts';
import type { Connection, Send } from './client.ts';
import { garbled, refusalOf, unanswered } from './refusal.ts';

export function connect({ url, token, timeoutMs }: Connection): Send {
  const client = new HttpClient({
    baseUrl: url,
    headers: { authorization: `Bearer ${token}` },
    retry: { retries: 0 }, // `false` would still send twice
    responseEncoding: false, // bodies are JSON and so UTF-8; base64 costs a third more bytes
  });
  return async (command) => {
    const within = AbortSignal.timeout(timeoutMs());
    const signal = () => within; // the function form: an AbortSignal object fakes a success
    const answer = await client.request({ body: command, signal }).catch((error: unknown) => {
      throw toStorageError(error);
    });
    if (!answer) throw garbled();
    return answer.result;
  };
}

function toStorageError(error: unknown): StorageError {
  if (!(error instanceof Error)) return unanswered(error);
  if (error.name === 'UpstashJSONParseError') return garbled();
  if (error.name !== 'UpstashError') return unanswered(error);
  const [said = ''] = error.message.split(', command was:', 1); // the rest quotes the command, and so bodies
  return refusalOf(said);
}
