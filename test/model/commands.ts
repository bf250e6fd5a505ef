// The commands that fast-check strings together: each does one thing to the store and to the model, and compares.
import fc from 'fast-check';
import { expect } from 'vitest';
import { newToken, parseEntry } from '../../src/message/ids.ts';
import { formatLane, parseLane } from '../../src/message/lane.ts';
import type { Priority } from '../../src/message/message.ts';
import type { Outcome, Settlement } from '../../src/store/encode-settlements.ts';
import type { EnqueueRequest } from '../../src/store/enqueue.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import type { Bench } from '../support/bench.ts';
import type { Shard } from '../support/shard.ts';
import { counts, served } from './limits.ts';
import { cancel, enqueue, fire, type Model, purge, redrive, sync, take } from './model.ts';

export const QUEUES = ['mail', 'news'];

/** Of a queue; the words of limits.lua. */
export const POLICIES = [
  '',
  'c=1',
  'c=2',
  'gc=1',
  'c=2 gc=1',
  'o',
  'b',
  'c=2 o',
  'r=2/1000',
  'gr=1/3000',
  'c=1 gr=1/3000',
  'c=2 r=3/3000 gc=1',
  'c=3 q=1 w=g:2',
];

/** The store, and what its callers remember. */
export interface Real {
  bench: Bench;
  consumers: { lease: string; held: string[] }[];
  /** Every entry ever given out, for whoever comes late. */
  seen: string[];
  ids: string[];
  lastEnqueue?: EnqueueRequest;
  leases: number;
}

/** From now on the deployment has these policies. */
export function deploy(model: Model, { bench }: Real, policies: Record<string, string>): void {
  model.policies = policies;
  bench.deploy(...QUEUES.map((name) => ({ name, pool: '*', policy: policies[name] ?? '' })));
}

export function newReal(bench: Bench): Real {
  return { bench, consumers: [0, 1, 2].map((n) => ({ lease: `c${n}`, held: [] })), seen: [], ids: [], leases: 3 };
}

type Step = fc.AsyncCommand<Model, Real>;

const STEP_MS = 1 / 16;

function step(name: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real);
      await expectSame(model, real);
      // The next call comes later, if only by a part of a ms.
      model.now += STEP_MS;
      real.bench.now += STEP_MS;
    },
    toString: () => name,
  };
}

const inWholeMs = (instants: Record<string, number>) =>
  Object.fromEntries(Object.entries(instants).map(([entry, at]) => [entry, Math.floor(at)]));

/** Everything the shard holds, against the model. */
async function expectSame(model: Model, { bench }: Real): Promise<void> {
  const shard = await bench.shard();
  const filled = (lists: Record<string, string[]>) =>
    Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
  const delayed = Object.entries(shard.timers).flatMap(([member, due]) =>
    /^[mh] /.test(member) ? [[member.split(' ')[3], due]] : [],
  );
  const dead = Object.entries(shard.dead).flatMap(([queue, letters]) =>
    Object.keys(letters).map((entry) => [entry, queue]),
  );
  expect(shard.lanes).toEqual(filled(model.lanes));
  expect(shard.leases).toEqual(filled(model.leases));
  expect(Object.fromEntries(delayed)).toEqual(inWholeMs(model.delayed));
  expect(Object.fromEntries(dead)).toEqual(model.dead);
  expect(Object.keys(shard.envelopes).toSorted()).toEqual(Object.keys(model.envelopes).toSorted());
  expect(shard.slots).toEqual(counts(model));
  expect(besides(shard, 'dedup')).toEqual(model.dedups);
  const followed = Object.entries(model.envelopes).filter(
    ([, { callbacks, cancelled }]) => callbacks.length > 0 && !cancelled,
  );
  expect(Object.keys(besides(shard, 'callbacks')).toSorted()).toEqual(followed.map(([id]) => id).toSorted());
  bench.alive.clear();
  for (const [id, { cancelled }] of Object.entries(model.envelopes)) if (!cancelled) bench.alive.add(id);
  for (const id of Object.keys(model.envelopes)) bench.unordered.add(id); // the model has compared the order itself
  expect(await bench.violations()).toEqual([]);
}

