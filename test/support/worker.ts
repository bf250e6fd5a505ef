// The deployed bundle in workerd, on an emulator, for a whole test file.
import { afterAll, beforeAll } from 'vitest';
import { type Outbox, startOutbox } from '../../examples/demo/outbox.ts';
import type { EmulatorOptions } from '../../src/dev/emulator/server.ts';
import { type Stack, type StackOptions, startStack } from '../../src/dev/stack.ts';
import type { LocalWorker } from '../../src/dev/worker.ts';
import { builtOnce } from './built-once.ts';
import { steadyNow } from './steady-clock.ts';

export interface Deployed {
  stack: Stack;
  worker: LocalWorker;
  outbox: Outbox;
  /** What the Worker logged. */
  logs: string[];
  /** A request with the stack's token, unless other headers are given. */
  call(path: string, init?: CallOptions): Promise<Response>;
}

export interface CallOptions {
  method?: string;
  body?: unknown;
  /** Sent as it is instead of `body`. */
  raw?: string;
  headers?: Record<string, string>;
  token?: string | null;
}

export function deploy(options: StackOptions & { emulator?: Partial<EmulatorOptions> } = {}): () => Deployed {
  let deployed: Deployed;
  beforeAll(async () => {
    const logs: string[] = [];
    const outbox = await startOutbox(() => false);
    // Storage is in this process, and the machine may stand still for seconds.
    const env = { OUTBOX_URL: outbox.url, SLUICE_REDIS_TIMEOUT_MS: '10000', ...options.env };
    const bundle = options.bundle ?? (await builtOnce());
    const stack = await startStack({ ...options, bundle, env, log: (line) => logs.push(line) });
    const worker = await stack.startWorker();
    deployed = { stack, worker, outbox, logs, call: (path, init) => call(worker, stack, path, init) };
  }, 60_000);
  afterAll(async () => {
    await deployed.stack.close();
    await deployed.outbox.close();
  });
  return () => deployed;
}

function call(worker: LocalWorker, stack: Stack, path: string, init: CallOptions = {}): Promise<Response> {
  const {
    method = 'POST',
    body,
    raw = body === undefined ? undefined : JSON.stringify(body),
    token = stack.token,
  } = init;
  const headers = { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...init.headers };
  return send(worker.url + path, { method, headers, ...(raw === undefined ? {} : { body: raw }) });
}

/** A refusal may come, and the connection close, while a large body is still on its way: what was said is lost then. */
async function send(url: string, init: RequestInit, repeats = 20): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (code !== 'EPIPE' || repeats === 0) throw error;
    return send(url, init, repeats - 1);
  }
}

/** Polls until it holds. Time in which the process stands still does not count. @throws Error that says what did not come true */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> {
  const end = steadyNow() + withinMs;
  while (!(await holds())) {
    if (steadyNow() > end) throw new Error(`it did not happen within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
