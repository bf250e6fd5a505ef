// In Next.js: built for production, and started.
import { expect, test } from 'vitest';
import { testMainJob } from './support/main-job.ts';
import { freePort, run, startServer } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

const NEXT = ['next@16', 'react@19', 'react-dom@19'];
const BINARY = 'node_modules/next/dist/bin/next';

const site = testMainJob(async (env) => {
  const cwd = await createProject('next', { apps: ['shared', 'next'], packages: NEXT });
  await run({ file: runtimes.node24(), args: [BINARY, 'build'], cwd, env });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/api/sluice`;
  const args = [BINARY, 'start', '--port', String(port), '--hostname', '127.0.0.1'];
  const server = await startServer({ file: runtimes.node24(), args, cwd, env }, `${url}/health`);
  const authorization = `Bearer ${env.CRON_SECRET}`;
  return { url, server, cron: () => fetch(`http://127.0.0.1:${port}/api/cron`, { headers: { authorization } }) };
});

test('nobody ticks who does not know the secret', async () => {
  expect((await fetch(new URL('/api/cron', site().url))).status).toBe(401);
});
