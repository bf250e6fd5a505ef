// As a process that stays, by the package's own servers: in Node, the oldest that is promised and the newest, in Bun and in Deno.
import { describe } from 'vitest';
import { testMainJob } from './support/main-job.ts';
import { freePort, startServer } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

const SERVERS: [name: string, app: string, runtime: () => string, args: string[]][] = [
  ['Node 22.12', 'node', runtimes.node22, []],
  ['Node 24', 'node', runtimes.node24, []],
  ['Bun', 'bun', runtimes.bun, []],
  ['Deno', 'deno', runtimes.deno, ['run', '--allow-all', '--no-prompt']],
];

describe.each(SERVERS)('%s', (name, app, runtime, args) => {
  testMainJob(async (env) => {
    const cwd = await createProject(name.replaceAll(/\W/g, '-'), { apps: ['shared', app] });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const command = { file: runtime(), args: [...args, 'main.js'], cwd, env: { ...env, PORT: String(port) } };
    return { url, server: await startServer(command, `${url}/health`) };
  });
});
