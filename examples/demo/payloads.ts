/** The demo's mailing case: a newsletter for many, a confirmation for each who signs up. */
import type { HttpMessage } from './producer.ts';

export function notifications(count: number): HttpMessage[] {
  return Array.from({ length: count }, (_, i) => ({
    queue: 'notification.email',
    body: { to: `reader${i}@example.com`, article: 'queues-without-a-daemon' },
  }));
}

export function confirmation(i: number): HttpMessage {
  return { queue: 'confirmation.email', body: { to: `new${i}@example.com`, token: `token-${i}` } };
}
