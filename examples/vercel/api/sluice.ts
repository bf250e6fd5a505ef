/** The HTTP API, the webhooks and the dashboard: vercel.json sends here what is no other file. */
import { toFetch } from 'sluice/vercel';
import { sluice } from '../sluice.ts';

export default { fetch: toFetch(sluice) };
