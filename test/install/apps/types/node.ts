// A user's program, as its compiler sees it with the types of Node alone.
import { createSluice, defineQueue, defineSchedule, defineSource, exponential, RetryAfterError } from 'sluice';
import { createClient } from 'sluice/client';
import { api } from 'sluice/functions';
import { github } from 'sluice/providers';
import * as z from 'zod';

const mail = defineQueue('mail', {
  schema: z.object({ to: z.email() }),
  backoff: exponential({ base: '2s', max: '10m' }),
  handler: async ({ body, attempt }, { signal }) => {
    if (attempt > 3) throw new RetryAfterError('10m');
    await fetch(`https://mail.example.com/${body.to satisfies string}`, { signal });
  },
});
const hooks = defineSource('github', { provider: github, secret: 'GITHUB_SECRET', route: mail });
const daily = defineSchedule('daily', { cron: '0 9 * * *', queue: mail, body: { to: 'ada@example.com' } });

const sluice = createSluice<NodeJS.ProcessEnv>({
  queues: [mail],
  sources: [hooks],
  schedules: [daily],
  functions: api,
});

export async function main(): Promise<void> {
  const answer: Response = await sluice.fetch(new Request('http://localhost/health'), process.env);
  const client = createClient({ url: 'https://sluice.example.com', token: '-' });
  const { id } = await client.enqueue(mail, { to: 'ada@example.com' });
  // @ts-expect-error: the schema says what a body is
  await client.enqueue(mail, { to: 1 });
  console.log(answer.status, id satisfies string);
}
