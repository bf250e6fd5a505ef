/** The Worker of a run over several shards. */
import { createSluice } from 'sluice';
import { drainerOf } from 'sluice/cloudflare';
import { api } from 'sluice/functions';
import type { Env } from '../../../functions/env.ts';
import { queues } from './queues.ts';

const sluice = createSluice<Env>({ queues, functions: api });

export default sluice satisfies ExportedHandler<Env>;

/** Drains where it is bound as DRAINER. */
export const SluiceDrainer = drainerOf(sluice);
