/** What cron calls each minute, with CRON_SECRET: it sweeps, fires schedules, and drains what is due. vercel.json sets it up. */
import { cron } from 'sluice/next';
import { sluice } from '../../../sluice';

export const GET = cron(sluice);
