/** The deployed Worker: this deployment's queues, its sources and the edge functions it serves. */
import { drainerOf, queuesOf } from '../src/cloudflare.ts';
import { createSluice } from '../src/index.ts';
import type { Env } from './app/env.ts';
import { queues } from './app/queues.ts';
import { schedules as appSchedules } from './app/schedules.ts';
import { sources } from './app/sources.ts';
import { drain } from './drain.ts';
import { enqueue } from './enqueue.ts';
import { health } from './health.ts';
import { inspect } from './inspect.ts';
import { operate } from './operate.ts';
import { receive } from './receive.ts';
import { rings } from './rings.ts';
import { schedules } from './schedules.ts';
import { session } from './session.ts';
import { stats } from './stats.ts';
import { sweep } from './sweep.ts';
import { topics } from './topics.ts';
import { webhooks } from './webhooks.ts';

const sluice = createSluice<Env>({
  queues,
  sources,
  schedules: appSchedules,
  functions: [
    enqueue,
    receive,
    webhooks,
    topics,
    operate,
    inspect,
    schedules,
    rings,
    drain,
    sweep,
    stats,
    health,
    session,
  ],
});

export default sluice satisfies ExportedHandler<Env>;

/** Drains where it is bound as DRAINER: wrangler.toml says how. */
export const SluiceDrainer = drainerOf(sluice);

/** For other Workers, by a service binding: docs/api.md. */
export const SluiceQueues = queuesOf(sluice);
