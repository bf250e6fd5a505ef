/**
 * Errors that cross a boundary: storage that gave no usable answer, input that is wrong, and what a handler may throw.
 *
 * None of them carries a message body, a Redis command or a token.
 */
import { type Duration, toMs } from './formats/duration.ts';

/**
 * Why storage gave no usable answer.
 *
 * `refused` is final, and so is `format`: the data is that of another version of Sluice. `slow` means that no answer came in time.
 * `subrequests` means that the platform lets this invocation make no more of them, so storage was not asked. After the others the
 * script may or may not have run.
 */
export type StorageFailure = 'unreachable' | 'slow' | 'refused' | 'garbled' | 'format' | 'subrequests';

/** Redis gave no usable answer. Whoever repeats the call does so with the same idempotency key, or a message may be stored twice. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageFailure;
  /** The error of Redis, reduced to a known phrase: its full text may quote the command and so a body. */
  readonly reason: string;
  /** How long storage asked to be left alone, ms; 0 where it did not ask. */
  readonly afterMs: number;
  /** Which of several shards it is; not there where there is one. */
  shard?: string;

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

/** The most issues that are listed, and the longest texts in them: the answer must not grow with the request. */
const MOST_ISSUES = 20;
const MOST_FIELD = 200;
const MOST_WORDS = 500;

/**
 * A message that cannot be enqueued as it is. Nothing was changed.
 * @example if (error instanceof InvalidMessage) return Response.json(error.issues, { status: 422 })
 */
export class InvalidMessage extends Error {
  override readonly name = 'InvalidMessage';
  /** The first 20 issues. */
  readonly issues: Issue[];
  /** How many issues there are besides those. */
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

/** The shards have another map than the one by which this was placed. Nothing was changed. */
export class ShardMoved extends Error {
  override readonly name = 'ShardMoved';
  /** That of the map which the shard has. */
  readonly epoch: number;

  constructor(epoch: number) {
    super(`the map of the shards has epoch ${epoch} by now`);
    this.epoch = epoch;
  }
}

/** The topic has no subscriptions. This is an error because a misspelt topic must not swallow what is published. */
export class UnknownTopic extends Error {
  override readonly name = 'UnknownTopic';
}

/**
 * A handler, or a consumer of the client, throws it to have the message tried again after this delay instead of the queue's backoff.
 * The attempt counts.
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
 * A handler, or a consumer of the client, throws it where another try would be in vain: the message becomes a dead letter now.
 * @example throw new NonRetriableError('no such customer')
 */
export class NonRetriableError extends Error {
  override readonly name = 'NonRetriableError';
}

/** The deployment's settings are wrong. The message names them and holds no values: some are secret. */
export class BadSettings extends Error {
  override readonly name = 'BadSettings';
}

/** This deployment cannot make a delivery as it should be made: signed, guarded. It is no attempt: one that can may make it. */
export class HeldBack extends Error {
  override readonly name = 'HeldBack';
}
