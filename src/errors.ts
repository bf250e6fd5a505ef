/**
 * Errors that cross a boundary: storage that gave no usable answer, input that is wrong, and what a handler may throw.
 *
 * None of them carries a message body, a Redis command or a token.
 */
import { type Duration, toMs } from './formats/duration.ts';

/**
 * Why storage gave no usable answer. `refused` is final, and so is `format`: the data is that of another version of Sluice; after the others the script may or may not have run. `slow`: not in time.
 * `subrequests`: the platform lets this invocation make no more, and storage was not asked.
 */
export type StorageFailure = 'unreachable' | 'slow' | 'refused' | 'garbled' | 'format' | 'subrequests';

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageFailure;
  /** What Redis said, reduced to a known phrase: its full text may quote the command and so a body. */
  readonly reason: string;
  /** So long it asked to be left alone; 0: it did not. */
  readonly afterMs: number;

  constructor(code: StorageFailure, reason: string, afterMs = 0) {
    super(`storage ${code}: ${reason}`);
    this.code = code;
    this.reason = reason;
    this.afterMs = afterMs;
  }

  /** Whether the same request would get the same answer. */
  get isFinal(): boolean {
    return this.code === 'refused' || this.code === 'format';
  }
}

/** One thing wrong with a message: which field, a stable code, and a sentence. */
export interface Issue {
  /** Path of the field, such as `body.to` or `messages[3].priority`. */
  field: string;
  code: string;
  message: string;
}

/** So many issues are named, and no longer texts: what is said of a request must not grow with it. */
const MOST_ISSUES = 20;
const MOST_FIELD = 200;
const MOST_WORDS = 500;

/** A message that cannot be enqueued as it is. Nothing was changed. */
export class InvalidMessage extends Error {
  override readonly name = 'InvalidMessage';
  /** The first 20. */
  readonly issues: Issue[];
  /** How many more there are. */
  readonly more: number;

  constructor(issues: Issue[]) {
    const named = issues.slice(0, MOST_ISSUES).map(({ field, code, message }) => ({
      field: field.slice(0, MOST_FIELD),
      code,
      message: message.slice(0, MOST_WORDS),
    }));
    super(named.map(({ field, message }) => `${field}: ${message}`).join('; '));
    this.issues = named;
    this.more = issues.length - named.length;
  }
}

/** The request token, or Idempotency-Key, was used before for something else. Nothing was changed. */
export class RequestMismatch extends Error {
  override readonly name = 'RequestMismatch';
}

/** Nobody is subscribed to this topic: a misspelt one must not swallow what is published. */
export class UnknownTopic extends Error {
  override readonly name = 'UnknownTopic';
}

/**
 * Thrown by a handler, and by one of the client's consumers: try again after this delay, not after the queue's backoff.
 * @example throw new RetryAfterError('5m', 'rate limited')
 */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError';
  readonly delayMs: number;

  /** @throws RangeError where a text is no duration */
  constructor(delay: Duration, reason = 'the handler asked for a later try') {
    super(reason);
    this.delayMs = typeof delay === 'number' ? delay : toMs(delay, 'delay');
  }
}

/**
 * Thrown by a handler, and by one of the client's consumers: never try again, the message becomes a dead letter now.
 * @example throw new NonRetriableError('no such customer')
 */
export class NonRetriableError extends Error {
  override readonly name = 'NonRetriableError';
}

/** The deployment's settings are wrong. The message names them and holds no values: some are secret. */
export class BadSettings extends Error {
  override readonly name = 'BadSettings';
}

/** A delivery cannot be signed as it should be. It is no attempt: a deployment that has the secret can make it. */
export class MissingSecret extends Error {
  override readonly name = 'MissingSecret';
}
