import { serve } from 'sluice/lambda';
import { sluice } from './sluice.js';

export const handler = serve(sluice, { wake: 'await' });
