/** The deployment as a whole: drain or sweep it on demand, audit it, and ask whether its storage can be trusted. */
import type { Context } from 'hono';
import * as z from 'zod/mini';
import { auditOn } from '../../engine/admin.ts';
import { rule } from '../../formats/rule.ts';
import { ANY_QUEUE, letItselfIn, requireQueue } from '../auth.ts';
import type { SluiceEnv } from '../context.ts';
import { outliving } from '../outliving.ts';
import { flag, overShards } from '../page-query.ts';
import { type Input, route } from '../route.ts';
import type { Wire } from './wire.ts';

/** As audit.ts makes it: `<pass> <cursor of the store>`, of which audit.lua says more. */
const AUDIT_CURSOR = overShards(/^((shallow|deep) \d{1,20}( .{1,1400} \d{1,20})?)?$/s);
/** One that stands in a deep pass. */
const DEEP_CURSOR = overShards(/^deep /);

const Drain = z.strictObject({ wait: flag('true') });

const Further = z.strictObject({ place: z.string().check(z.regex(/^\d{1,2}$/)) });

const Audit = z
  .strictObject({
    repair: flag(),
    deep: flag(),
    cursor: z._default(z.string(), ''),
  })
  .check(
    rule(
      ({ deep, cursor }) => AUDIT_CURSOR.test(cursor) && (deep === 'true' || !DEEP_CURSOR.test(cursor)),
      'must be one that an audit of the same depth answered',
      ['cursor'],
    ),
  );

export const postDrain = /* @__PURE__ */ route('POST /v1/drain', { scope: 'tick', query: Drain }, drainNow);

/** Vercel's cron, and some pingers, can only GET. */
export const getDrain = /* @__PURE__ */ route('GET /v1/drain', { scope: 'tick', query: Drain }, drainNow);

/** Drains call it, with the token that the deployment derives for that. */
export const furtherDrain = /* @__PURE__ */ route(
  'POST /v1/drain/further',
  { query: Further },
  async (c, { query }) => {
    await letItselfIn(c);
    c.get('engine').beginDrain(Number(query().place));
    c.status(202);
    return {} satisfies Wire<'Begun'>;
  },
);

export const drain = [postDrain, getDrain, furtherDrain];

export const sweep = /* @__PURE__ */ route(
  'POST /v1/sweep',
  { scope: 'admin' },
  async (c): Promise<Wire<'SweepReport'>> => {
    requireQueue(c.get('token'), ANY_QUEUE);
    return outliving(c, c.get('engine').sweep());
  },
);

export const audit = /* @__PURE__ */ route(
  'GET /v1/audit',
  { scope: 'admin', query: Audit },
  async (c, { query }): Promise<Wire<'Findings'>> => {
    requireQueue(c.get('token'), ANY_QUEUE);
    const { repair, deep, cursor } = query();
    const auditing = auditOn(c.get('engine'), { repair: repair === 'true', deep: deep === 'true', cursor });
    return outliving(c, auditing);
  },
);

/** Open to everybody. */
export const health = /* @__PURE__ */ route(
  'GET /health',
  {},
  (c): Promise<Wire<'Health'>> => c.get('engine').parts.health(),
);

async function drainNow(
  c: Context<SluiceEnv>,
  { query }: Input<typeof Drain, never>,
): Promise<Wire<'TickReport' | 'Begun'>> {
  requireQueue(c.get('token'), ANY_QUEUE);
  const { wait } = query();
  const ticking = c.get('engine').tick(true);
  if (wait === 'true') return outliving(c, ticking);
  c.get('engine').keepAlive(ticking); // its failure is one of the Worker
  c.status(202);
  return {};
}
