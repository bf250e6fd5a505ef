/** Events of a forge on three queues: what touches security first, what people wait for next, the rest when there is time. */
import { defineQueue, type HandlerContext, type Priority } from 'sluice';
import type { Env } from '../env.ts';
import { record } from './outbox.ts';

const github = <Name extends string>(name: Name, priority: Priority) =>
  defineQueue(name, {
    priority,
    timeout: '10s',
    handler: (message, { env, signal }: HandlerContext<Env>) => record(message, env, signal),
  });

export const githubSecurity = github('github.security', 1);
export const githubReview = github('github.review', 3);
export const githubActivity = github('github.activity', 7);
