// In `wrangler dev`: a Worker with the dashboard's files of the package.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Settings, testMainJob } from './support/main-job.ts';
import { freePort, startServer } from './support/process.ts';
import { createProject, runtimes, tool } from './support/project.ts';

const site = testMainJob(async (env) => {
  const cwd = await createProject('workers', { apps: ['shared', 'workers'] });
  await writeFile(join(cwd, '.dev.vars'), toVars(env));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [
    tool('wrangler'),
    'dev',
    '--port',
    String(port),
    '--ip',
    '127.0.0.1',
    '--show-interactive-dev-session=false',
  ];
  const server = await startServer({ file: runtimes.node24(), args, cwd }, `${url}/health`);
  return { url, server, cron: () => fetch(`${url}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`) };
});

test('the dashboard and the page of the API are served', async () => {
  for (const path of ['/', '/docs']) {
    const answer = await fetch(`${site().url}${path}`);
    expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
      path,
      200,
      expect.stringContaining('text/html'),
    ]);
    expect(answer.headers.get('content-security-policy'), path).toContain("default-src 'none'");
  }
});

const toVars = (env: Settings) =>
  Object.entries(env)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
