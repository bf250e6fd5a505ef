// workerd with the Worker in front and, behind its loader, the code of the limited one.
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { Response as Answer, Miniflare, NoOpLog } from 'miniflare';
import type { Bundle } from '../../src/dev/bundle.ts';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from '../../src/dev/worker.ts';
import { type CpuGuard, guardCpu } from './cpu.ts';
import type { Limits } from './limits.ts';

export interface Process {
  url: string;
  /** Where CPU is limited. */
  cpu: CpuGuard | undefined;
  /** It may be dead already. */
  close(): Promise<void>;
}

export interface ProcessOptions {
  bundle: Bundle;
  env: Record<string, string>;
  limits: Limits;
  log: (line: string) => unknown;
  /** Resolves when this invocation is over. */
  over: (id: string) => Promise<unknown>;
  port: number;
}

/** What runs in each isolate before the Worker's own code, as it is written. */
const IMPOSED = ['clock', 'connections', 'impose', 'invocation', 'subrequests', 'wire'];
const MAIN = `
import './imposed.js';
import worker from './bundle.js';
import { invoked } from './invocation.ts';
export default invoked(worker);
`;
/** A request's signal tells that its caller has left. */
const CALLER_LEAVES = 'enable_request_signal';

let starting: Promise<unknown> = Promise.resolve();

/** One after the other, so that each knows its own. */
export function startProcess(options: ProcessOptions): Promise<Process> {
  const started = starting.then(() => start(options));
  starting = started.catch(() => {});
  return started;
}

async function start({ limits, log, port, ...options }: ProcessOptions): Promise<Process> {
  const isGuarded = limits.cpuMs !== undefined;
  const before = isGuarded ? children() : [];
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    cf: false,
    log: new NoOpLog(),
    handleStructuredLogs: ({ message }: { message: string }) => log(message),
    workers: [
      {
        config: frontOf({ ...options, limits }),
        dev: { unsafeDirectSockets: [{ host: '127.0.0.1', port }] }, // past Miniflare's own Worker, whose CPU is not ours
      },
    ],
  });
  const url = (await miniflare.unsafeGetDirectURL()).origin;
  const cpu = isGuarded ? guardCpu(children().find((child) => !before.includes(child)) as number) : undefined;
  return {
    url,
    cpu,
    async close() {
      await cpu?.close();
      await miniflare.dispose();
    },
  };
}

/** The Worker in front: isolates.ts. */
function frontOf({ bundle, env, limits, over }: Omit<ProcessOptions, 'log' | 'port'>) {
  const modules = ['isolates', 'wire'].map((name) => [`${name}.ts`, { type: 'esm', contents: script(name) }] as const);
  const text = (value: string) => ({ type: 'text', value }) as const;
  const untilOver = (request: { url: string }) => over(new URL(request.url).pathname.slice(1)).then(() => new Answer());
  return {
    name: 'platform',
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: [CALLER_LEAVES],
    manifest: { mainModule: 'isolates.ts', modulesRoot: '/', modules: Object.fromEntries(modules) },
    env: {
      LOADER: { type: 'worker-loader' } as const,
      CODE: text(JSON.stringify(codeOf(bundle, env, limits))),
      ISOLATES: text(limits.isolates ?? 'one'),
      OVER: { type: 'fetcher', handler: untilOver } as const,
    },
  };
}

/** The limited Worker, as the loader takes it. */
function codeOf(bundle: Bundle, env: object, limits: Limits): WorkerLoaderWorkerCode {
  const { [bundle.mainModule]: main, ...rest } = bundle.modules;
  const modules: WorkerLoaderWorkerCode['modules'] = {
    'main.js': MAIN,
    'imposed.js': `import { impose } from './impose.ts';\nimpose(${JSON.stringify(limits)});`,
    'bundle.js': main?.contents ?? '',
  };
  for (const name of IMPOSED) modules[`${name}.ts`] = { js: script(name) };
  for (const [name, { contents }] of Object.entries(rest)) modules[name] = contents;
  return {
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: [...COMPATIBILITY_FLAGS, CALLER_LEAVES],
    mainModule: 'main.js',
    modules,
    env,
  };
}

const script = (name: string) => stripTypeScriptTypes(readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8'));

/** Processes that this one has started, on Linux: Miniflare does not say which is its workerd. */
function children(): number[] {
  const { pid } = process;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
