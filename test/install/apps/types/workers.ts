// A user's Worker, as its compiler sees it with the types of Workers alone.
import { createSluice, defineQueue, defineSchedule, RetryAfterError } from 'sluice';
import { createClient } from 'sluice/client';
import { drainerOf, queuesOf } from 'sluice/cloudflare';
import { api } from 'sluice/functions';

interface Env {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  FILES: R2Bucket;
}

const mail = defineQueue('mail', {
  attempts: 5,
  handler: async (message) => {
    if (message.attempt > 3) throw new RetryAfterError('10m');
  },
});
const daily = defineSchedule('daily', { cron: '0 9 * * *', queue: mail, body: {} });
const sluice = createSluice<Env>({ queues: [mail], schedules: [daily], functions: api });

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === '/signup') {
      await sluice.producer(env, context).enqueue(mail, { to: 'ada@example.com' });
      return new Response(null, { status: 202 });
    }
    return sluice.fetch(request, env, context);
  },
  scheduled: sluice.scheduled,
} satisfies ExportedHandler<Env>;

export const SluiceDrainer = drainerOf(sluice);
export const SluiceQueues = queuesOf(sluice);
export const client = createClient({ url: 'https://sluice.example.com', token: '-' });
