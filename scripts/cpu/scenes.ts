/** What is measured: one request, or one tick, each with what waits when it comes. */
import { createHmac } from 'node:crypto';

export interface Scene {
  name: string;
  /** Messages that wait, for a handler that makes one fetch each. */
  waiting?: number;
  path: string;
  init?(): { method: string; body: string; headers?: Record<string, string> };
  /** Fetches of handlers, at least: a drain may leave some to the next. */
  deliveries: number;
  /** CPU of a fresh isolate, less that of a trivial Worker, ms: more fails the check. */
  ceilingMs?: number;
}

export const WEBHOOK_SECRET = 'whk-secret-of-the-check';

const post = (body: unknown) => ({ method: 'POST', body: JSON.stringify(body) });

/** What the queue `notification.email` takes. */
export const MAIL = { to: 'reader@example.com', article: 'news' };
function webhook(bytes: number) {
  const body = JSON.stringify({ action: 'opened', text: 'x'.repeat(bytes - 30) });
  const signature = createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex');
  const headers = {
    'x-github-event': 'pull_request',
    'x-github-delivery': crypto.randomUUID(),
    'x-hub-signature-256': `sha256=${signature}`,
  };
  return { method: 'POST', body, headers };
}

export const scenes: Scene[] = [
  { name: 'GET of nothing (404)', path: '/nothing', deliveries: 0 },
  {
    name: 'enqueue 1, pull queue',
    path: '/v1/queues/reports/messages',
    init: () => post({ body: 1 }),
    deliveries: 0,
  },
  {
    name: 'enqueue 1 + woken drain, 1 fetch',
    path: '/v1/queues/notification.email/messages',
    init: () => post({ body: MAIL }),
    deliveries: 1,
    ceilingMs: 6,
  },
  {
    name: 'webhook of 19.9 KB + woken drain, 1 fetch',
    path: '/hooks/github',
    init: () => webhook(19_900),
    deliveries: 1,
  },
  { name: 'cron tick, idle', path: '/tick', deliveries: 0, ceilingMs: 4 },
  { name: 'cron tick, 10 waiting, 1 fetch each', path: '/tick', waiting: 10, deliveries: 10 },
  { name: 'cron tick, 37 waiting, 1 fetch each', path: '/tick', waiting: 37, deliveries: 30 },
  { name: 'GET /v1/queues', path: '/v1/queues', deliveries: 0 },
];
