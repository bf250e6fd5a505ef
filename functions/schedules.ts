/** This deployment's schedules: messages that come again and again. docs/scheduling.md says how. */
import { defineSchedule } from 'sluice';
import { notificationEmail } from './queues/mail.ts';

const weeklyDigest = defineSchedule('weekly-digest', {
  cron: '30 7 * * 1', // Mondays: here 0 and 7 are Sunday, as in crontab
  tz: 'Europe/Berlin',
  queue: notificationEmail,
  body: { to: 'readers@example.com', article: 'digest' }, // checked by the queue's schema
});

export const schedules = [weeklyDigest];