/** Keys of one kind, by the rest of their names. */
function besides({ rest }: Shard, kind: string): Record<string, string> {
  const keys = Object.entries(rest).filter(([name]) => name.startsWith(`${kind}:`));
  return Object.fromEntries(keys.map(([name, value]) => [name.slice(kind.length + 1), value]));
}

/** One sync of a consumer, judged; `replayed` sends it twice and goes by the second answer, as after a lost reply. */
async function doSync(
  model: Model,
  real: Real,
  request: SyncRequest,
  consumer: Real['consumers'][0],
  replayed: boolean,
) {
  if (replayed) await judged(model, real, request);
  const answer = await judged(model, real, request);
  const settled = new Set(request.settlements.map(({ entry }) => entry));
  consumer.held = consumer.held.filter((entry) => !settled.has(entry));
  if (answer.lost) {
    consumer.held = [];
    consumer.lease = `c${real.leases++}`;
  }
  consumer.held.unshift(...answer.taken.map(({ entry }) => entry).toReversed());
}

async function judged(model: Model, real: Real, request: SyncRequest) {
  const expected = sync(model, request);
  const answer = await real.bench.store.sync(request);
  const taken = answer.taken.map(({ entry }) => entry);
  const fresh = taken.slice(expected.inTransit.length);
  expect({ lost: answer.lost, statuses: answer.statuses }).toEqual({
    lost: expected.lost,
    statuses: expected.statuses,
  });
  expect(taken.slice(0, expected.inTransit.length)).toEqual(expected.inTransit);
  expect(answer.cancelled.toSorted()).toEqual(expected.cancelled.toSorted());
  if (model.loosened.size === 0) expect(fresh).toHaveLength(expected.fresh);
  expect(fresh.length).toBeLessThanOrEqual(expected.fresh);
  expect(take(model, request.lease, fresh)).toEqual([]);
  if ((model.leases[request.lease] ?? []).length === 0) {
    delete model.leases[request.lease];
    delete model.expiries[request.lease];
  }
  real.seen.push(...taken);
  return answer;
}

const pick = <T>(list: T[], n: number): T | undefined => list[n % Math.max(1, list.length)];
const nat = fc.nat({ max: 1_000 });
const queue = fc.constantFrom(...QUEUES);
const outcome = fc.constantFrom<Outcome>('ack', 'retry', 'dead', 'release');
const delay = fc.constantFrom(0, 0, 500, 3_000);

const enqueueStep = fc
  .record({
    queue,
    priority: fc.constantFrom(0, 5),
    group: fc.constantFrom(undefined, 'g', 'h'),
    count: fc.integer({ min: 1, max: 4 }),
    delayMs: delay,
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    callbacks: fc.constantFrom<('done' | 'dead')[]>([], [], ['done'], ['dead', 'done']),
  })
  .map((r) =>
    step(`enqueue ${JSON.stringify(r)}`, async (model, real) => {
      const options = {
        priority: r.priority as Priority,
        delayMs: r.delayMs,
        maxAttempts: r.maxAttempts,
        ...(r.group ? { group: r.group } : {}),
        ...(r.callbacks.length > 0
          ? { callbacks: r.callbacks.map((on) => ({ on, message: callbackOf(real, on) })) }
          : {}),
      };
      const messages = Array.from({ length: r.count }, (_, i) => real.bench.message(r.queue, i, options));
      const request = { messages, token: `t${real.ids.length}`, fingerprint: 'f', recognisedMs: 600_000 };
      const { ids } = await real.bench.store.enqueue(request);
      real.lastEnqueue = request;
      real.ids.push(...ids);
      const lane = formatLane(r.priority as Priority, r.queue, r.group);
      const callbacks = r.callbacks.map((on) => ({ on, lane: callbackOf(real, on).lane, delayMs: 0 }));
      for (const id of ids) enqueue(model, id, { lane, delayMs: r.delayMs, maxAttempts: r.maxAttempts, callbacks });
    }),
  );

