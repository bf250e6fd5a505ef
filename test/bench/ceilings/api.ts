/** The API of a deployment on a shard, answered in this process. */
import { createHash } from 'node:crypto';
import { reopenEngine } from '../../../src/engine/makings.ts';
import type { Engine } from '../../../src/engine.ts';
import { api } from '../../../src/http/functions.ts';
import { type AnyQueue, createSluice } from '../../../src/index.ts';
import type { Connect } from '../../../src/redis/send.ts';
import { connect } from '../../../src/redis/undici.ts';
import type { Place } from '../contender.ts';
import { SETTINGS } from '../contenders/sluice-settings.ts';

const TOKEN = 'bench';
const TOKENS = [
  { name: 'bench', sha256: createHash('sha256').update(TOKEN).digest('hex'), scopes: ['enqueue', 'receive', 'admin'] },
];
/** As many as a tick drains. */
export const TICK_DRAINS = 100;

export interface Api {
  engine: Engine;
  /** @throws Error where the answer is no success */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
}

interface ApiOptions {
  prefix: string;
  queues: AnyQueue[];
  settings?: Record<string, string>;
  connectBy?: Connect;
  clock?: () => number;
}

export function openApi(
  { emulator }: Place,
  { prefix, queues, settings, connectBy = connect, clock }: ApiOptions,
): Api {
  const env = {
    ...SETTINGS,
    SLUICE_PREFIX: prefix,
    SLUICE_DRAIN_MESSAGES: String(TICK_DRAINS),
    SLUICE_DEAD_LETTERS: '10000000',
    SLUICE_REDIS_TIMEOUT_MS: '60000',
    SLUICE_TOKENS: JSON.stringify(TOKENS),
    UPSTASH_REDIS_REST_URL: emulator.url,
    UPSTASH_REDIS_REST_TOKEN: emulator.token,
    ...settings,
  };
  const sluice = createSluice<typeof env>({ queues, functions: api });
  const engine = reopenEngine(sluice, [env], { connect: connectBy, clock });
  return {
    engine,
    async call<T>(method: string, path: string, body?: unknown) {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const request = new Request(`http://bench${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = await sluice.fetch(request, env);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${prefix}: ${method} ${path} answered ${answer.status} ${text.slice(0, 300)}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
  };
}
