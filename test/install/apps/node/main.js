import { serve } from 'sluice/node';
import { sluice } from './sluice.js';

await serve(sluice, { port: Number(process.env.PORT) });
