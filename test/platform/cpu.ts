/**
 * The limit of CPU: an invocation that has used more is killed, and with it the process that it runs in.
 *
 * It is the CPU time of workerd's main thread, where all JavaScript runs, as the kernel counts it: time in which others
 * had the processor is not in it, so that a busy machine kills nobody early. What the thread does for HTTP is in it, some
 * 1 ms a request cold. It is looked at each millisecond, by a thread of its own: who spins may use a little more.
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export interface CpuGuard {
  /** From now on the process may use so much more, ms. */
  watch(ms: number): void;
  /** @returns what it has used since, ms: more than it might where it is killed at this very moment */
  unwatch(): number;
  /** Resolves when it was killed. */
  killed: Promise<undefined>;
  close(): Promise<number>;
}

const WATCH = `
const { readFileSync } = require('node:fs');
const { parentPort, workerData: { file, pid, until } } = require('node:worker_threads');
const most = new Float64Array(until);
const timer = setInterval(() => {
  if (Number(readFileSync(file, 'utf8').split(' ')[0]) <= most[0]) return;
  process.kill(pid, 'SIGKILL');
  clearInterval(timer);
  parentPort.postMessage('killed');
}, 1);
`;

export function guardCpu(pid: number): CpuGuard {
  const file = `/proc/${pid}/task/${pid}/schedstat`;
  const until = new SharedArrayBuffer(8);
  const most = new Float64Array(until);
  most[0] = Number.POSITIVE_INFINITY;
  const thread = new Worker(WATCH, { eval: true, workerData: { file, pid, until } });
  thread.unref();
  const { promise: killed, resolve } = Promise.withResolvers<undefined>();
  thread.once('message', () => resolve(undefined));
  let from = 0;
  return {
    watch(ms) {
      from = usedNs(file);
      most[0] = from + ms * 1e6;
    },
    unwatch() {
      most[0] = Number.POSITIVE_INFINITY;
      return (usedNs(file) - from) / 1e6;
    },
    killed,
    close: () => thread.terminate(),
  };
}

/** Of a process that is gone, more than any may. */
function usedNs(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ')[0]);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
