/** This deployment's queues: the file to edit first. A queue with a handler is drained by the Worker. */

import { defineQueue } from 'sluice';
import { githubActivity, githubReview, githubSecurity } from './github.ts';
import { confirmationEmail, notificationEmail } from './mail.ts';
import { monitorAlert, monitorCheck } from './monitor.ts';
import { webhookOut } from './webhook-out.ts';

/** Without a handler: consumers on other machines receive its messages over HTTP. */
const reports = defineQueue('reports', { kind: 'pull', priority: 4 });

export const queues = [
  confirmationEmail,
  notificationEmail,
  githubSecurity,
  githubReview,
  githubActivity,
  reports,
  monitorCheck,
  monitorAlert,
  webhookOut,
];
