/** The deployed Worker: this deployment's queues, its sources and the edge functions it serves. */
import { drainerOf, queuesOf } from '../src/adapters/cloudflare.ts';
import { drain } from '../src/http/v1/drain.ts';
import { enqueue } from '../src/http/v1/enqueue.ts';
import { health } from '../src/http/v1/health.ts';
import { inspect } from '../src/http/v1/inspect.ts';
import { operate } from '../src/http/v1/operate.ts';
import { receive } from '../src/http/v1/receive.ts';
import { rings } from '../src/http/v1/rings.ts';
import { schedules } from '../src/http/v1/schedules.ts';
import { session } from '../src/http/v1/session.ts';
import { stats } from '../src/http/v1/stats.ts';
import { sweep } from '../src/http/v1/sweep.ts';
import { topics } from '../src/http/v1/topics.ts';
import { webhooks } from '../src/http/v1/webhooks.ts';
import { createSluice } from '../src/index.ts';
import type { Env } from './env.ts';
import { queues } from './queues/index.ts';
import { schedules as appSchedules } from './schedules.ts';
import { sources } from './sources.ts';

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
