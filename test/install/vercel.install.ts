// In the shape of Vercel's functions, on a server that stands for the platform.
import { expect, test } from 'vitest';
import { testMainJob } from './support/main-job.ts';
import { freePort, startServer } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

const site = testMainJob(async (env) => {
  const cwd = await createProject('vercel', { apps: ['shared', 'vercel'] });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const command = { file: runtimes.node24(), args: ['host.js'], cwd, env: { ...env, PORT: String(port) } };
  const server = await startServer(command, `${url}/health`);
  const authorization = `Bearer ${env.CRON_SECRET}`;
  return { url, server, cron: () => fetch(`${url}/api/cron`, { headers: { authorization } }) };
});

test('nobody ticks who does not know the secret', async () => {
  expect((await fetch(`${site().url}/api/cron`)).status).toBe(401);
});
