/** The deployed Worker: this deployment's queues, its sources and schedules, and the functions that it serves over HTTP. */
import { createSluice } from 'sluice';
import { drainerOf, queuesOf } from 'sluice/cloudflare';
import { api } from 'sluice/functions';
import type { Env } from './env.ts';
import { queues } from './queues/index.ts';
import { schedules } from './schedules.ts';
import { sources } from './sources.ts';

const sluice = createSluice<Env>({ queues, sources, schedules, functions: api });

export default sluice satisfies ExportedHandler<Env>;

/** Drains where it is bound as DRAINER: wrangler.toml says how. */
export const SluiceDrainer = drainerOf(sluice);

/** For other Workers, by a service binding: docs/api.md. */
export const SluiceQueues = queuesOf(sluice);
