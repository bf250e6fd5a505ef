/** Measuring scenes: CPU of a fresh isolate and of one that has served, each less what a trivial Worker needs for as many fetches. */

import { type Outbox, startOutbox } from '../../examples/demo/outbox.ts';
import { type Bundle, buildBundle } from '../../src/dev/bundle.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { createSluice, defineQueue, type Producer } from '../../src/index.ts';
import { MAIL, type Scene, WEBHOOK_SECRET } from './scenes.ts';
import { startWorkerd, type Workerd } from './workerd.ts';

/** CPU, ms, and how many fetches were made. */
export interface Sample {
  cold: number;
  warm: number;
  fetches: number;
}

export interface Site {
  bundle: Bundle;
  stack: Stack;
  outbox: Outbox;
  env: Record<string, string>;
  /** Enqueues, and wakes nobody. */
  producer: Producer;
  /** Sees to it that a tick has nothing to do. */
  settle(): Promise<void>;
}

/** As the Worker has it, but for its handler. */
const waiting = defineQueue('notification.email', { kind: 'push' });

const ENTRY = 'entry.js';

/** Cron ticks come over HTTP; everything else is the Worker's. */
const sluiceIn = ({ mainModule, modules }: Bundle): Bundle => ({
  mainModule: ENTRY,
  modules: {
    ...modules,
    [ENTRY]: {
      type: 'esm',
      contents: `import worker from './${mainModule}';
export default {
  async fetch(request, env, context) {
    if (!request.url.endsWith('/tick')) return worker.fetch(request, env, context);
    await worker.scheduled(undefined, env, context);
    return new Response();
  },
};`,
    },
  },
});

/** As many syncs with storage as its path says, one after another, and nothing else. */
const TRIVIAL: Bundle = {
  mainModule: ENTRY,
  modules: {
    [ENTRY]: {
      type: 'esm',
      contents: `export default {
  async fetch(request, env) {
    const headers = { authorization: 'Bearer ' + env.UPSTASH_REDIS_REST_TOKEN };
    await request.text();
    for (let left = Number(new URL(request.url).pathname.slice(1)); left > 0; left--) {
      const answer = await fetch(env.UPSTASH_REDIS_REST_URL, { method: 'POST', headers, body: '["PING"]' });
      await answer.text();
    }
    return new Response('{}');
  },
};`,
    },
  },
};

export async function openSite(): Promise<Site & { close(): Promise<void> }> {
  const [bundle, outbox] = [await buildBundle(), await startOutbox(() => false)];
  const settings = { OUTBOX_URL: outbox.url, GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET, SLUICE_DRAIN_REQUESTS: '45' };
  const stack = await startStack({ redis: 'auto', bundle, env: settings });
  const other = await startWorkerd(sluiceIn(bundle), stack.env);
  const producer = createSluice({ queues: [waiting] }).producer(stack.env);
  return {
    bundle,
    stack,
    outbox,
    env: stack.env,
    producer,
    async settle() {
      for (let tick = 0; tick < 3; tick++) await (await fetch(`${other.url}/tick`)).text();
    },
    async close() {
      await other.close();
      await stack.close();
      await outbox.close();
    },
  };
}

/** Twice in one isolate that has served nothing before: the first is cold. */
export async function sampleOf(site: Site, scene: Scene): Promise<Sample> {
  const workerd = await startWorkerd(sluiceIn(site.bundle), site.env);
  return twice(workerd, () => spent(site, workerd, scene));
}

/** The same of the trivial Worker. */
export async function trivialSampleOf(site: Site, fetches: number): Promise<Sample> {
  const workerd = await startWorkerd(TRIVIAL, site.env);
  const scene: Scene = { name: 'trivial', path: `/${fetches}`, deliveries: 0 };
  return twice(workerd, () => spent(site, workerd, scene));
}

async function twice(workerd: Workerd, run: () => Promise<Spent>): Promise<Sample> {
  try {
    const [cold, warm] = [await run(), await run()];
    return { cold: cold.ms, warm: warm.ms, fetches: cold.fetches };
  } finally {
    await workerd.close();
  }
}

interface Spent {
  ms: number;
  fetches: number;
}

async function spent({ stack, outbox, producer, settle }: Site, workerd: Workerd, scene: Scene): Promise<Spent> {
  await settle();
  const messages = Array.from({ length: scene.waiting ?? 0 }, () => ({ queue: waiting, body: MAIL }));
  if (messages.length > 0) await producer.enqueueMany(messages);
  const before = {
    cpu: await workerd.cpuMs(),
    requests: stack.emulator.requests(),
    delivered: outbox.deliveries.length,
  };
  const { headers, ...init } = scene.init?.() ?? {};
  const authorization = `Bearer ${stack.token}`;
  const answer = await fetch(workerd.url + scene.path, {
    ...init,
    headers: { authorization, connection: 'close', ...headers },
  });
  await answer.text();
  const expected = before.delivered + scene.deliveries;
  const cpu = await restOf(workerd, () => outbox.deliveries.length >= expected);
  if (!answer.ok && answer.status !== 404) throw new Error(`${scene.name}: ${answer.status}`);
  const fetches = stack.emulator.requests() - before.requests + outbox.deliveries.length - before.delivered;
  return { ms: cpu - before.cpu, fetches };
}

/** Nothing has run for so long: it is over. */
const REST_MS = 60;
const MOST_MS = 20_000;

/** @returns CPU time so far, when it has come to rest */
async function restOf(workerd: Workerd, isDone: () => boolean): Promise<number> {
  const end = Date.now() + MOST_MS;
  for (let last = -1; ; ) {
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const cpu = await workerd.cpuMs();
    if (cpu === last && isDone()) return cpu;
    if (Date.now() > end) throw new Error('it does not come to rest');
    last = cpu;
  }
}
