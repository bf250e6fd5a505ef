import process from 'node:process';
import { serve } from 'sluice/deno';
import { sluice } from './sluice.js';

serve(sluice, { port: Number(process.env.PORT) });
