/** Dead letters of a queue: why they died, back to work with them, or away. */
import * as z from 'zod/mini';
import { openAdminOn, openInspectorOn } from '../../engine/admin.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import { requireQueue } from '../auth.ts';
import { namedQueue } from '../named-queue.ts';
import { outliving } from '../outliving.ts';
import { unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const params = { queue: QUEUE_NAME };

const Id = z.string().check(z.regex(/^[\w-]{1,64}$/));

const Redrive = z.union([
  z.strictObject({ ids: z.array(Id).check(z.minLength(1), z.maxLength(1_000)) }),
  z.strictObject({ limit: z._default(z.int().check(z.minimum(1), z.maximum(1_000)), 1_000) }),
]);

export const listCauses = route(
  'GET /v1/queues/:queue/dead/causes',
  { scope: 'admin' },
  async (c): Promise<Wire<'Causes'>> => {
    const name = c.req.param('queue');
    requireQueue(c.get('token'), name);
    const inspector = openInspectorOn(c.get('engine'));
    if (!QUEUE_NAME.test(name) || !(await inspector.named(name))) throw unknown('unknown_queue', name);
    return inspector.causes(name);
  },
);

export const redriveDead = route(
  'POST /v1/queues/:queue/dead/redrive',
  { scope: 'admin', body: Redrive },
  async (c, { body }): Promise<Wire<'Redriven'>> => {
    const queue = await namedQueue(c);
    return { messages: await outliving(c, openAdminOn(c.get('engine')).redrive(queue, await body())) };
  },
);

export const purgeDead = route(
  'DELETE /v1/queues/:queue/dead',
  { scope: 'admin' },
  async (c): Promise<Wire<'Purged'>> => outliving(c, openAdminOn(c.get('engine')).purge(await namedQueue(c), ['dead'])),
);

export const deadLetters = [listCauses, redriveDead, purgeDead];
