// One consumer as a process of its own: writes what it handled, a line of JSON each, until SIGTERM.
import { createClient } from '../../src/client/index.ts';

const client = createClient({ url: process.env.SLUICE_URL ?? '', token: process.env.SLUICE_TOKEN ?? '' });
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
process.stdout.write('"ready"\n');

await client.consume(
  'reports',
  ({ id, attempt, group, body }) => {
    process.stdout.write(`${JSON.stringify({ id, attempt, group, body })}\n`);
  },
  { concurrency: 1, max: 100, idleMs: { least: 20, most: 100 }, signal: stopping.signal },
);
