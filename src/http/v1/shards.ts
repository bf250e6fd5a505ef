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
  async (c, { body }): Promise<Wire<'ShardNamed'>> => {
    const shard = c.req.param('shard');
    const { weight: given } = await body();
    return doing(c, (admin) => admin.activate(shard, given).then(() => ({ shard })));
  },
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
  async (c, { body }): Promise<Wire<'ShardEvacuated'>> => {
    const { unpin } = await body();
    return doing(c, (admin) => admin.evacuate(c.req.param('shard'), unpin));
  },
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
  async (c, { body }): Promise<Wire<'ShardForgotten'>> => {
    const { lost } = await body();
    return doing(c, (admin) => admin.forget(c.req.param('shard'), lost));
  },
);

export const weighShard = route(
  'PATCH /v1/shards/:shard',
  { scope: 'admin', body: Weigh },
  async (c, { body }): Promise<Wire<'ShardNamed'>> => {
    const shard = c.req.param('shard');
    const { weight: wanted } = await body();
    return doing(c, (admin) => admin.weigh(shard, wanted).then(() => ({ shard })));
  },
);

export const pinQueues = route(
  'PUT /v1/shards/pins',
  { scope: 'admin', body: Pin },
  async (c, { body }): Promise<Wire<'ShardPin'>> => {
    const pin = await body();
    return doing(c, (admin) => admin.pin(pin.queue, pin.shard).then(() => pin));
  },
);

export const unpinQueues = route(
  'DELETE /v1/shards/pins',
  { scope: 'admin', body: Unpin },
  async (c, { body }): Promise<Wire<'ShardUnpinned'>> => {
    const { queue } = await body();
    return doing(c, (admin) => admin.unpin(queue).then(() => ({ queue })));
  },
);

/** What they begin, ticks bring to its end. */
export const shards = Object.assign(
  [
    ...[listShards, pinQueues, unpinQueues, weighShard],
    ...[activateShard, drainShard, evacuateShard, verifyShard, forgetShard],
  ],
  { features },
);

/** What a change of the map refuses says why. */
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
function describeShards({ epoch, shards: reports, pins }: ShardsReport): Wire<'ShardList'> {
  const away = reports.filter(({ has, state }) => !has && state !== 'gone').map(({ shard }) => shard);
  return {
    epoch,
    shards: reports,
    pins: pins.map(({ place, shard }) => ({ queue: place.replace(/^q:/, ''), shard })),
    ...(away.length > 0 && { away }),
  };
}
