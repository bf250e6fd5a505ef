// A consumer of the pull queue `reports`, on Node, Deno or Bun. It ends gracefully on SIGTERM.
//
//   SLUICE_URL=http://127.0.0.1:8787 SLUICE_TOKEN=… node examples/consumer.ts
//   (deno run --allow-net --allow-env examples/consumer.ts, bun examples/consumer.ts)
import process from 'node:process';
import { createClient } from 'sluice/client';

const { SLUICE_URL: url, SLUICE_TOKEN: token } = process.env;
if (!url || !token) {
  process.stderr.write('set SLUICE_URL and SLUICE_TOKEN\n');
  process.exit(2);
}
const client = createClient({ url, token });
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

await client.consume(
  'reports',
  async ({ id, attempt, body }) => {
    process.stdout.write(`${JSON.stringify({ id, attempt, body })}\n`); // the work goes here; throw to have it tried again
  },
  { concurrency: 5, signal: stopping.signal },
);
