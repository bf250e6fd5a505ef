// A project of a user's for adapters: all routes, a queue that remembers what it is given, a source that signs, and one that takes all.
import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { tokensSetting } from '../../src/dev/stack.ts';
import { api } from '../../src/http/functions.ts';
import { route } from '../../src/http/route.ts';
import { createSluice, defineQueue, defineSource, type Message, rawBytes, type Sluice } from '../../src/index.ts';
import { github, none } from '../../src/webhooks/providers.ts';
import { type Redises, startEmbedded } from './bench.ts';

const TOKEN = 'known';
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
export const CRON_SECRET = 'a-secret-of-cron-2026';
const GITHUB_SECRET = 'a-secret-of-github';

/** All values of a byte: no text. */
export const BYTES = Uint8Array.from({ length: 256 }, (_, value) => value);

export interface Project {
  sluice: Sluice<object>;
  env: Record<string, string>;
  /** Bodies that arrived at the handler of `jobs`; of webhooks their bytes. */
  handled: unknown[];
  /** The environments that it was given. */
  environments: unknown[];
}

/** Until rejections that nobody hears have been told: it does not wait for counts of sources, which are written after 3 s. */
export const untilTold = () => new Promise<void>((resolve) => setImmediate(resolve));

const signature = (body: string) => `sha256=${createHmac('sha256', GITHUB_SECRET).update(body).digest('hex')}`;

/** The headers of a webhook of GitHub. @param body of which it has the signature */
export const githubHeaders = (body: string) => ({
  'x-hub-signature-256': signature(body),
  'x-github-delivery': `${Math.random()}`,
  'x-github-event': 'push',
  'content-type': 'application/json',
});

/** One project for each test of the file, on one embedded Redis. No rejection may go unheard: each would end the process of a user. */
export function openProjects(): () => Project {
  let redises: Redises;
  let project: Project;
  let count = 0;
  const unheard: unknown[] = [];
  const listen = (reason: unknown) => unheard.push(reason);
  beforeAll(async () => {
    redises = await startEmbedded();
    process.on('unhandledRejection', listen);
  });
  beforeEach(() => {
    project = create({
      UPSTASH_REDIS_REST_URL: redises.emulator.url,
      UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
      SLUICE_PREFIX: `adapters-${count++}`,
      SLUICE_TOKENS: tokensSetting(TOKEN),
      CRON_SECRET,
      GITHUB_SECRET,
    });
  });
  afterEach(() => expect(unheard).toEqual([]));
  afterAll(async () => {
    process.off('unhandledRejection', listen);
    await redises.stop();
  });
  return () => project;
}

function create(env: Record<string, string>): Project {
  const handled: unknown[] = [];
  const environments: unknown[] = [];
  const take = ({ body, raw }: Message<unknown>, { env: given }: { env: unknown }) => {
    handled.push(raw ? Buffer.from(rawBytes(raw)) : body);
    environments.push(given);
  };
  const jobs = defineQueue('jobs', { handler: take });
  const sources = [
    defineSource('github', { provider: github, secret: 'GITHUB_SECRET', route: jobs }),
    defineSource('open', { provider: none, route: jobs }),
  ];
  const careless = route('POST /careless', {}, (c) => {
    c.executionCtx.waitUntil(Promise.reject(new RangeError('nobody may read this')));
    return {};
  });
  const bytes = route('GET /bytes', {}, () => new Response(BYTES, { headers: { 'content-type': 'image/x-none' } }));
  const sluice = createSluice({ queues: [jobs], sources, functions: [...api, bytes, careless] });
  return { sluice, env, handled, environments };
}
