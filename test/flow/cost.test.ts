// What flow control costs: billed commands of the exchanges that take and settle, beside those of a queue without any.
import { expect, test } from 'vitest';
import type { Rate } from '../../src/limits.ts';
import { defineQueue, type QueueOptions } from '../../src/queue.ts';
import type { Settlement } from '../../src/store/store.ts';
import { Bench, onEachRedis } from '../support/bench.ts';

interface Cost {
  /** A lone message: taken, and settled. */
  lone: [number, number];
  /** In a backlog of one group, and of ten: an exchange that settles what the last one took, and wants a hundred more. */
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
  { name: 'ordered', options: { ordered: true }, more: { lone: [3, 5], group: 7, ten: 15 } },
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
  'the commands of exchanges',
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
  const settle = await b.cost(() => b.exchange({ settlements, want: 1, ...ASK }));
  return { lone: [take.commands + CLOCK, settle.commands + CLOCK], group, ten };
}

async function batches(b: Bench, groups: number): Promise<number> {
  await b.enqueue(...Array.from({ length: 300 }, (_, i) => b.message('mail', i, { group: `g${i % groups}`, ...POOL })));
  const costs: number[] = [];
  for (let settlements: Settlement[] = []; b.alive.size > 0; b.now += 1) {
    const { commands } = await b.cost(async () => {
      const { taken } = await b.exchange({ settlements, want: 100, ...ASK });
      settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' }));
    });
    costs.push(commands + CLOCK);
  }
  return costs[1] ?? 0;
}
