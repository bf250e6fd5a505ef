/** What a handler may throw to say more than "it failed". The consumer knows them by name, so Sluice's own do as well. */

/** Try again, after this delay instead of the default backoff. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';
  readonly delayMs: number;

  constructor(delayMs: number, reason = 'the handler asked for a later try') {
    super(reason);
    this.delayMs = delayMs;
  }
}

/** Never try again: the message becomes a dead letter now. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
