// The least Worker with schedules, in code and over HTTP.
import { createSluice, defineQueue, defineSchedule } from 'sluice';
import { drain, enqueue, enqueueBatch, receive, schedules, settle, sweep } from 'sluice/functions';

const mail = defineQueue('mail', { handler: () => {} });
const daily = defineSchedule('daily', { cron: '0 9 * * *', queue: mail, body: {} });

export default createSluice({
  queues: [mail],
  schedules: [daily],
  functions: [enqueue, enqueueBatch, receive, settle, drain, sweep, schedules],
});
