/** The classic case: somebody who signs up waits for the confirmation, a thousand subscribers do not wait for the newsletter. */

import { defineQueue, exponential, type HandlerContext } from 'sluice';
import * as z from 'zod/mini'; // zod itself serves as well, and adds 14 KB to the Worker
import type { Env } from '../env.ts';
import { record } from './outbox.ts';

const Confirmation = z.object({ to: z.email(), token: z.string().check(z.minLength(1)) });
const Notification = z.object({ to: z.email(), article: z.string().check(z.minLength(1)) });

export const confirmationEmail = defineQueue('confirmation.email', {
  priority: 0,
  schema: Confirmation,
  backoff: exponential({ base: '1s', max: '1m' }),
  timeout: '10s',
  handler: (message, { env, signal }: HandlerContext<Env>) => record(message, env, signal),
});

export const notificationEmail = defineQueue('notification.email', {
  priority: 5,
  schema: Notification,
  attempts: 8,
  timeout: '10s',
  handler: (message, { env, signal }: HandlerContext<Env>) => record(message, env, signal),
});
