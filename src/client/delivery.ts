/** Delivery: one message to the handler, and what its end means for the message. Knows nothing of leases or time. */
import type { ReceivedMessage, Settlement } from './wire.ts';

export type ConsumeHandler<Body = unknown> = (
  message: ReceivedMessage<Body>,
  /** `signal` is aborted when the message was cancelled, the lease was lost, or the consumer's grace is over. */
  context: { signal: AbortSignal },
) => unknown;

/** Of the API: a longer text is cut, a longer delay is no delay. */
const MAX_ERROR_LENGTH = 500;
const YEAR_MS = 365 * 86_400_000;

export interface Delivered {
  settlement: Settlement;
  /** What the handler threw, where it did. */
  error?: unknown;
}

/** Runs the handler to its end. Never throws: whatever the handler does becomes a settlement. */
export async function deliver<Body>(
  message: ReceivedMessage<Body>,
  handler: ConsumeHandler<Body>,
  signal: AbortSignal,
): Promise<Delivered> {
  const { id, attempt } = message;
  try {
    await handler(message, { signal });
    return { settlement: { id, attempt, outcome: 'ack' } };
  } catch (error) {
    const text = describe(error);
    const { name, delayMs } = traits(error);
    if (name === 'Refusal') return { error, settlement: { id, attempt, outcome: 'dead', error: text } };
    const isWait = name === 'RetryLater' && typeof delayMs === 'number' && delayMs >= 0 && delayMs <= YEAR_MS;
    const delay = isWait ? { delay: delayMs } : {};
    return { error, settlement: { id, attempt, outcome: 'retry', error: text, ...delay } };
  }
}

/** A thrown Proxy may throw again when it is looked at. */
function traits(error: unknown): { name?: unknown; delayMs?: unknown } {
  try {
    const { name, delayMs } = error as { name?: unknown; delayMs?: unknown };
    return { name, delayMs };
  } catch {
    return {};
  }
}

/** Anything can be thrown, also what cannot be turned into text. */
function describe(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : `threw ${typeof error}: ${String(error)}`;
    return text.slice(0, MAX_ERROR_LENGTH);
  } catch {
    return `threw ${typeof error}`;
  }
}
