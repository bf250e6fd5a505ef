/**
 * Random calls, of which storage refuses some in the middle: what failed is repeated, what was settled in part is settled again
 * later. After each call no entry has left every list, and in the end all that was acknowledged has come out.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import { StorageError } from '../../src/errors.ts';
import { newToken } from '../../src/message/ids.ts';
import type { Priority } from '../../src/message/message.ts';
import type { Outcome, Settlement } from '../../src/store/encode-settlements.ts';
import { onEachRedis, type Redises } from '../support/bench.ts';
import { accountFor, adopt, comeToRest, refusing, type Scene, setScene, violationsIn } from '../support/refusing.ts';
import { idOf } from '../support/settling.ts';
import { POLICIES, QUEUES } from './commands.ts';

const seed = Number(process.env.SLUICE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.SLUICE_RUNS ?? 25);
console.info(`model, refused: ${numRuns} runs, seed ${seed} (SLUICE_RUNS and SLUICE_SEED set them)`);

const TIME_MS = 120_000;

interface World {
  scene: Scene;
  redises: Redises;
  consumers: { lease: string; held: string[] }[];
  ids: string[];
  leases: number;
}

/** Calls storage; @param refusal what it refuses meanwhile */
type Step = (world: World, refusal: Refusal | undefined) => Promise<unknown>;

const step = (name: string, run: Step) => ({ run, toString: () => name });

const isRefusal = (error: unknown) => error instanceof StorageError && error.code === 'refused';

/** A call that fails has changed nothing that matters, and is repeated when storage takes writes again. */
async function surely<T>({ scene, redises }: World, refusal: Refusal | undefined, call: () => Promise<T>): Promise<T> {
  if (!refusal) return call();
  try {
    return await refusing(redises, refusal, call);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    expect(await violationsIn(scene, true)).toEqual([]);
    scene.failed = true;
    return call();
  }
}

const queue = fc.constantFrom(...QUEUES);
const group = fc.constantFrom(undefined, 'g', 'h');
const delay = fc.constantFrom(0, 0, 500, 3_000);
const n = fc.nat({ max: 1_000 });
const pick = <T>(list: T[], at: number): T | undefined => list[at % Math.max(1, list.length)];

const enqueue = fc
  .record({
    queue,
    group,
    priority: fc.constantFrom<Priority>(0, 5),
    count: fc.integer({ min: 1, max: 3 }),
    delayMs: delay,
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    ttlMs: fc.constantFrom(0, 0, 2_000),
    followed: fc.boolean(),
    debounced: fc.constantFrom(false, false, true),
  })
  .map(({ queue: name, count, followed, debounced, group: named, ...rest }) =>
    step(
      `enqueue ${count} in ${name}/${named} ${JSON.stringify({ ...rest, followed, debounced })}`,
      async (world, refusal) => {
        const { b } = world.scene;
        const callbacks = ['done', 'dead'].map((on) => ({
          on: on as 'done' | 'dead',
          message: b.message('mail', on, { group: 'f' }),
        }));
        const dedup = { digest: 'd'.repeat(22), windowMs: 3_600_000, mode: 'debounce', release: false } as const;
        const options = {
          ...rest,
          ...(named ? { group: named } : {}),
          ...(followed ? { callbacks } : {}),
          ...(debounced ? { dedup } : {}),
        };
        const messages = Array.from({ length: count }, () => b.message(name, newToken(), options));
        const token = newToken();
        const { ids, duplicates } = await surely(world, refusal, () => b.store.enqueue({ messages, token }));
        const stored = ids.filter((_, i) => !duplicates.has(i));
        b.expectAlive(stored, messages);
        world.ids.push(...stored);
      },
    ),
  );

const sync = fc
  .record({
    consumer: fc.nat({ max: 2 }),
    want: fc.integer({ min: 0, max: 5 }),
    settle: fc.array(fc.tuple(n, fc.constantFrom<Outcome>('ack', 'ack', 'retry', 'dead', 'release'), delay), {
      maxLength: 4,
    }),
    chained: fc.boolean(),
    drains: fc.boolean(),
  })
  .map((r) =>
    step(`sync ${JSON.stringify(r)}`, async (world, refusal) => {
      const { scene } = world;
      const { b } = scene;
      const consumer = world.consumers[r.consumer] as World['consumers'][0];
      const settlements = new Map<string, Settlement>();
      for (const [at, outcome, delayMs] of r.settle) {
        const entry = pick(consumer.held, at);
        const failure = { kind: 'failed', text: 'x' } as const;
        if (entry && outcome !== 'ack') settlements.set(entry, { entry, outcome, delayMs, failure });
        else if (entry)
          settlements.set(entry, {
            entry,
            outcome,
            result: 'null',
            chained: r.chained ? [{ id: newToken(), ...b.message('news', newToken()) }] : [],
          });
      }
      const list = [...settlements.values()];
      const drain = r.drains ? { drain: { ending: false, sleepMs: 60_000 } } : {};
      const request = {
        lease: consumer.lease,
        leaseMs: 10_000,
        held: consumer.held.length - list.length,
        want: r.want,
        ...drain,
      };
      scene.failed = false;
      const answer = await surely(world, refusal, async () => {
        try {
          return await b.sync({ ...request, settlements: list });
        } catch (error) {
          if (isRefusal(error)) await accountFor(scene, list);
          throw error;
        }
      });
      list.forEach(({ chained = [], entry, outcome }, i) => {
        const status = answer.statuses[i];
        if (status === 'acked') for (const next of chained) b.expectAlive([next.id], [next]);
        if (outcome !== 'ack') b.unordered.add(idOf(entry));
      });
      const stays = consumer.held.filter((entry) => {
        const at = list.findIndex((settlement) => settlement.entry === entry);
        return at < 0 || answer.statuses[at] === 'refused';
      });
      consumer.held = [...answer.taken.map(({ entry }) => entry).toReversed(), ...stays];
      for (const { entry } of answer.taken) b.unordered.add(idOf(entry)); // it may come back
      if (answer.lost) Object.assign(consumer, { held: [], lease: `c${world.leases++}` });
    }),
  );

