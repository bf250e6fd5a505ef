import { cron } from 'sluice/next';
import { sluice } from '../../../sluice.js';

export const GET = cron(sluice);
