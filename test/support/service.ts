// A service on Sluice where no platform keeps work alive behind an answer. Node, Bun and Deno run this very file; it prints what it saw.

import process from 'node:process';
import { api } from '../../src/http/functions.ts';
import { route } from '../../src/http/route.ts';
import { createSluice, defineQueue, defineSource } from '../../src/index.ts';
import * as providers from '../../src/webhooks/providers.ts';

/** What the service reports, as JSON on a line of its own. */
export interface Seen {
  /** What each request was answered, by name. */
  answers: Record<string, number>;
  /** The bodies that arrived at the handler. */
  handled: unknown[];
  /** Rejections that nobody handled: each would have ended the process. */
  unhandled: string[];
}

const seen: Seen = { answers: {}, handled: [], unhandled: [] };
process.on('unhandledRejection', (reason) => seen.unhandled.push(String(reason)));

let onHandled = () => {};
const jobs = defineQueue('jobs', {
  handler: ({ body }) => {
    seen.handled.push(body);
    onHandled();
  },
});
const github = defineSource('github', { provider: providers.github, secret: 'GITHUB_SECRET', route: jobs });

/** A function of the user's that leaves a failure behind its answer. */
const careless = route('POST /careless', {}, (c) => {
  c.executionCtx.waitUntil(Promise.reject(new RangeError('nobody may read this')));
  return {};
});

const sluice = createSluice<NodeJS.ProcessEnv>({
  queues: [jobs],
  sources: [github],
  functions: [...api, careless],
});

async function ask(name: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<void> {
  const request = new Request(`http://127.0.0.1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const answer = await sluice.fetch(request, process.env);
  seen.answers[name] = answer.status;
}

async function untilHandled(count: number): Promise<void> {
  while (seen.handled.length < count) {
    await new Promise<void>((resolve) => {
      onHandled = resolve;
    });
  }
}

const known = { authorization: `Bearer ${process.env.TOKEN}` };
await ask('bad', '/v1/queues/jobs/messages', { body: 1, priority: 99 }, known);
await ask('bad batch', '/v1/messages', { messages: [{ queue: 'nowhere', body: 1 }] }, known);
await ask('bad topic', '/v1/topics/nobody/messages', { type: 'a', body: 1 }, known);
await ask('no token', '/v1/queues/jobs/messages', { body: 1 });
await ask(
  'forged',
  '/hooks/github',
  {},
  { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}`, 'x-github-delivery': '1' },
);
await ask('careless', '/careless', {});
await ask('good', '/v1/queues/jobs/messages', { body: 'over HTTP' }, known);
if (seen.answers.good === 202) await untilHandled(1); // by the drain that was woken behind the answer
await sluice.producer(process.env).enqueue(jobs, 'from code'); // wakes none
await sluice.scheduled(undefined, process.env);
if (seen.answers.good === 202) await untilHandled(2);
console.log(JSON.stringify(seen));
