import { cron } from 'sluice/vercel';
import { sluice } from '../sluice.js';

export const GET = cron(sluice);
