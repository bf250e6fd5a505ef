/**
 * Rehearsal: what the first request or tick of an isolate runs is run while the Worker is loaded, with no storage and no caller.
 * Code is compiled when it runs first, and that is most of what such a request costs: of its CPU time Workers Free has 10 ms,
 * and loading has a second of its own. `npm run check -- cpu` measures it.
 *
 * While a Worker is loaded there are no timers, no chance, no network and no answers: an act ends there, unheard.
 */

import { enqueueInputs } from './broker/producer.ts';
import { openBudget } from './drain/budget.ts';
import { planLife } from './drain/life.ts';
import { drain } from './drain/loop.ts';
import type { App } from './http/app.ts';
import { PUSH_POOL } from './message/lane.ts';
import { type AnyQueue, defineQueue } from './queue/queue.ts';
import { enqueue } from './redis/lua/generated.ts';
import { openShard, type Shard } from './redis/shard.ts';
import { FLOATING } from './runtime/wait-until.ts';
import { openStore } from './store/store.ts';
import { ANYBODYS } from './store/sweep.ts';

/** What a Worker is: an engine for its bindings, and what answers requests. */
interface Worker {
  open(env: object): unknown;
  app: App;
}

/** One message is done at once, and for the other a drain has to wait. */
const queue = defineQueue('rehearsal', { handler: ({ id }) => (id === 'first' ? undefined : Promise.resolve()) });
const queues = new Map<string, AnyQueue>([[queue.name, queue]]);

/** What storage would say, script by script. */
const synced = (id: string, statuses: string) => {
  const envelope = '5:rehearsal * 5 0 0\n{"body":{},"headers":{}}';
  return ['0', '', '0', statuses, `1.${id}`, [envelope], '0', [], [], [], '0', '', ''];
};
const makeReplies = (): Record<string, unknown[][]> => ({
  sync: [synced('first', ''), synced('second', 'acked')],
  sweep: [['0', '', '0', '0', '0', '0', '0', [], [], '0', '1', '-', '0']],
});
const NOTHING = ['0', '', '0', 'acked', '', [], '0', [], [], [], '0', '', ''];

/** It makes the digests of scripts, as any other does. */
function shardOfNone(): Shard {
  const replies = makeReplies();
  const shard = (reply: unknown) => openShard({ send: async () => reply, prefix: queue.name });
  const run: Shard['run'] = (script, ...call) => shard(replies[script.name]?.shift() ?? NOTHING).run(script, ...call);
  return { ...shard(NOTHING), run };
}

/** Settings of no deployment, and a caller who is not let in: whether he may ask again is never answered. */
const NOWHERE = {
  UPSTASH_REDIS_REST_URL: 'http://localhost',
  UPSTASH_REDIS_REST_TOKEN: '-',
  SLUICE_TOKENS: [{ name: '-', sha256: '0'.repeat(64), scopes: ['enqueue'] }],
  RATE_LIMITER: { limit: () => new Promise(() => {}) },
};

/** Going through the routes is a part of it. Where this one is not served its caller would be answered: that cannot be yet, and is logged. */
function request(app: App, method: string, path: string): void {
  const [served] = app.router.match(method, path);
  const headers = new Headers({ authorization: 'Bearer -' }); // not beside this function: Node would load its fetch for it
  const made = { method, url: `http://localhost${path}`, headers }; // a real one cannot be made yet
  if (served.length > 0) unheard(() => app.fetch(made as Request, NOWHERE, FLOATING as Parameters<App['fetch']>[2]));
}

const unheard = (act: () => unknown) => void (async () => act())().catch(() => {});

export function rehearse(deployed: Iterable<AnyQueue>, { open, app }: Worker): void {
  const shard = shardOfNone();
  const store = openStore(shard, { queues: [queue] });
  const life = { ...planLife(1_000, []), requests: 9, requestsPerDelivery: 1, messages: 9 };
  const means = {
    env: {},
    budget: openBudget(life, Date.now),
    concurrency: 2,
    connections: 2,
    batch: 1,
    leaseMs: 1_000,
  };
  unheard(() => {
    open(NOWHERE); // throws where these settings do not do for the queues: then no request is needed
    request(app, 'GET', '/v1/queues');
    request(app, 'POST', '/v1/queues/-/messages');
  });
  unheard(() => store.sweep(PUSH_POOL, { cursor: ANYBODYS, note: true }));
  unheard(() => enqueueInputs(store, queues, [{ queue, body: {}, options: {}, path: '' }]));
  unheard(() => shard.run<string[], string[]>(enqueue, [], []));
  unheard(() => drain({ shards: [{ name: '', store }], pool: PUSH_POOL, queues, ...means, lease: queue.name }));
  for (const { schema } of deployed) unheard(() => schema?.['~standard'].validate({}));
  unheard(collectNow);
}

/** Arrays of 2 KB: more than fits into what V8 collects often. */
const THROWN_AWAY = 2_000;

/**
 * What was made so far is live for the most part. A collection that is due would copy it within the first request, which takes about as
 * long as all else there: it is done before, because so much is thrown away at once.
 */
async function collectNow(): Promise<void> {
  await crypto.subtle.digest('SHA-256', new Uint8Array(1)); // behind the other acts, which wait for digests too
  for (let kept: number[] = [], i = 0; i < THROWN_AWAY; i++) kept = new Array(256).fill(kept.length);
}
