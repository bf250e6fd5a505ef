// What flow control costs: billed commands of the syncs that take and settle, beside those of a queue without any.
import { expect, test } from 'vitest';
import type { Rate } from '../../src/queue/limits.ts';
import { defineQueue, type QueueOptions } from '../../src/queue/queue.ts';
import type { AdminStore } from '../../src/store/admin.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { Bench, onEachRedis } from '../support/bench.ts';

interface Cost {
  /** A lone message: taken, and settled. */
  lone: [number, number];
  /** In a backlog of one group, and of ten: a sync that settles what the last one took, and wants a hundred more. */
  group: number;
  ten: number;
}

const RATE: Rate = { limit: 10_000, per: '1s' };

const rows: { name: string; options: QueueOptions; more: Cost }[] = [
  { name: 'concurrency', options: { limits: { concurrency: 1_000 } }, more: { lone: [2, 3], group: 2, ten: 2 } },
  {
    name: 'concurrency of groups',
    options: { limits: { group: { concurrency: 1_000 } } },
    more: { lone: [2, 5], group: 4, ten: 4 },
  },
  { name: 'a rate', options: { limits: { rate: RATE } }, more: { lone: [2, 0], group: 2, ten: 2 } },
  {
    name: 'a rate of groups',
    options: { limits: { group: { rate: RATE } } },
    more: { lone: [2, 0], group: 2, ten: 20 },
  },
  // One of them asks whether the group has messages in a lane of another priority.
  { name: 'ordered', options: { ordered: true }, more: { lone: [3, 5], group: 7, ten: 6 } },
  {
    name: 'quantum and weights',
    options: { fair: { quantum: 10, weights: { g0: 2 } } },
    more: { lone: [0, 0], group: 4, ten: 8 },
  },
  { name: 'maxWait', options: { maxWait: '1m' }, more: { lone: [0, 0], group: 1, ten: 0 } },
];

/** TIME, for which the clock of tests stands in. */
const CLOCK = 1;

onEachRedis(
  'the commands of syncs',
  (bench) => {
    test.each(rows)('of a queue with $name, beside one with nothing', async ({ name, options, more }) => {
      const b = bench();
      const plain = await measure(new Bench(b.redises), {});
      const cost = await measure(b, options);
      console.info(`nothing: ${textOf(plain)}; ${name}: ${textOf(cost)}`);
      const [take, settle] = [0, 1].map((i) => (cost.lone[i] ?? 0) - (plain.lone[i] ?? 0));
      expect({ lone: [take, settle], group: cost.group - plain.group, ten: cost.ten - plain.ten }).toEqual(more);
    });
  },
  ['redis-server'],
);

const ONE: Rate = { limit: 1, per: '1s' };
/** The same limit, of the code and of an operator. */
const limits = {
  concurrency: {
    code: { limits: { concurrency: 1 } },
    operator: { concurrency: ' c=1' },
    looser: { concurrency: 100 },
  },
  rate: {
    code: { limits: { rate: ONE } },
    operator: { rate: ' r=1/1000' },
    looser: { rate: { limit: 1_000, per: '1s' } },
  },
} as const;

onEachRedis(
  'the commands of a sync while three thousand groups wait for one message',
  (bench) => {
    test.each([
      { limit: 'concurrency', most: 19 },
      { limit: 'rate', most: 23 },
    ] as const)('of a $limit: of an operator two more than of the code', async ({ limit, most }) => {
      const { code, operator, looser } = limits[limit];
      const redises = bench().redises;
      const costs = {
        code: await crowded(bench(), code, {}),
        operator: await crowded(new Bench(redises), {}, operator),
        over: await crowded(new Bench(redises), { limits: looser }, operator),
      };
      console.info(`${limit}: code ${costs.code}, operator ${costs.operator}, over one of the code ${costs.over}`);
      expect([costs.operator - costs.code, costs.over - costs.code]).toEqual([2, 2]);
      expect(costs.code).toBeLessThanOrEqual(most);
    });

    test('and are paused: none comes back for a slot that is freed, to be put aside again', async () => {
      const b = bench();
      const held = await crowd(b, { limits: { group: { concurrency: 1 } } }, {});
      await b.adminStore().pause('mail', '*');
      for (let i = 0; i < 3; i++) await b.sync({ lease: 'other', want: 1 });
      const costs: number[] = [];
      for (const [i, entry] of held.slice(0, 5).entries()) {
        const settling = { settlements: [{ entry, outcome: 'ack' as const }], held: held.length - i - 1 };
        costs.push((await b.cost(() => b.sync({ ...settling, want: 5 }))).commands);
      }
      expect(Math.max(...costs)).toBeLessThan(30);
      await b.adminStore().resume('mail', '*');
      expect(await b.take(9, 'z')).toHaveLength(9);
    });

    test.each(['redriven', 'cancelled', 'purged'] as const)(
      'and one that held its group back is %s: no other group comes back, to be put aside again',
      async (how) => {
        const b = bench();
        const options: QueueOptions = { limits: { concurrency: 1 }, ordered: { afterDeath: 'block' } };
        b.deploy(defineQueue('mail', { ...options, handler: () => {} }));
        const [id = ''] = await b.enqueue(b.message('mail', 'dies', { group: 'blocked' }));
        await b.enqueue(b.message('mail', 'waits', { group: 'blocked' }));
        await b.sync({ settlements: [{ entry: (await b.take(1))[0] ?? '', outcome: 'dead' }] });
        await crowd(b, options, {});
        if (how === 'redriven') expect(await b.adminStore().redrive('mail', [id])).toEqual(['redriven']);
        if (how === 'cancelled') expect(await b.adminStore().cancel(id)).toBe('dead');
        if (how === 'purged') expect(await b.adminStore().purge('mail', ['dead'], '0')).toMatchObject({ purged: 1 });
        if (how !== 'redriven') b.alive.delete(id);
        b.unordered.add(id);
        const { commands } = await b.cost(() => b.sync({ lease: 'other', want: 5 }));
        expect(commands).toBeLessThan(30);
      },
    );

    test('which a sweep gives back, where the limit is of an operator', async () => {
      const b = bench();
      await crowd(b, {}, limits.concurrency.operator);
      b.now += 30_000;
      await b.store.sweep('*');
      const { commands } = await b.cost(async () => expect(await b.take(5, 'next')).toHaveLength(1));
      expect(commands).toBeLessThan(30);
    });

    test('that have to wait: they are put aside many at a time', async () => {
      const b = bench();
      b.deploy(defineQueue('mail', { limits: { concurrency: 1 }, handler: () => {} }));
      await enqueueCrowd(b);
      const { commands } = await b.cost(() => b.sync({ want: 100 }));
      expect((await b.shard()).blocked.mail?.length).toBeGreaterThan(1_500);
      expect(commands).toBeLessThan(100);
    });
  },
  ['redis-server'],
);

