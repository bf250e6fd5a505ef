/** What the example handlers do instead of sending mail: they record each message at OUTBOX_URL, or in the log. */
import { type Message, RetryAfterError } from 'sluice';
import type { Env } from '../env.ts';

/** @throws where the outbox does not take it, so that the message is tried again */
export async function record(message: Message, env: Env, signal: AbortSignal): Promise<void> {
  const { id, queue, priority, attempt, enqueuedAt } = message;
  if (!env.OUTBOX_URL) {
    console.log(`${queue}: ${id}, attempt ${attempt}`);
    return;
  }
  const answer = await fetch(env.OUTBOX_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `${id}-${attempt}` },
    body: JSON.stringify({ id, queue, priority, attempt, enqueuedAt, body: message.body }),
    signal,
  });
  await answer.body?.cancel();
  if (answer.status === 429) throw new RetryAfterError('1s', 'the outbox is busy');
  if (!answer.ok) throw new Error(`the outbox answered ${answer.status}`);
}
