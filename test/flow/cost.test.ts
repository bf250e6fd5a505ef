// What flow control costs: billed commands of the exchanges that take and settle, beside those of a queue without any.
import { expect, test } from 'vitest';
import type { Rate } from '../../src/limits.ts';
import { defineQueue, type QueueOptions } from '../../src/queue.ts';
import type { Settlement } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

interface Cost {
  /** A lone message: taken, and settled. */
  lone: [number, number];
  /** In a backlog of one group, and of ten: an exchange that settles what the last one took, and wants a hundred more. */
  group: number;
  ten: number;
}

const RATE: Rate = { limit: 10_000, per: '1s' };

const rows: { name: string; options: QueueOptions; cost: Cost }[] = [
  { name: 'no flow control', options: {}, cost: { lone: [11, 7], group: 13, ten: 32 } },
  { name: 'concurrency', options: { limits: { concurrency: 1_000 } }, cost: { lone: [13, 10], group: 15, ten: 34 } },
  {
    name: 'concurrency of groups',
    options: { limits: { group: { concurrency: 1_000 } } },
    cost: { lone: [13, 12], group: 17, ten: 36 },
  },
  { name: 'a rate', options: { limits: { rate: RATE } }, cost: { lone: [13, 7], group: 15, ten: 34 } },
  {
    name: 'a rate of groups',
    options: { limits: { group: { rate: RATE } } },
    cost: { lone: [13, 7], group: 15, ten: 52 },
  },
  { name: 'ordered', options: { ordered: true }, cost: { lone: [13, 12], group: 19, ten: 46 } },
  {
    name: 'quantum and weights',
    options: { fair: { quantum: 10, weights: { g0: 2 } } },
    cost: { lone: [11, 7], group: 21, ten: 46 },
  },
  { name: 'maxWait', options: { maxWait: '1m' }, cost: { lone: [11, 7], group: 14, ten: 32 } },
];

/** TIME, for which the clock of tests stands in. */
const CLOCK = 1;

onEachRedis(
  'the commands of exchanges',
  (bench) => {
    test.each(rows)('of a queue with $name', async ({ name, options, cost }) => {
      const b = bench();
      b.deploy(defineQueue('mail', { ...options, handler: () => {} }));
      const measured: Cost = { lone: [0, 0], group: await batches(b, 1), ten: await batches(b, 10) };
      await b.enqueue(b.message('mail', 1, { group: 'g' }));
      let taken: string[] = [];
      const take = await b.cost(async () => {
        taken = await b.take(1);
      });
      const settlements = taken.map((entry): Settlement => ({ entry, outcome: 'ack' }));
      const settle = await b.cost(() => b.exchange({ settlements, want: 1 }));
      measured.lone = [take.commands + CLOCK, settle.commands + CLOCK];
      console.info(
        `${name}: lone ${measured.lone.join(' + ')}; an exchange that wants 100: of one group ${measured.group}, of ten ${measured.ten}`,
      );
      expect(measured).toEqual(cost);
    });
  },
  ['redis-server'],
);

async function batches(b: Bench, groups: number): Promise<number> {
  await b.enqueue(...Array.from({ length: 300 }, (_, i) => b.message('mail', i, { group: `g${i % groups}` })));
  const costs: number[] = [];
  for (let settlements: Settlement[] = []; b.alive.size > 0; b.now += 1) {
    const { commands } = await b.cost(async () => {
      const { taken } = await b.exchange({ settlements, want: 100 });
      settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' }));
    });
    costs.push(commands + CLOCK);
  }
  return costs[1] ?? 0;
}
