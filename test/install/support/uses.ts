// How the example of one more use is run that stands beside each template: an application that enqueues from its own code.
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Platform } from '../../../src/cli/init/platform.ts';
import type { Settings, Site } from './main-job.ts';
import { run } from './process.ts';
import { runtimes, tool } from './project.ts';
import { startProcess, startWorkerOf } from './templates.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');

/** Its file, which init does not write. */
const FILES: Record<Platform, string> = {
  workers: 'signup.ts',
  next: 'app/api/signup/route.ts',
  vercel: 'api/signup.ts',
  node: 'app.ts',
  lambda: 'signup.ts',
  bun: 'app.ts',
  deno: 'app.ts',
};

export const copyUse = (platform: Platform, cwd: string) =>
  cp(join(EXAMPLES, platform, FILES[platform]), join(cwd, FILES[platform]));

/** What came of a sign-up: its answer, and what was printed since, where the handler may have been at work. */
export interface SignedUp {
  status: number;
  printed(): string;
  stop(): Promise<void>;
}

/** @param site that of the template, which goes on */
type SignUp = (email: string, use: { cwd: string; settings: Settings; site: Site }) => Promise<SignedUp>;

async function post(url: string, email: string): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ email }) });
  await answer.body?.cancel();
  return answer.status;
}

/** It serves Sluice itself, in the place of the template's entry. */
const byServer =
  (start: (cwd: string, settings: Settings) => Promise<Site>): SignUp =>
  async (email, { cwd, settings, site }) => {
    const { url, server } = await start(cwd, settings);
    const printed = () => server.printed() + site.server.printed(); // either may take it: they have one database
    return { status: await post(`${url}/signup`, email), printed, stop: server.stop };
  };

/** A program that calls the function as the platform does, and prints the status of the answer. What goes on behind it, the process waits for. */
const byCall =
  (call: (email: string) => string): SignUp =>
  async (email, { cwd, settings, site }) => {
    await writeFile(join(cwd, 'call.ts'), call(JSON.stringify(JSON.stringify({ email }))));
    const printed = await run({ file: runtimes.node24(), args: ['call.ts'], cwd, env: settings });
    await (await site.cron?.())?.body?.cancel(); // the process may end before its drain began
    return {
      status: Number(/^status (\d+)$/m.exec(printed)?.[1]),
      printed: () => printed + site.server.printed(),
      stop: async () => {},
    };
  };

export const SIGN_UPS: Record<Platform, SignUp> = {
  workers: byServer(startWorkerOf('signup.ts')),
  next: async (email, { site: { url, server } }) => ({
    status: await post(new URL('/api/signup', url).href, email),
    printed: server.printed,
    stop: async () => {},
  }),
  vercel: byCall(
    (body) => `import { POST } from './api/signup.ts';
const request = new Request('http://localhost/api/signup', { method: 'POST', body: ${body} });
console.log('status', (await POST(request)).status);`,
  ),
  node: byServer(startProcess(runtimes.node24, 'app.ts')),
  lambda: byCall(
    (body) => `import { handler } from './signup.ts';
console.log('status', (await handler({ body: ${body} })).statusCode);`,
  ),
  bun: byServer(startProcess(() => tool('bun'), 'app.ts')),
  deno: byServer(
    startProcess(() => tool('deno'), 'serve', '--allow-all', '--host', '127.0.0.1', '--port', '$PORT', 'app.ts'),
  ),
};
