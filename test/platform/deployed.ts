// The deployed bundle in the box, on an emulator, for a whole test file.
import { afterAll, beforeAll } from 'vitest';
import { type Outbox, startOutbox } from '../../examples/demo/outbox.ts';
import { type Stack, type StackOptions, startStack } from '../../src/dev/stack.ts';
import { builtOnce } from '../support/built-once.ts';
import type { Call } from './caller.ts';
import type { Limits } from './limits.ts';
import { openPlatform, type Platform } from './platform.ts';

export interface Boxed {
  stack: Stack;
  platform: Platform;
  outbox: Outbox;
  /** What the Worker logged. */
  logs: string[];
  /** A request with the stack's token and a body of JSON: a POST, unless it says otherwise. */
  call(path: string, body?: unknown, init?: Call): Promise<Response>;
}

interface BoxOptions extends StackOptions {
  /** Whether a first delivery is refused by the outbox. */
  fails?: (id: string) => boolean;
  knowsUrl?: boolean;
}

export function boxed(limits: Limits, options: BoxOptions = {}): () => Boxed {
  let box: Boxed;
  beforeAll(async () => {
    box = await openBox(limits, options);
  }, 60_000);
  afterAll(() => closeBox(box));
  return () => box;
}

async function openBox(
  limits: Limits,
  { fails = () => false, knowsUrl = false, ...options }: BoxOptions,
): Promise<Boxed> {
  const logs: string[] = [];
  const outbox = await startOutbox(fails);
  const bundle = options.bundle ?? (await builtOnce());
  const env = { OUTBOX_URL: outbox.url, SLUICE_DRAIN_REQUESTS: '45', ...options.env };
  const stack = await startStack({ ...options, bundle, env });
  const log = (line: string) => logs.push(line);
  const platform = await openPlatform({ ...limits, bundle, env: stack.env, knowsUrl, log });
  const authorization = `Bearer ${stack.token}`;
  const call: Boxed['call'] = (path, body, init) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return platform.fetch(path, { method: 'POST', ...sent, ...init, headers: { authorization, ...init?.headers } });
  };
  return { stack, platform, outbox, logs, call };
}

async function closeBox({ platform, stack, outbox }: Boxed): Promise<void> {
  await platform.close();
  await stack.close();
  await outbox.close();
}
