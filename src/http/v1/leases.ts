/** Leases: consumers elsewhere receive messages of pull queues and settle them, one round trip each; operators see who holds what. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import { VISIBILITY_MS } from '../../broker/consumer.ts';
import { openInspectorOn } from '../../engine/admin.ts';
import { InvalidMessage } from '../../errors.ts';
import { YEAR_MS } from '../../formats/duration.ts';
import { milliseconds } from '../../formats/duration-schema.ts';
import { MAX_DEPTH, toJson } from '../../formats/json.ts';
import { PUSH_POOL } from '../../message/lane.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import { ANY_QUEUE, requireQueue } from '../auth.ts';
import type { SluiceEnv } from '../context.ts';
import { deriveLeaseName, LEASE_NAME, queuesOfLease } from '../lease-name.ts';
import { cursorSchema, pageLimit } from '../page-query.ts';
import { Problem, unknown } from '../problem.ts';
import { route } from '../route.ts';
import type { Wire } from './wire.ts';

export const params = { lease: LEASE_NAME };

const HALF_A_DAY_MS = 12 * 3_600_000;
const visibility = milliseconds(1_000, HALF_A_DAY_MS);
const queues = z.array(z.string().check(z.regex(QUEUE_NAME))).check(z.minLength(1), z.maxLength(20));

const ReceiveRequest = z.strictObject({
  /** Emptied in this order, each by priority. */
  queues,
  max: z._default(z.int().check(z.minimum(1), z.maximum(100)), 10),
  /** How long the messages stay away from others. */
  visibility: z._default(visibility, VISIBILITY_MS),
});

const MESSAGE_ID = /^[\w-]{1,64}$/;
const HELD = /^(\d{1,9}\.)?[\w-]{1,64}$/;
const MOST_HELD = 10_000;
/** Characters of JSON. */
const MOST_RESULT = 65_536;

const Settlement = z.strictObject({
  id: z.string().check(z.regex(MESSAGE_ID)),
  /** As it was received. With it the settlement is for this delivery only, and a retry knows its backoff. */
  attempt: z.optional(z.int().check(z.minimum(1))),
  outcome: z.enum(['ack', 'retry', 'dead', 'release']),
  /** Before a retry or a released message comes again. Default: 2 s doubling by attempt, up to 10 minutes; none for release. */
  delay: z.optional(milliseconds(0, YEAR_MS)),
  /** Why, for whoever looks at the message later. */
  error: z.optional(z.string().check(z.maxLength(500))),
  /** Kept with an ack, where the message has a resultTtl. */
  result: z.optional(
    z.unknown().check((context) => {
      const { text = '', fault } = toJson(context.value);
      const issue = (code: string, message: string) =>
        void context.issues.push({ code: 'custom', params: { code }, message, input: context.value });
      if (fault === 'too_deep') issue(fault, `must be nested at most ${MAX_DEPTH} levels deep`);
      if (text.length > MOST_RESULT) issue('too_large', 'must take at most 64 KiB as JSON');
    }),
  ),
});

const SettleRequest = z.strictObject({
  settle: z._default(z.array(Settlement).check(z.maxLength(100)), []),
  /** The lease lasts this long from now. Left out, its expiry stays as it is. */
  extend: z.optional(visibility),
  /** More messages in the same round trip, under the same lease. */
  receive: z.optional(
    z.strictObject({
      queues,
      /** 0 only asks whether the lease is still the caller's. */
      max: z._default(z.int().check(z.minimum(0), z.maximum(100)), 10),
      /** The deliveries of this lease that the caller still holds, or how many: what the lease has above that was lost on its way. */
      holding: z.union([
        z.int().check(z.minimum(0), z.maximum(MOST_HELD)),
        z.array(z.string().check(z.regex(HELD))).check(z.maxLength(MOST_HELD)),
      ]),
    }),
  ),
});

const LeasesPage = z.strictObject({
  limit: pageLimit(50, 20),
  cursor: cursorSchema(/^\d{0,9}$/),
});

export const receive = /* @__PURE__ */ route(
  'POST /v1/receive',
  { scope: 'receive', body: ReceiveRequest },
  async (c, { body }): Promise<Wire<'Received'>> => {
    const { queues, max, visibility } = await body();
    const name = await deriveLeaseName(c, requirePullQueues(c, queues));
    const received = await c.get('engine').receive({ ...name, queues, max, visibilityMs: visibility });
    if (received.messages.length === 0 && received.nextInMs !== undefined) {
      c.header('Retry-After', String(Math.ceil(received.nextInMs / 1_000)));
    }
    return { lease: name.lease, ...received };
  },
);

export const settle = /* @__PURE__ */ route(
  'POST /v1/leases/:lease/settle',
  { scope: 'receive', body: SettleRequest },
  async (c, { body }): Promise<Wire<'Settled'>> => {
    const lease = c.req.param('lease');
    const queues = queuesOfLease(lease);
    if (queues.length === 0) throw new Problem('not_found', 'No lease can have this name');
    for (const queue of queues) requireQueue(c.get('token'), queue);
    const { settle, extend, receive: more } = await body();
    if (more) checkWithin(queues, requirePullQueues(c, more.queues));
    return c
      .get('engine')
      .settle({ lease, leasedFrom: queues, settlements: settle, extendMs: extend, ...(more ? { more } : {}) });
  },
);

export const listLeases = /* @__PURE__ */ route(
  'GET /v1/leases',
  { scope: 'admin', query: LeasesPage },
  async (c, { query }): Promise<Wire<'LeasePage'>> => {
    requireQueue(c.get('token'), ANY_QUEUE); // a lease may hold messages of any queue
    const { limit, cursor } = query();
    return openInspectorOn(c.get('engine')).leases(limit, cursor);
  },
);

export const leases = [receive, settle, listLeases];

/** What else a lease held would be open to whoever may settle under its name. @throws InvalidMessage */
function checkWithin(queues: string[], wanted: string[]): void {
  if (wanted.every((queue) => queues.includes(queue))) return;
  const message = 'must be queues that the lease was received from: begin another for others';
  throw new InvalidMessage([{ field: 'receive.queues', code: 'other_lease', message }]);
}

/** Names of pull queues that the caller may touch, in the order given. */
function requirePullQueues(c: Context<SluiceEnv>, names: string[]): string[] {
  for (const name of names) {
    requireQueue(c.get('token'), name);
    const queue = c.get('engine').queues.get(name);
    if (!queue) throw unknown('unknown_queue', name);
    if (queue.pool === PUSH_POOL)
      throw new Problem('not_a_pull_queue', `${name} has a handler or a destination, which gets its messages`);
  }
  return names;
}
