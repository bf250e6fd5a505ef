// A program of a user's: run to its end, or started as a server that is ended with all that it started.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

/** How long a server may take until it answers: `next start` and `wrangler dev` begin slowly on a busy machine. */
const READY_MS = 60_000;
/** How long one may take to end before it is killed. */
const GRACE_MS = 5_000;
/** Characters of what a server printed last. */
const SHOWN = 4_000;
/** Of an installation or a build. */
const RUN_MS = 240_000;

export interface Command {
  file: string;
  args: string[];
  cwd: string;
  env?: Record<string, string>;
}

export interface Server {
  /** What it printed so far, for the message of a test that fails. */
  printed(): string;
  isAlive(): boolean;
  stop(): Promise<void>;
}

/** Nothing of the environment of the tests but what programs need: users have no NODE_OPTIONS of Vitest. */
const environment = (env: Record<string, string> = {}) => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  CI: '1',
  DENO_NO_UPDATE_CHECK: '1',
  NEXT_TELEMETRY_DISABLED: '1',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  ...env,
});

/** Installs packages, with all that the machine says of how npm gets them, but for what the npm says that runs these tests. */
export async function npm(args: string[], cwd: string): Promise<void> {
  const ours = /^(?:npm_(?:lifecycle|package|config_local_prefix)|VITEST|NODE_(?:ENV|OPTIONS)$)/;
  const env = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel', 'error'];
  await run({ file: 'npm', args: [...args, ...quiet], cwd, env: Object.fromEntries(env) as Record<string, string> });
}

/** @returns what it printed to stdout. @throws Error with all that it printed, where it fails */
export async function run({ file, args, cwd, env }: Command): Promise<string> {
  const options = { cwd, env: environment(env), timeout: RUN_MS, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(file, args, options).catch(({ stdout = '', stderr = '', message }) => {
    throw new Error(`${message}\n${stdout}${stderr}`);
  });
  return stdout;
}

/** Starts a server. @param health answers 200 when it is up. @throws Error with what it printed, where it is not up in time */
export async function startServer({ file, args, cwd, env }: Command, health: string): Promise<Server> {
  const child = spawn(file, args, { cwd, env: environment(env), detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  child.on('error', (error) => (printed += String(error)));
  const server = {
    printed: () => printed.slice(-SHOWN),
    isAlive: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    stop: () => stop(child),
  };
  const end = Date.now() + READY_MS;
  while (!(await isUp(health))) {
    if (server.isAlive() && Date.now() < end) continue;
    await server.stop();
    throw new Error(`${file} ${args.join(' ')} did not come up:\n${server.printed()}`);
  }
  return server;
}

async function isUp(health: string): Promise<boolean> {
  const answer = await fetch(health).catch(() => undefined);
  await answer?.body?.cancel();
  if (answer?.ok) return true;
  await new Promise((resolve) => setTimeout(resolve, 100));
  return false;
}

/** With the processes that it started: they are of its group. */
async function stop(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-pid, 'SIGTERM');
  const killer = setTimeout(() => process.kill(-pid, 'SIGKILL'), GRACE_MS);
  await ended;
  clearTimeout(killer);
}

export { freePort } from '../../support/redis-server.ts';