async function enqueueCrowd(b: Bench): Promise<void> {
  for (let from = 0; from < 3_000; from += 1_000) {
    await b.enqueue(...Array.from({ length: 1_000 }, (_, i) => b.message('mail', i, { group: `g${from + i}` })));
  }
}

/** As many are at work as may be, and all others have been put aside. @returns what is at work */
async function crowd(b: Bench, options: QueueOptions, operator: Parameters<AdminStore['limit']>[2]): Promise<string[]> {
  b.deploy(defineQueue('mail', { ...options, handler: () => {} }));
  await enqueueCrowd(b);
  if (Object.keys(operator).length > 0) await b.adminStore().limit('mail', '*', operator);
  const held = await b.take(100);
  for (let i = 0; i < 4; i++) await b.take(100, `other${i}`);
  return held;
}

/** What the dearest of a row of syncs costs, each of which settles the one and wants five. */
async function crowded(
  b: Bench,
  ...[options, operator]: [QueueOptions, Parameters<AdminStore['limit']>[2]]
): Promise<number> {
  const costs: number[] = [];
  let held = await crowd(b, options, operator);
  for (let i = 0; i < 10; i++) {
    b.now += 1_000;
    const { commands } = await b.cost(async () => {
      const settlements = held.map((entry): Settlement => ({ entry, outcome: 'ack' }));
      held = (await b.sync({ settlements, want: 5 })).taken.map(({ entry }) => entry);
    });
    expect(held).toHaveLength(1);
    costs.push(commands + CLOCK);
  }
  return Math.max(...costs.slice(1));
}

const textOf = ({ lone, group, ten }: Cost) =>
  `lone ${lone.join(' + ')}, wants 100 of one group ${group}, of ten ${ten}`;

/** Pulled: what becomes ready for consumers wakes no drain. */
const POOL = { pool: 'mail' };
const ASK = { pools: ['mail'] };

async function measure(b: Bench, options: QueueOptions): Promise<Cost> {
  b.deploy(defineQueue('mail', { kind: 'pull', ...options }));
  const [group, ten] = [await batches(b, 1), await batches(b, 10)];
  await b.enqueue(b.message('mail', 1, { group: 'g', ...POOL }));
  let taken: string[] = [];
  const take = await b.cost(async () => {
    taken = await b.take(1, 'a', ASK);
  });
  const settlements = taken.map((entry): Settlement => ({ entry, outcome: 'ack' }));
  const settle = await b.cost(() => b.sync({ settlements, want: 1, ...ASK }));
  return { lone: [take.commands + CLOCK, settle.commands + CLOCK], group, ten };
}

async function batches(b: Bench, groups: number): Promise<number> {
  await b.enqueue(...Array.from({ length: 300 }, (_, i) => b.message('mail', i, { group: `g${i % groups}`, ...POOL })));
  const costs: number[] = [];
  for (let settlements: Settlement[] = []; b.alive.size > 0; b.now += 1) {
    const { commands } = await b.cost(async () => {
      const { taken } = await b.sync({ settlements, want: 100, ...ASK });
      settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' }));
    });
    costs.push(commands + CLOCK);
  }
  return costs[1] ?? 0;
}