/** What follows on either end, and what is chained, may be in one lane: there it shows which comes first. */
const FOLLOWS = { priority: 0, group: 'h' } as const;
const callbackOf = ({ bench }: Real, on: 'done' | 'dead') => bench.message('news', on, FOLLOWS);

const DIGEST = 'd'.repeat(22);

const keyedStep = fc
  .record({
    queue,
    mode: fc.constantFrom('debounce', 'debounce', 'replace'),
    priority: fc.constantFrom(0, 5),
    group: fc.constantFrom(undefined, 'g'),
    delayMs: delay,
    release: fc.boolean(),
    callbacks: fc.constantFrom<('done' | 'dead')[]>([], [], ['done', 'dead']),
  })
  .map((r) =>
    step(`${r.mode} ${JSON.stringify(r)}`, async (model, real) => {
      const dedup = { digest: DIGEST, windowMs: 3_600_000, mode: r.mode, release: r.release } as const;
      const message = real.bench.message(r.queue, 0, {
        priority: r.priority as Priority,
        delayMs: r.delayMs,
        dedup,
        ...(r.group ? { group: r.group } : {}),
        ...(r.callbacks.length > 0
          ? { callbacks: r.callbacks.map((on) => ({ on, message: callbackOf(real, on) })) }
          : {}),
      });
      const { ids, duplicates } = await real.bench.store.enqueue({ messages: [message] });
      const [id = ''] = ids;
      const first = enqueue(model, id, {
        lane: message.lane,
        delayMs: r.delayMs,
        maxAttempts: 5,
        callbacks: r.callbacks.map((on) => ({ on, lane: callbackOf(real, on).lane, delayMs: 0 })),
        dedup: { key: `${r.queue}:${DIGEST}`, release: r.release, replaces: r.mode === 'replace' },
      });
      expect(duplicates.get(0)?.id).toBe(first);
      if (!first) real.ids.push(id);
    }),
  );

/** The caller of this one begins a drain with what it brings, where nothing would go before that. */
const handOffStep = fc
  .record({
    queue,
    priority: fc.constantFrom(0, 5),
    group: fc.constantFrom(undefined, 'g'),
    count: fc.integer({ min: 1, max: 4 }),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    callbacks: fc.constantFrom<('done' | 'dead')[]>([], ['done'], ['dead', 'done']),
    consumer: fc.nat({ max: 2 }),
    answer: fc.constantFrom('comes', 'comes', 'is lost', 'finds nobody'),
  })
  .map((r) =>
    step(`hand off ${JSON.stringify(r)}`, async (model, real) => {
      if ((model.policies[r.queue] ?? '') !== '') return; // turns are taken: its caller does not ask
      const { bench } = real;
      await bench.redises.raw.del(`${bench.root}awake`);
      const lane = formatLane(r.priority as Priority, r.queue, r.group);
      const followed = r.callbacks.map((on) => ({ on, message: callbackOf(real, on) }));
      const { maxAttempts } = r;
      const options = { priority: r.priority as Priority, maxAttempts, ...(r.group ? { group: r.group } : {}) };
      const messages = Array.from({ length: r.count }, (_, i) =>
        bench.message(r.queue, i, { ...options, ...(followed.length > 0 ? { callbacks: followed } : {}) }),
      );
      const lease = `c${real.leases++}`;
      const request = { messages, token: `t${real.ids.length}`, fingerprint: 'f', recognisedMs: 600_000 };
      const before = await bench.shard();
      const ahead = waiting(model);
      const { ids, handOff } = await bench.store.enqueue({ ...request, handOff: { lease, leaseMs: 10_000, most: 5 } });
      real.lastEnqueue = { ...request, handOff: { lease: `c${real.leases++}`, leaseMs: 10_000, most: 5 } };
      real.ids.push(...ids);
      const callbacks = r.callbacks.map((on) => ({ on, lane: callbackOf(real, on).lane, delayMs: 0 }));
      for (const id of ids) enqueue(model, id, { lane, delayMs: 0, maxAttempts, callbacks });
      expect(handOff !== undefined, 'handed off').toBe(isIdle(before, bench.now, r.queue));
      if (!handOff) return;
      expect(ahead, 'what would have gone before it').toEqual([]);
      const taken = (handOff.taken ?? []).map(({ entry }) => entry);
      expect(taken).toEqual(ids.map((id) => `1.${id}`));
      expect(take(model, lease, taken)).toEqual([]);
      model.expiries[lease] = model.now + 10_000;
      if (r.answer === 'comes') real.seen.push(...taken);
      if (r.answer !== 'finds nobody')
        real.consumers[r.consumer] = { lease, held: r.answer === 'comes' ? taken.toReversed() : [] };
    }),
  );

