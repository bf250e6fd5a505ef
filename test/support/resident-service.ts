// A resident process on Sluice, with the server of its runtime: Node, Bun and Deno run this very file; it prints what it saw.
import { connect } from 'node:net';
import process from 'node:process';
import type { serve } from '../../src/adapters/node.ts';
import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue } from '../../src/index.ts';

/** What the process reports, as JSON on a line of its own. */
export interface SeenByResident {
  answers: number[];
  /** The bodies that arrived at the handler. */
  handled: unknown[];
  /** The most handlers that ran at once. */
  peak: number;
  /** Rejections that nobody handled: each would have ended the process. */
  unhandled: string[];
  /** What it is told that wants the same port. */
  taken: string;
}

const COUNT = 12;
const seen: SeenByResident = { answers: [], handled: [], peak: 0, unhandled: [], taken: '' };
process.on('unhandledRejection', (reason) => seen.unhandled.push(String(reason)));

let running = 0;
const all = Promise.withResolvers<void>();
const jobs = defineQueue('jobs', {
  async handler({ body }) {
    running += 1;
    seen.peak = Math.max(seen.peak, running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running -= 1;
    seen.handled.push(body);
    if (seen.handled.length === COUNT + 1) all.resolve();
  },
});

const name = 'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node';
const adapter = (await import(`../../src/adapters/${name}.ts`)) as { serve: typeof serve };
const sluice = createSluice<NodeJS.ProcessEnv>({ queues: [jobs], functions: api });
const { url, close } = await adapter.serve(sluice, { port: 0, hostname: '127.0.0.1', graceMs: 2_000 });
const port = Number(new URL(url).port);
seen.taken = await adapter.serve(sluice, { port, hostname: '127.0.0.1' }).then(
  () => 'it has it',
  ({ message }) => message.replace(`${port}`, 'N'),
);
const ask = async (path: string, body: object) => {
  const headers = { authorization: `Bearer ${process.env.TOKEN}`, 'content-type': 'application/json' };
  const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  await answer.text();
  seen.answers.push(answer.status);
};
/** Of a request that names this host. */
const statusFor = (host: string) =>
  new Promise<number>((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.once('data', (data) => resolve(Number(String(data).split(' ')[1]))).once('error', reject);
    socket.write(`GET /elsewhere HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  });
await ask('/v1/queues/jobs/messages', { body: 'bad', priority: 99 });
seen.answers.push(await statusFor('other.example/health?'));
await ask('/v1/queues/jobs/messages', { body: 'delayed', delay: '1s' });
await ask('/v1/messages', { messages: Array.from({ length: COUNT }, (_, n) => ({ queue: 'jobs', body: n })) });
if (!seen.answers.some((status) => status >= 500)) await all.promise;
await close();
seen.answers.push(
  await fetch(url).then(
    ({ status }) => status,
    () => 0,
  ),
);
console.log(JSON.stringify(seen));
