// What the applications of the install tests have in common: as a user writes it, in a project of their own.
import { createSluice, defineQueue, defineSchedule, defineSource } from 'sluice';
import { api } from 'sluice/functions';
import { github } from 'sluice/providers';

const mail = defineQueue('mail', {
  resultTtl: '10m',
  handler: ({ body }) => ({ to: body.to, handledAt: Date.now() }),
});
const repository = defineSource('github', { provider: github, secret: 'GITHUB_SECRET', route: mail });
const yearly = defineSchedule('yearly', { cron: '0 0 1 1 *', queue: mail, body: { to: 'everybody' } });

export const sluice = createSluice({ queues: [mail], sources: [repository], schedules: [yearly], functions: api });
export default sluice;
