/** What this project puts off: its queues, the messages that come by the clock, and Sluice over both. */
import { createSluice, defineQueue, defineSchedule } from 'sluice';
import { api } from 'sluice/functions';
import * as z from 'zod';

/** Somebody waits for it, so it goes first, whatever else is there. */
export const welcomeEmail = defineQueue('welcome.email', {
  priority: 0, // of 0 to 9
  schema: z.object({ to: z.email() }), // any Standard Schema; what does not fit is refused at once
  handler({ body, attempt }) {
    console.log(`welcome mail to ${body.to}, attempt ${attempt}`); // yours sends it; what throws is tried again
  },
});

/** Nobody waits for it: it is written when there is time. */
export const report = defineQueue('report', {
  priority: 7,
  schema: z.object({ of: z.string() }),
  handler({ body }) {
    console.log(`report of ${body.of}`);
  },
});

const weeklyReport = defineSchedule('weekly-report', {
  cron: '30 7 * * 1', // Mondays
  tz: 'Europe/Berlin',
  queue: report,
  body: { of: 'the week' },
});

/** For `createClient<typeof queues>` of `sluice/client`, too: another program knows by it which queues take what. */
export const queues = [welcomeEmail, report];

export const sluice = createSluice({ queues, schedules: [weeklyReport], functions: api });
export default sluice;