/** Nothing is ready, paused or due, and nothing of the queue is blocked. */
const isIdle = ({ ready, blocked, timers }: Shard, now: number, name: string) =>
  Object.keys(ready).length === 0 && !(name in blocked) && Object.values(timers).every((due) => Math.floor(due) > now);

/** What may be taken now, or when it has been fired; and queues of which operators hold something back. */
function waiting(model: Model): string[] {
  const leased = Object.entries(model.expiries).filter(([lease]) => (model.leases[lease] ?? []).length > 0);
  const due = [...Object.entries(model.delayed), ...leased].filter(([, at]) => Math.floor(at) <= model.now);
  const ready = served(model).filter((lane) => !model.loosened.has(parseLane(lane).queue));
  return [...due.map(([name]) => name), ...ready, ...model.paused];
}

const replayStep = fc.constant(
  step('replay the last enqueue', async (_, real) => {
    if (real.lastEnqueue) expect((await real.bench.store.enqueue(real.lastEnqueue)).replayed).toBe(true);
  }),
);

const syncStep = fc
  .record({
    consumer: fc.nat({ max: 2 }),
    want: fc.integer({ min: 0, max: 4 }),
    settle: fc.array(fc.tuple(nat, outcome, delay), { maxLength: 3 }),
    chained: fc.constantFrom(undefined, undefined, 'g', 'h'),
    replayed: fc.boolean(),
  })
  .map((r) =>
    step(`sync ${JSON.stringify(r)}`, async (model, real) => {
      const consumer = real.consumers[r.consumer];
      if (!consumer) return;
      const settlements = new Map<string, Settlement>();
      for (const [n, what, delayMs] of r.settle) {
        const entry = pick(consumer.held, n);
        if (entry) settlements.set(entry, { entry, outcome: what, delayMs, failure: { kind: 'failed', text: 'x' } });
        if (entry && what === 'ack') settlements.set(entry, { entry, outcome: what, ...withAck(real, r.chained) });
      }
      const held = consumer.held.length - settlements.size;
      const request = {
        lease: consumer.lease,
        leaseMs: 10_000,
        held,
        want: r.want,
        pools: ['*'],
        settlements: [...settlements.values()],
      };
      await doSync(model, real, request, consumer, r.replayed);
    }),
  );

/** What a handler gives with its ack: what is kept, and what it enqueued. */
function withAck(real: Real, group: string | undefined): Pick<Settlement, 'result' | 'chained'> {
  if (!group) return { result: 'null' };
  const id = newToken();
  real.ids.push(id);
  return { result: 'null', chained: [{ id, ...real.bench.message('news', 'chained', { ...FOLLOWS, group }) }] };
}

