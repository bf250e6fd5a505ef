/** What an error of Redis, or of the service in front of it, means for the caller. Pure. */
import { StorageError } from '../errors.ts';
import { isOutOfSubrequests } from '../runtime/subrequests.ts';

// What helps an operator. Nothing else of their texts is kept: the rest may quote the command, and so bodies.
const REFUSALS =
  /\bNOSCRIPT\b|^(WRONGPASS|NOAUTH|NOPERM|READONLY|NOREPLICAS|OOM|MISCONF|WRONGTYPE|CROSSSLOT)\b|max requests limit exceeded|DB capacity quota exceeded|max (?:daily )?request(?: size| limit)? exceeded|max \w+(?: \w+)? size exceeded|not available|not allowed/;
/** As format.lua says it. */
const STORED_FORMAT = /\bSTOREDFORMAT (\w+) (\w+)/;
const EARLIER: Record<string, string> = { none: 'of 0.1', 1: 'from before records were divided' };
const PASSING = /^(?:LOADING|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|BUSY)\b|too many requests|rate limit/i;

/** @param said the text of the error @param otherwise the reason where the text has no known phrase */
export function parseRefusal(said: string, otherwise = 'error'): StorageError {
  const [, stored, own] = STORED_FORMAT.exec(said) ?? [];
  if (stored !== undefined) {
    const found = EARLIER[stored] ? `${stored}, as in data ${EARLIER[stored]}` : stored;
    return new StorageError(
      'format',
      `the stored format of this database is ${found}; this version of Sluice has ${own}`,
    );
  }
  const passing = PASSING.exec(said);
  if (passing) return new StorageError('unreachable', passing[0]);
  return new StorageError('refused', REFUSALS.exec(said)?.[0] ?? otherwise);
}

/** @param error what a request threw that got no answer */
export function unanswered(error: unknown): StorageError {
  if (isOutOfSubrequests(error)) return new StorageError('subrequests', 'this invocation may make no more');
  const late = error instanceof Error && error.name === 'TimeoutError';
  return late ? new StorageError('slow', 'timeout') : new StorageError('unreachable', 'no answer');
}

/** Of a request that failed. What else goes wrong on this side is no trouble of storage. */
export function throwUnanswered(error: unknown): never {
  throw unanswered(error);
}
