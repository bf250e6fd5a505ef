/** Delivery: one message to the handler, and what its end means for the message. Knows nothing of leases or time. */
import { NonRetriableError, RetryAfterError } from '../errors.ts';
import { isDelay } from '../formats/duration.ts';
import { describe, isA, KEPT_LENGTH } from '../formats/thrown.ts';
import type { ReceivedMessage, Settlement } from './wire-types.ts';

export type ConsumeHandler<Body = unknown> = (
  message: ReceivedMessage<Body>,
  /** `signal` is aborted when the message was cancelled, the lease was lost, or the consumer's grace is over. */
  context: { signal: AbortSignal },
) => unknown;

export interface DeliveryResult {
  settlement: Settlement;
  /** What the handler threw, where it did. */
  error?: unknown;
}

/** Runs the handler to its end. Never throws: whatever the handler does becomes a settlement. */
export async function deliver<Body>(
  message: ReceivedMessage<Body>,
  handler: ConsumeHandler<Body>,
  signal: AbortSignal,
): Promise<DeliveryResult> {
  const { id, attempt } = message;
  try {
    await handler(message, { signal });
    return { settlement: { id, attempt, outcome: 'ack' } };
  } catch (error) {
    const text = describe(error).slice(0, KEPT_LENGTH);
    if (isA(error, NonRetriableError)) return { error, settlement: { id, attempt, outcome: 'dead', error: text } };
    const delay = isA(error, RetryAfterError) && isDelay(error.delayMs) ? { delay: error.delayMs } : {};
    return { error, settlement: { id, attempt, outcome: 'retry', error: text, ...delay } };
  }
}