const staleStep = fc.record({ n: nat, outcome, delayMs: delay }).map((r) =>
  step(`settle late ${JSON.stringify(r)}`, async (model, real) => {
    const entry = pick(real.seen, r.n);
    if (!entry) return;
    const settlements = [{ entry, outcome: r.outcome, delayMs: r.delayMs }];
    await judged(model, real, { lease: 'late', leaseMs: 10_000, held: 0, want: 0, pools: ['*'], settlements });
  }),
);

const advanceStep = fc.constantFrom(1, 499, 500, 3_000, 9_999, 10_000, 60_000).map((ms) =>
  step(`advance ${ms} ms`, async (model, real) => {
    model.now += ms;
    real.bench.now += ms;
  }),
);

const sweepStep = fc.constant(
  step('sweep', async (model, real) => {
    fire(model);
    await real.bench.store.sweep('*', { cursor: '0' });
  }),
);

const cancelStep = nat.map((n) =>
  step(`cancel ${n}`, async (model, real) => {
    const id = pick(real.ids, n);
    if (id) expect(await real.bench.adminStore().cancel(id)).toBe(cancel(model, id));
  }),
);

const redriveStep = fc.record({ queue, n: nat }).map((r) =>
  step(`redrive ${JSON.stringify(r)}`, async (model, real) => {
    const dead = Object.keys(model.dead).map((entry) => parseEntry(entry).id);
    const id = pick([...dead, ...real.ids], r.n);
    if (id) expect(await real.bench.adminStore().redrive(r.queue, [id])).toEqual([redrive(model, r.queue, id)]);
    model.now += 1; // what follows on a death is named by its instant: one dies once in a millisecond
    real.bench.now += 1;
  }),
);

const pauseStep = fc.record({ queue, paused: fc.boolean() }).map((r) =>
  step(`${r.paused ? 'pause' : 'resume'} ${r.queue}`, async (model, real) => {
    const adminStore = real.bench.adminStore();
    if (r.paused) model.paused.add(r.queue);
    else model.paused.delete(r.queue);
    await (r.paused ? adminStore.pause(r.queue, '*') : adminStore.resume(r.queue, '*'));
  }),
);

const limitStep = fc
  .record({ queue, c: fc.constantFrom(undefined, '', ' c=1', ' c=3'), r: fc.constantFrom(undefined, '', ' r=2/3000') })
  .map((r) =>
    step(`limit ${JSON.stringify(r)}`, async (model, real) => {
      const limits = {
        ...(r.c === undefined ? {} : { concurrency: r.c }),
        ...(r.r === undefined ? {} : { rate: r.r }),
      };
      await real.bench.adminStore().limit(r.queue, '*', limits);
      model.overrides[r.queue] = {
        ...model.overrides[r.queue],
        ...(r.c === undefined ? {} : { c: r.c }),
        ...(r.r === undefined ? {} : { r: r.r }),
      };
    }),
  );

const purgeStep = queue.map((name) =>
  step(`purge ${name}`, async (model, real) => {
    purge(model, name);
    for (let cursor = '0', more = true; more; ) {
      const purged = await real.bench.adminStore().purge(name, ['ready', 'delayed', 'dead'], cursor);
      ({ cursor, more } = purged);
    }
  }),
);

const deployStep = fc
  .record({ mail: fc.constantFrom(...POLICIES), news: fc.constantFrom(...POLICIES) })
  .map((policies) =>
    step(`deploy ${JSON.stringify(policies)}`, async (model, real) => {
      for (const name of QUEUES) model.loosened.add(name);
      deploy(model, real, policies);
    }),
  );

export const steps = [
  enqueueStep,
  enqueueStep,
  enqueueStep,
  keyedStep,
  keyedStep,
  handOffStep,
  syncStep,
  syncStep,
  syncStep,
  syncStep,
  syncStep,
  replayStep,
  staleStep,
  advanceStep,
  sweepStep,
  cancelStep,
  redriveStep,
  pauseStep,
  limitStep,
];

/** These, too, come seldom: each ends what others began. */
export const rareSteps = [purgeStep, deployStep];
