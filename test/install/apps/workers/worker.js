import { drainerOf } from 'sluice/cloudflare';
import { sluice } from './sluice.js';

export default sluice;
export const SluiceDrainer = drainerOf(sluice);
