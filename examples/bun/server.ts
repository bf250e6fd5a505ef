/** The process: the HTTP API and the dashboard at /, one loop that delivers, and what cron does elsewhere. */
import { serve } from 'sluice/bun';
import { sluice } from './sluice.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

const port = Number(process.env.PORT ?? 3_000);
const { url, closed } = await serve(sluice, { port, signal: stopping.signal });
console.log(`Sluice is ready at ${url}`);
await closed; // what ran has ended, and what had not begun has gone back
