/** Builds the Worker exactly as `wrangler deploy` does, without deploying it. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import type { Metafile } from 'esbuild';

export interface Bundle {
  mainModule: string;
  modules: Record<string, { type: 'esm'; contents: string }>;
  /** Of the main module, with the paths of its sources from here. */
  sourceMap?: string;
}

/** With what it was made of, as esbuild says it. */
export interface Built extends Bundle {
  metafile: Metafile;
}

/** As wrangler names it. */
const METAFILE = 'bundle-meta.json';

/** Keeps wrangler offline and quiet. */
const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  CI: '1',
};

/**
 * @param main another Worker than the deployed one, with the same settings
 * @param options.named left as it is written, so that stacks have the names of functions
 * @throws Error with wrangler's output where the Worker does not build
 */
export async function buildBundle(main?: string, { named = false } = {}): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const mainModule = `${basename(main ?? 'worker.ts', '.ts')}.js`;
  try {
    const options = ['--dry-run', '--outdir', folder, '--metafile', ...(named ? ['--minify=false'] : [])];
    await wrangler('deploy', ...(main ? [main] : []), ...options);
    const modules: Bundle['modules'] = {};
    for (const name of await readdir(folder)) {
      if (name.endsWith('.js')) modules[name] = { type: 'esm', contents: await readFile(join(folder, name), 'utf8') };
    }
    const metafile = JSON.parse(await readFile(join(folder, METAFILE), 'utf8')) as Metafile;
    return { mainModule, modules, sourceMap: await sourceMapIn(folder, mainModule), metafile };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function sourceMapIn(folder: string, mainModule: string): Promise<string> {
  const map = JSON.parse(await readFile(join(folder, `${mainModule}.map`), 'utf8'));
  const sources = map.sources.map((source: string) => relative('', resolve(map.sourceRoot ?? folder, source)));
  return JSON.stringify({ ...map, sources, sourceRoot: undefined });
}

function wrangler(...args: string[]): Promise<void> {
  const command = join(import.meta.dirname, '../../node_modules/wrangler/bin/wrangler.js');
  const child = spawn(process.execPath, [command, ...args], { env: { ...process.env, ...QUIET } });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`wrangler ${args[0]} failed:\n${output}`))));
  });
}
