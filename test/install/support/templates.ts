// How a project that `sluice init` made is started, on each platform: as its own scripts do it, or on what stands for the platform.
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Platform } from '../../../src/cli/init/platform.ts';
import type { Settings, Site } from './main-job.ts';
import { freePort, npm, run, startServer } from './process.ts';
import { createProject, runtimes, tool } from './project.ts';

const HOSTS = join(import.meta.dirname, '../apps');

/** Packages of the repository that stand for those of the project, because they are large. */
const OMITTED: Partial<Record<Platform, string[]>> = { workers: ['--omit=dev'] };

/** In an empty folder: the package, what init writes, and what that depends on. @returns the folder */
export async function createFromTemplate(platform: Platform): Promise<string> {
  const cwd = await createProject(`init-${platform}`);
  const file = runtimes.node24();
  await run({ file, args: ['node_modules/sluice/dist/cli.js', 'init', `--${platform}`], cwd });
  await npm(['install', ...(OMITTED[platform] ?? [])], cwd);
  return cwd;
}

/** Starts the project in a folder, with these settings above those that init wrote. */
export type Starter = (cwd: string, settings: Settings) => Promise<Site>;

/** @param runtime asked for when it is started @param words with `$PORT` where the port is no setting */
export const startProcess =
  (runtime: () => string, ...words: string[]): Starter =>
  async (cwd, settings) => {
    const file = runtime();
    const { url, env } = await placeFor(settings);
    const args = words.map((word) => word.replace('$PORT', env.PORT ?? ''));
    const PATH = `${dirname(file)}${delimiter}${process.env.PATH}`; // scripts call the runtime by its name
    return { url, server: await startServer({ file, args, cwd, env: { ...env, PATH } }, `${url}/health`) };
  };

async function placeFor(settings: Settings): Promise<{ url: string; env: Settings }> {
  const port = String(await freePort());
  return { url: `http://127.0.0.1:${port}`, env: { ...settings, PORT: port } };
}

/** @param entry left out: that of wrangler.toml */
export const startWorkerOf =
  (...entry: string[]): Starter =>
  async (cwd, settings) => {
    const { url, env } = await placeFor(settings);
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(cwd, '.dev.vars'), lines.join('')); // wrangler takes nothing of the environment
    const args = [
      'dev',
      ...entry,
      '--port',
      env.PORT ?? '',
      '--ip',
      '127.0.0.1',
      '--show-interactive-dev-session=false',
    ];
    const server = await startServer({ file: tool('wrangler'), args, cwd }, `${url}/health`);
    return { url, server, cron: () => fetch(`${url}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`) };
  };

const startNext: Starter = async (cwd, settings) => {
  const { url: site, env } = await placeFor(settings);
  const url = `${site}/api/sluice`;
  await run({ file: 'npm', args: ['run', 'build'], cwd, env });
  const server = await startServer({ file: 'npm', args: ['start'], cwd, env }, `${url}/health`);
  return { url, server, cron: () => tickWithSecret(site, settings) };
};

const tickWithSecret = (site: string, { CRON_SECRET }: Settings) =>
  fetch(`${site}/api/cron`, { headers: { authorization: `Bearer ${CRON_SECRET}` } });

const startVercel: Starter = async (cwd, settings) => {
  const { url, env } = await placeFor(settings);
  const host = await readFile(join(HOSTS, 'vercel/host.js'), 'utf8');
  const placed = host.replace('./api/cron.js', './api/cron.ts').replace('./api/index.js', './api/sluice.ts');
  await writeFile(join(cwd, 'host.js'), placed);
  const server = await startServer({ file: runtimes.node24(), args: ['host.js'], cwd, env }, `${url}/health`);
  return { url, server, cron: () => tickWithSecret(url, settings) };
};

const startLambda: Starter = async (cwd, settings) => {
  const { url, env } = await placeFor(settings);
  await run({ file: 'npm', args: ['run', 'build'], cwd });
  const command = {
    file: runtimes.node24(),
    args: [join(HOSTS, 'lambda/host.js')],
    cwd,
    env: { ...env, BUNDLE: join(cwd, 'dist/handler.mjs') },
  };
  return { url, server: await startServer(command, `${url}/health`), cron: () => fetch(`${url}/-/scheduler`) };
};

export const STARTERS: Record<Platform, Starter> = {
  workers: startWorkerOf(),
  next: startNext,
  vercel: startVercel,
  node: startProcess(() => 'npm', 'start'),
  lambda: startLambda,
  bun: startProcess(() => tool('bun'), 'run', 'start'),
  deno: startProcess(() => tool('deno'), 'task', 'start'),
};
