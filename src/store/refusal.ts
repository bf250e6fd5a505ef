/** What an error of Redis, or of the service in front of it, means for the caller. Pure. */
import { StorageError } from '../errors.ts';

// What helps an operator. Nothing else of their texts is kept: the rest may quote the command, and so bodies.
const REFUSALS =
  /^(NOSCRIPT|WRONGPASS|NOAUTH|NOPERM|READONLY|NOREPLICAS|OOM|MISCONF|WRONGTYPE|CROSSSLOT)\b|max requests limit exceeded|DB capacity quota exceeded|max (?:daily )?request(?: size| limit)? exceeded|max \w+(?: \w+)? size exceeded|not available|not allowed/;
const PASSING = /^(?:LOADING|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|BUSY)\b|too many requests|rate limit/i;

/** @param said the text of the error */
export function refusalOf(said: string): StorageError {
  const passing = PASSING.exec(said);
  if (passing) return new StorageError('unreachable', passing[0]);
  const refusal = REFUSALS.exec(said);
  return new StorageError('refused', refusal ? refusal[0] : 'error');
}

export const garbled = () => new StorageError('garbled', 'the answer is not JSON');

/** @param error what a request threw that got no answer */
export function unanswered(error: unknown): StorageError {
  const late = error instanceof Error && error.name === 'TimeoutError';
  return new StorageError('unreachable', late ? 'timeout' : 'no answer');
}
