// A shop, as a user has one: queues that call each other, a schedule, a sender of webhooks, a topic. Its handlers note what they do, and when.
import { createHmac } from 'node:crypto';
import {
  createSluice,
  defineQueue,
  defineSchedule,
  defineSource,
  type HandlerContext,
  NonRetriableError,
  RetryAfterError,
} from 'sluice';
import * as functions from 'sluice/functions';
import { github } from 'sluice/providers';
import * as z from 'zod/mini';

export interface ShopEnv {
  GITHUB_SECRET: string;
  /** How often the mail service refuses a mail. */
  refusals?: number;
}

export const GITHUB_SECRET = 'the secret of both sides';

/** One call of a handler: the queue, the body, and the time by `Date`. */
export type Call = [queue: string, body: unknown, at: string];

const Mail = z.object({ to: z.string(), about: z.optional(z.string()) });

export function openShop() {
  const calls: Call[] = [];
  const note = (queue: string, body: unknown) => void calls.push([queue, body, new Date().toISOString()]);
  const alert = defineQueue('alert', { priority: 0, handler: ({ body }) => note('alert', body) });
  const mail = defineQueue('mail', {
    schema: Mail,
    handler({ body, attempt }, { env }: HandlerContext<ShopEnv>) {
      note('mail', body);
      if (attempt <= (env.refusals ?? 0)) throw new RetryAfterError('5m', 'the mail service is busy');
    },
  });
  const charge = defineQueue('charge', {
    attempts: 3,
    handler({ body }) {
      note('charge', body);
      throw new Error('the card was declined');
    },
  });
  const refund = defineQueue('refund', {
    handler() {
      throw new NonRetriableError('there is no such order');
    },
  });
  const slow = defineQueue('slow', {
    timeout: '15s',
    handler: (_, { signal }) => {
      note('slow', null);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const parcels = defineQueue('parcels', { kind: 'pull' });
  const sluice = createSluice<ShopEnv>({
    queues: [alert, mail, charge, refund, slow, parcels],
    schedules: [defineSchedule('digest', { cron: '0 9 * * *', queue: mail, body: { to: 'staff', about: 'digest' } })],
    sources: [defineSource('github', { provider: github, secret: 'GITHUB_SECRET', route: alert })],
    functions: functions.api,
  });
  return { calls, sluice, alert, mail, charge, refund, slow, parcels };
}

export type Shop = ReturnType<typeof openShop>;

/** As GitHub sends it. */
export function webhookOf(event: string, body: object): Request {
  const text = JSON.stringify(body);
  return new Request('http://shop.example/hooks/github', {
    method: 'POST',
    body: text,
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': '1b9e5a40-0000-4000-8000-000000000000',
      'x-hub-signature-256': `sha256=${createHmac('sha256', GITHUB_SECRET).update(text).digest('hex')}`,
    },
  });
}
