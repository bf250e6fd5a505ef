/**
 * The one way to Redis: a single HTTP request per command, by the HTTP client of @upstash/redis alone, with everything that it
 * does on its own turned off, and every failure turned into a StorageError without commands or bodies in it.
 */
import { HttpClient } from '../../node_modules/@upstash/redis/chunk-4WQYU7T6.mjs'; // see upstash.d.ts
import { StorageError } from '../errors.ts';

/** Sends one command, once. @throws StorageError */
export type Send = (command: string[]) => Promise<unknown>;

export interface Connection {
  url: string;
  token: string;
  /** After which a request counts as unanswered; asked for each. */
  timeoutMs: () => number;
}

export function connect({ url, token, timeoutMs }: Connection): Send {
  const client = new HttpClient({
    baseUrl: url,
    headers: { authorization: `Bearer ${token}` },
    retry: { retries: 0 }, // `false` would still send twice
    responseEncoding: false, // bodies are JSON and so UTF-8; base64 costs a third more bytes
    signal: () => AbortSignal.timeout(timeoutMs()), // the function form: an AbortSignal object fakes a success
  });
  return async (command) => {
    try {
      return (await client.request({ body: command })).result;
    } catch (error) {
      throw toStorageError(error);
    }
  };
}

// What Redis and the service say that helps an operator. Nothing else of their texts is kept.
const REFUSALS =
  /^(NOSCRIPT|WRONGPASS|NOAUTH|NOPERM|READONLY|NOREPLICAS|OOM|MISCONF|WRONGTYPE|CROSSSLOT)\b|max requests limit exceeded|DB capacity quota exceeded|max (?:daily )?request(?: size| limit)? exceeded|max \w+(?: \w+)? size exceeded|not available|not allowed/;
const PASSING = /^(?:LOADING|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|BUSY)\b|too many requests|rate limit/i;

function toStorageError(error: unknown): StorageError {
  if (!(error instanceof Error)) return new StorageError('unreachable', 'no answer');
  if (error.name === 'UpstashJSONParseError') return new StorageError('garbled', 'the answer is not JSON');
  if (error.name !== 'UpstashError')
    return new StorageError('unreachable', error.name === 'TimeoutError' ? 'timeout' : 'no answer');
  const [said = ''] = error.message.split(', command was:', 1); // the rest quotes the command, and so bodies
  const passing = PASSING.exec(said);
  if (passing) return new StorageError('unreachable', passing[0]);
  const refusal = REFUSALS.exec(said);
  return new StorageError('refused', refusal ? refusal[0] : 'error');
}
