/** Shards: which there are and what they have, and those that come and go. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import { openShardAdminOn } from '../../engine/shard-admin.ts';
import { type ShardAdmin, type ShardsReport, UnknownShard } from '../../shards/admin.ts';
import { features } from '../../shards/features.ts';
import { ANY_QUEUE, requireQueue } from '../auth.ts';
import type { SluiceEnv } from '../context.ts';
import { outliving } from '../outliving.ts';
import { Problem, unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

const SHARD_NAME = /^[a-z0-9-]{1,32}$/;

export const params = { shard: SHARD_NAME };

const weight = z.number().check(z.minimum(0.01), z.maximum(100));
const Activate = z.strictObject({ weight: z.optional(weight) });
const Weigh = z.strictObject({ weight });
const Evacuate = z.strictObject({ unpin: z._default(z.boolean(), false) });
const Forget = z.strictObject({ lost: z._default(z.boolean(), false) });

/** Of a queue, or of all whose names begin so. */
const pattern = z.string().check(z.regex(/^([A-Za-z0-9][A-Za-z0-9_.-]{0,63}\*?|\*)$/));
const Pin = z.strictObject({ queue: pattern, shard: z.string().check(z.regex(SHARD_NAME)) });
const Unpin = z.strictObject({ queue: pattern });

export const listShards = route(
  'GET /v1/shards',
  { scope: 'admin' },
  (c): Promise<Wire<'ShardList'>> => doing(c, async (admin) => describeShards(await admin.list())),
);

export const activateShard = route(
  'POST /v1/shards/:shard/activate',
  { scope: 'admin', body: Activate },
  (c, { body }): Promise<Wire<'ShardNamed'>> =>
    doing(c, async (admin) => {
      const shard = c.req.param('shard');
      await admin.activate(shard, (await body()).weight);
      return { shard };
    }),
);

export const drainShard = route(
  'POST /v1/shards/:shard/drain',
  { scope: 'admin' },
  (c): Promise<Wire<'ShardNamed'>> => {
    const shard = c.req.param('shard');
    return doing(c, (admin) => admin.drain(shard).then(() => ({ shard })));
  },
);

export const evacuateShard = route(
  'POST /v1/shards/:shard/evacuate',
  { scope: 'admin', body: Evacuate },
  (c, { body }): Promise<Wire<'ShardEvacuated'>> =>
    doing(c, async (admin) => admin.evacuate(c.req.param('shard'), (await body()).unpin)),
);

export const verifyShard = route(
  'POST /v1/shards/:shard/verify',
  { scope: 'admin' },
  (c): Promise<Wire<'ShardVerified'>> =>
    doing(c, async (admin) => {
      const { isEmpty, ...verified } = await admin.verify(c.req.param('shard'));
      return { ...verified, empty: isEmpty };
    }),
);

export const forgetShard = route(
  'POST /v1/shards/:shard/forget',
  { scope: 'admin', body: Forget },
  (c, { body }): Promise<Wire<'ShardForgotten'>> =>
    doing(c, async (admin) => admin.forget(c.req.param('shard'), (await body()).lost)),
);

export const weighShard = route(
  'PATCH /v1/shards/:shard',
  { scope: 'admin', body: Weigh },
  (c, { body }): Promise<Wire<'ShardNamed'>> =>
    doing(c, async (admin) => {
      const shard = c.req.param('shard');
      await admin.weigh(shard, (await body()).weight);
      return { shard };
    }),
);

export const pinQueues = route(
  'PUT /v1/shards/pins',
  { scope: 'admin', body: Pin },
  (c, { body }): Promise<Wire<'ShardPin'>> =>
    doing(c, async (admin) => {
      const pin = await body();
      await admin.pin(pin.queue, pin.shard);
      return pin;
    }),
);

export const unpinQueues = route(
  'DELETE /v1/shards/pins',
  { scope: 'admin', body: Unpin },
  (c, { body }): Promise<Wire<'ShardUnpinned'>> =>
    doing(c, async (admin) => {
      const { queue } = await body();
      await admin.unpin(queue);
      return { queue };
    }),
);

/** What they begin, ticks bring to its end. */
export const shards = Object.assign(
  [
    ...[listShards, pinQueues, unpinQueues, weighShard],
    ...[activateShard, drainShard, evacuateShard, verifyShard, forgetShard],
  ],
  { features },
);

/** Whoever may not is told so before anything else, and what a change of the map refuses says why. */
async function doing<Answer>(c: Context<SluiceEnv>, work: (admin: ShardAdmin) => Promise<Answer>): Promise<Answer> {
  requireQueue(c.get('token'), ANY_QUEUE);
  try {
    return await outliving(c, work(openShardAdminOn(c.get('engine'))));
  } catch (error) {
    if (error instanceof UnknownShard) throw unknown('unknown_shard', error.message);
    if (error instanceof RangeError) throw new Problem('shard_refused', error.message);
    throw error;
  }
}

/** A pin is told by the queues that it is for. */
function describeShards({ epoch, shards: reports, pins, held }: ShardsReport): Wire<'ShardList'> {
  const away = reports.filter(({ has, state }) => !has && state !== 'gone').map(({ shard }) => shard);
  return {
    epoch,
    shards: reports,
    pins: pins.map(({ place, shard }) => ({ queue: place.replace(/^q:/, ''), shard })),
    held,
    ...(away.length > 0 && { away }),
  };
}
