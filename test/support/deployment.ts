// A deployment in this process, on the shard of a bench, as its platform calls it: requests, with what runs behind their answers.

import { tokensSetting } from '../../src/dev/stack.ts';
import { api } from '../../src/http/functions.ts';
import { type AnyQueue, createSluice, type Sluice } from '../../src/index.ts';
import type { FetchContext } from '../../src/runtime/wait-until.ts';
import type { Bench } from './bench.ts';

const TOKEN = 'local';

export interface Deployment {
  sluice: Sluice<object>;
  env: object;
  /** That of another invocation each time it is read: what requests keep alive behind their answers. */
  readonly context: FetchContext;
  /** How often a request has kept something alive: each wake of a drain does. */
  kept(): number;
  /** All of that has ended. */
  settled(): Promise<void>;
  call<Answer = unknown>(method: string, path: string, body?: unknown): Promise<Answer>;
  /** On the books as alive. @returns the ids */
  enqueue(queue: string, messages: object[]): Promise<string[]>;
}

/** The platform's class has this name, and each invocation one of its own. */
class ExecutionContext {
  readonly #kept: Promise<unknown>[];
  constructor(kept: Promise<unknown>[]) {
    this.#kept = kept;
  }
  waitUntil(promise: Promise<unknown>): void {
    this.#kept.push(promise);
  }
}

export function deploymentOn(b: Bench, queues: AnyQueue[], settings: Record<string, unknown> = {}): Deployment {
  const env = {
    UPSTASH_REDIS_REST_URL: b.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token,
    SLUICE_PREFIX: b.prefix,
    SLUICE_DRAIN_REQUESTS: '45', // as on Workers Free
    SLUICE_TOKENS: tokensSetting(TOKEN),
    ...settings,
  };
  const sluice = createSluice({ queues, functions: api });
  const kept: Promise<unknown>[] = [];
  const newContext = (): FetchContext => new ExecutionContext(kept);
  const call = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const init = { method, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' } };
    const request = new Request(`https://sluice.example${path}`, {
      ...init,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const response = await sluice.fetch(request, env, newContext());
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  return {
    sluice,
    env,
    get context() {
      return newContext();
    },
    kept: () => kept.length,
    async settled() {
      for (let known = -1; known < kept.length; ) {
        known = kept.length;
        await Promise.all(kept);
      }
    },
    call,
    async enqueue(queue, messages) {
      const { messages: receipts } = await call<{ messages: { id: string; state: string }[] }>('POST', '/v1/messages', {
        messages: messages.map((message) => ({ queue, ...message })),
      });
      for (const { id, state } of receipts) {
        b.alive.add(id);
        if (state === 'delayed') b.unordered.add(id);
      }
      return receipts.map(({ id }) => id);
    },
  };
}
