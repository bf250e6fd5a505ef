/** workerd by itself, without Miniflare in front: what its main thread spends is what the Worker in it spends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Bundle } from '../../src/dev/bundle.ts';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from '../../src/dev/worker.ts';

export interface Workerd {
  url: string;
  /** CPU time of its main thread so far, ms. */
  cpuMs(): Promise<number>;
  close(): Promise<void>;
}

/** That of Miniflare. */
const BINARY: string = createRequire(import.meta.resolve('miniflare'))('workerd').default;
/** Where it tells the port. */
const CONTROL_FD = 3;

/**
 * @param output a file for what it prints, left out: here
 * @returns when it listens: the Worker is loaded then, and has served nothing yet
 */
export async function startWorkerd(
  { mainModule, modules }: Bundle,
  env: Record<string, string>,
  output: number | 'inherit' = 'inherit',
): Promise<Workerd> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cpu-'));
  try {
    const names = [mainModule, ...Object.keys(modules).filter((name) => name !== mainModule)];
    await Promise.all(names.map((name) => writeFile(join(folder, name), modules[name]?.contents ?? '')));
    await writeFile(join(folder, 'config.capnp'), configOf(names, env));
    const child = spawn(BINARY, ['serve', `--control-fd=${CONTROL_FD}`, join(folder, 'config.capnp')], {
      stdio: ['ignore', output, output, 'pipe'],
    });
    const port = await portIn(child.stdio[CONTROL_FD] as Readable);
    return {
      url: `http://127.0.0.1:${port}`,
      async cpuMs() {
        const [runNs] = (await readFile(`/proc/${child.pid}/task/${child.pid}/schedstat`, 'utf8')).split(' ');
        return Number(runNs) / 1e6;
      },
      async close() {
        const exit = once(child, 'exit');
        child.kill('SIGKILL');
        await exit;
      },
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** JSON spells text as Cap'n Proto does, as far as it is ASCII. */
const quoted = JSON.stringify;

function configOf(names: string[], env: Record<string, string>): string {
  const modules = names.map((name) => `(name = ${quoted(name)}, esModule = embed ${quoted(name)})`);
  const bindings = Object.entries(env).map(([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "anywhere", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  bindings = [${bindings.join(', ')}],
  compatibilityDate = ${quoted(COMPATIBILITY_DATE)},
  compatibilityFlags = [${COMPATIBILITY_FLAGS.map((flag) => quoted(flag)).join(', ')}],
  globalOutbound = "anywhere",
);
`;
}

async function portIn(control: Readable): Promise<number> {
  for await (const line of createInterface(control)) {
    const { event, port } = JSON.parse(line) as { event: string; port?: number };
    if (event === 'listen' && port !== undefined) return port;
  }
  throw new Error('workerd ended before it listened');
}
