// On a platform that takes a handler of requests: Deno's server stands for Deno Deploy, Netlify and Supabase.
import { testMainJob } from './support/main-job.ts';
import { freePort, startServer } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

testMainJob(async (env) => {
  const cwd = await createProject('edge', { apps: ['shared', 'edge'] });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ['run', '--allow-all', '--no-prompt', 'main.js'];
  const command = { file: runtimes.deno(), args, cwd, env: { ...env, PORT: String(port) } };
  return { url, server: await startServer(command, `${url}/health`) };
});