const sweep = fc.boolean().map((looks) =>
  step(looks ? 'sweep and look' : 'sweep', (world, refusal) => {
    return surely(world, refusal, () => world.scene.b.store.sweep('*', looks ? { cursor: '0' } : {}));
  }),
);

const advance = fc.constantFrom(1, 500, 3_000, 10_000, 60_000).map((ms) =>
  step(`advance ${ms} ms`, async ({ scene }) => {
    scene.b.now += ms;
  }),
);

const cancel = n.map((at) =>
  step(`cancel ${at}`, async (world, refusal) => {
    const { b } = world.scene;
    const id = pick(world.ids, at);
    if (id && (await surely(world, refusal, () => b.adminStore().cancel(id))) !== 'gone') b.alive.delete(id);
  }),
);

const redrive = n.map((at) =>
  step(`redrive ${at}`, async (world, refusal) => {
    const { b } = world.scene;
    const { dead } = await b.shard();
    const letters = Object.entries(dead).flatMap(([name, all]) =>
      Object.keys(all).map((entry) => [name, idOf(entry)] as const),
    );
    const [name, id] = pick(letters, at) ?? [];
    if (!name || !id) return;
    b.unordered.add(id);
    await surely(world, refusal, () => b.adminStore().redrive(name, [id]));
    b.now += 1; // what follows on a death is named by its instant: one dies once in a millisecond
  }),
);

const restrict = fc.record({ queue, word: fc.constantFrom('pause', 'resume', 'limit') }).map(({ queue: name, word }) =>
  step(`${word} ${name}`, (world, refusal) => {
    const adminStore = world.scene.b.adminStore();
    return surely(world, refusal, () => {
      if (word === 'pause') return adminStore.pause(name, '*');
      return word === 'resume' ? adminStore.resume(name, '*') : adminStore.limit(name, '*', { concurrency: ' c=2' });
    });
  }),
);

const anyStep = fc.oneof(
  { weight: 4, arbitrary: enqueue },
  { weight: 6, arbitrary: sync },
  { weight: 3, arbitrary: sweep },
  { weight: 2, arbitrary: advance },
  ...[cancel, redrive, restrict].map((arbitrary) => ({ weight: 1, arbitrary })),
);

const refusal = fc.option(
  fc.record({ from: fc.integer({ min: 1, max: 10 }), times: fc.constantFrom(1, 1, 2, Number.POSITIVE_INFINITY) }),
  { nil: undefined },
);

async function run(
  redises: Redises,
  policies: Record<string, string>,
  steps: [ReturnType<typeof step>, Refusal | undefined][],
) {
  const scene = await setScene(redises, {});
  const { b } = scene;
  b.deploy(...QUEUES.map((name) => ({ name, pool: '*', policy: policies[name] ?? '' })));
  const consumers = [0, 1, 2].map((at) => ({ lease: `c${at}`, held: [] }));
  const world: World = { scene, redises, consumers, ids: [], leases: 3 };
  for (const [each, refused] of steps) {
    await each.run(world, refused);
    const shard = await scene.know();
    adopt(scene, shard);
    // What no lane took waits among the timers, and comes behind what was enqueued meanwhile.
    const waiting = Object.keys(shard.timers).filter((member) => /^[mh] /.test(member));
    for (const member of waiting) b.unordered.add(idOf(member.split(' ').at(-1) ?? ''));
    expect(await violationsIn(scene, true), String(each)).toEqual([]);
  }
  b.store = b.openStore(() => b.now, b.prefix, QUEUES, ''); // nothing is held back any more
  for (const name of QUEUES) await b.adminStore().limit(name, '*', { concurrency: '', rate: '' });
  expect((await comeToRest(scene)).faults).toEqual([]);
}

onEachRedis(
  'the model, where storage refuses',
  (bench) => {
    test(
      'ST1 random calls that storage refuses in the middle: nothing is lost or there twice, and everything comes out',
      async () => {
        const policies = fc.record({ mail: fc.constantFrom(...POLICIES), news: fc.constantFrom(...POLICIES) });
        const steps = fc.array(fc.tuple(anyStep, refusal), { maxLength: 40, size: 'max' });
        await fc.assert(
          fc.asyncProperty(policies, steps, (drawn, list) => run(bench().redises, drawn, list)),
          { seed, numRuns, interruptAfterTimeLimit: TIME_MS - 20_000 },
        );
      },
      TIME_MS,
    );
  },
  ['redis-server'],
);
