/** What cron calls each minute, with CRON_SECRET: it sweeps, fires schedules, and drains what is due. */
import { cron } from 'sluice/vercel';
import { sluice } from '../sluice.ts';

export const GET = cron(sluice);
