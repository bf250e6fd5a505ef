/** Webhooks to others: each message names the URL it is delivered to, and all are signed. */
import { defineQueue, exponential } from 'sluice';

export const webhookOut = defineQueue('webhook.out', {
  priority: 8,
  destination: { secrets: ['WEBHOOK_OUT_SECRETS'], breaker: { failures: 5, open: '1s' } },
  attempts: 12,
  backoff: exponential({ base: '1s', max: '12h' }),
  timeout: '15s',
});
