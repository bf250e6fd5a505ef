/** The queue that the path of a request names, for those who operate it. */
import type { Context } from 'hono';
import type { NamedQueue } from '../broker/admin.ts';
import { openInspectorOn } from '../engine/admin.ts';
import { QUEUE_NAME } from '../message/message.ts';
import type { AnyQueue } from '../queue/queue.ts';
import { requireQueue } from './auth.ts';
import type { SluiceEnv } from './context.ts';
import { unknown } from './problem.ts';

/** One that left the code can be operated all the same. @throws Problem where the token is not for it, or nobody knows it */
export async function namedQueue(c: Context<SluiceEnv>): Promise<AnyQueue | NamedQueue> {
  const name = c.req.param('queue') ?? '';
  requireQueue(c.get('token'), name);
  const queue = QUEUE_NAME.test(name) ? await openInspectorOn(c.get('engine')).named(name) : undefined;
  if (!queue) throw unknown('unknown_queue', name);
  return queue;
}
