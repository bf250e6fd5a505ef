import { serve } from 'sluice/bun';
import { sluice } from './sluice.js';

serve(sluice, { port: Number(process.env.PORT) });
