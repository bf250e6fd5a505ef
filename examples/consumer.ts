// A consumer of the pulled queue `reports`, on Node, Deno or Bun. It ends gracefully on SIGTERM.
//
//   SLUICE_URL=http://127.0.0.1:8787 SLUICE_TOKEN=… node examples/consumer.ts
//   (deno run --allow-net --allow-env examples/consumer.ts, bun examples/consumer.ts)
import process from 'node:process';
import { createClient } from '../src/client/index.ts';

const client = createClient({ url: process.env.SLUICE_URL ?? '', token: process.env.SLUICE_TOKEN ?? '' });
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

await client.consume(
  'reports',
  async ({ id, attempt, body }) => {
    process.stdout.write(`${JSON.stringify({ id, attempt, body })}\n`); // the work goes here; throw to have it tried again
  },
  { concurrency: 5, signal: stopping.signal },
);
