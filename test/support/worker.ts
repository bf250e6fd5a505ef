// The deployed bundle in workerd, on an emulator, for a whole test file.
import { afterAll, beforeAll } from 'vitest';
import { type Outbox, startOutbox } from '../../src/local/demo/outbox.ts';
import type { EmulatorOptions } from '../../src/local/emulator/server.ts';
import { type Stack, type StackOptions, startStack } from '../../src/local/stack.ts';
import type { LocalWorker } from '../../src/local/worker.ts';

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
    const env = { OUTBOX_URL: outbox.url, ...options.env };
    const stack = await startStack({ ...options, env, log: (line) => logs.push(line) });
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
  return fetch(worker.url + path, { method, headers, ...(raw === undefined ? {} : { body: raw }) });
}

/** Polls until it holds. @throws Error that says what did not come true */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it did not happen within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
