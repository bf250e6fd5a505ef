/**
 * Cloudflare in a box: a Worker in workerd, under the limits and habits of production, which workerd by itself does not have.
 *
 * Each limit is a file beside this one. Isolates are those of workerd's Worker Loader; what is imposed on their code is
 * loaded before it.
 */
import { randomUUID } from 'node:crypto';
import type { Bundle } from '../../src/dev/bundle.ts';
import { freePort } from '../support/redis-server.ts';
import { type Call, call } from './caller.ts';
import type { CpuGuard } from './cpu.ts';
import { openEnds } from './ends.ts';
import type { Limits } from './limits.ts';
import { type Process, startProcess } from './process.ts';
import { ID, ISOLATE, LOAD, TICK, type Told } from './wire.ts';

export interface PlatformOptions extends Limits {
  bundle: Bundle;
  /** The Worker's bindings. */
  env?: Record<string, string>;
  /** It is told where it is reached, as SLUICE_URL. */
  knowsUrl?: boolean;
  /** Lines that the Worker logs. */
  log?: (line: string) => unknown;
}

/** An invocation that came to its end. */
export interface Invoked extends Told {
  /** What it used, where CPU is limited. */
  cpuMs?: number;
}

export interface Platform {
  /** Requests that come here directly are invocations too, but for the limit of CPU. */
  url: string;
  /** A request. Where CPU is limited, one invocation at a time. @throws where it was killed before it answered */
  fetch(path: string, init?: Call): Promise<Response>;
  /** Runs the Worker's cron handler once and waits for it. @throws Error where it threw or was killed */
  tick(): Promise<void>;
  /** In the order in which they ended. */
  invocations: Invoked[];
  /** How many had used up their CPU. */
  killed(): number;
  /** Whether all that came by `fetch` and `tick` are over: of each it is told a moment after its answer. Not where CPU is limited. */
  areOver(): boolean;
  close(): Promise<void>;
}

export async function openPlatform({
  bundle,
  env: given = {},
  knowsUrl = false,
  log,
  ...limits
}: PlatformOptions): Promise<Platform> {
  const port = knowsUrl || limits.cpuMs !== undefined ? await freePort() : 0; // one that is killed comes back where it was
  const env = knowsUrl ? { ...given, SLUICE_URL: `http://127.0.0.1:${port}` } : given;
  const invocations: Invoked[] = [];
  let underWay = 0;
  const { tell, over } = openEnds();
  const hear = (line: string) => {
    if (!line.startsWith('{"platform":')) return log?.(line);
    const told = JSON.parse(line) as Told;
    underWay -= 1;
    tell(told);
    if (limits.cpuMs === undefined) invocations.push(told);
  };
  const start = (at: number) => startProcess({ bundle, env, limits, log: hear, over, port: at });
  let running = await start(port);
  let kills = 0;
  let last: Promise<unknown> = Promise.resolve();
  const { url } = running;

  /** Those of which CPU is limited come one after the other, so that their process' CPU is theirs. */
  function guard(cpuMs: number, path: string, init: Call | undefined): Promise<Response> {
    const answered = Promise.withResolvers<Response>();
    const ended = last.then(async () => {
      const used = await guarded(running as Guarded, isNewFor(path, limits), cpuMs, { path, init, answered }, over);
      if (used) return invocations.push(used);
      kills += 1;
      await running.close();
      running = await start(Number(new URL(url).port));
    });
    last = ended.catch(answered.reject);
    return answered.promise;
  }

  const invoke = (path: string, init?: Call) => {
    underWay += 1;
    return limits.cpuMs === undefined ? call(url + path, init) : guard(limits.cpuMs, path, init);
  };
  return {
    url,
    fetch: invoke,
    async tick() {
      const answer = await invoke(TICK, { method: 'POST' });
      if (!answer.ok) throw new Error(`the cron handler threw: ${await answer.text()}`);
    },
    invocations,
    killed: () => kills,
    areOver: () => underWay <= 0,
    async close() {
      await last;
      await running.close();
    },
  };
}

const isNewFor = (path: string, { isolates }: Limits) =>
  isolates === 'request' || (isolates === 'tick' && path === TICK);

/** One whose CPU is limited. */
type Guarded = Process & { cpu: CpuGuard };

interface Invocation {
  path: string;
  init: Call | undefined;
  answered: PromiseWithResolvers<Response>;
}

/** @returns undefined where it used up its CPU and the process is dead */
async function guarded(
  { url, cpu }: Guarded,
  isNew: boolean,
  cpuMs: number,
  { path, init, answered }: Invocation,
  over: (id: string) => Promise<Told>,
): Promise<Invoked | undefined> {
  const id = randomUUID();
  const headers = { ...init?.headers, [ID]: id, ...(isNew ? { [ISOLATE]: id } : {}) };
  await call(url + LOAD, { headers }); // on the platform too, the start of an isolate is not the invocation's
  cpu.watch(cpuMs);
  call(url + path, { ...init, headers }).then(answered.resolve, answered.reject);
  const told = await Promise.race([over(id), cpu.killed]);
  const usedMs = cpu.unwatch();
  return told && usedMs <= cpuMs ? { ...told, cpuMs: usedMs } : undefined;
}
