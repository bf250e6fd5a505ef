import { toFetch } from 'sluice/vercel';
import { sluice } from '../sluice.js';

export default { fetch: toFetch(sluice) };
