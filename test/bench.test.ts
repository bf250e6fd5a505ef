// The benchmarks judge rightly: who loses or doubles messages is shown so, and a demand that does not hold is not called held.
import { describe, expect, test } from 'vitest';
import type { Contender, Place, Prepared } from './bench/contender.ts';
import { demandsOf } from './bench/demands.ts';
import { type GrowthPoint, type Results, spreadOf } from './bench/figures.ts';
import { pageOf, plotsOf } from './bench/page.ts';
import { withRun } from './bench/run.ts';

const place = { raw: { flushall: async () => 'OK' } } as unknown as Place;

/** In memory. It delivers message n as often as `times` says, and acknowledges all. */
function contender(times: (n: number) => number): { contender: Contender; prepared: Prepared } {
  const prepared: Prepared = {
    async open() {
      const waiting: number[] = [];
      return {
        enqueue: async ({ n }) => waiting.push(n),
        async consume(watch) {
          for (const n of waiting) for (let i = 0; i < times(n); i++) watch.handled(n);
          watch.handled(-1); // what nobody sent does not make up for what is lost
          watch.acked(waiting.length);
          return { stop: async () => {} };
        },
        close: async () => {},
      };
    },
    close: async () => {},
  };
  return { contender: { name: 'one', settings: '', most: 1_000, prepare: async () => prepared }, prepared };
}

describe('a run', () => {
  test.each([
    { what: 'each once', times: () => 1, verdict: { lost: 0, doubled: 0 } },
    { what: 'one lost', times: (n: number) => (n === 7 ? 0 : 1), verdict: { lost: 1, doubled: 0 } },
    { what: 'two doubled', times: (n: number) => (n < 2 ? 2 : 1), verdict: { lost: 0, doubled: 2 } },
  ])('shows what became of its messages: $what', async ({ times, verdict }) => {
    const run = await withRun(contender(times), place, async (each) => {
      await each.fill(100);
      await each.drain();
    });
    expect(run).toMatchObject({ verdict, sent: 100 });
  });
});

const spread = (value: number) => spreadOf([value * 0.9, value, value * 1.1]);
const point = (size: number, rate: number): GrowthPoint => ({
  size,
  rate: spread(rate),
  serverMicros: 5,
  p50: 1,
  p99: 2,
});
const machine = { cores: 2, cpu: 'AMD', memoryGb: 8, node: '24', redis: '7', loadBefore: 0, loadAfter: 0 };

function results(library: number, last: number): Results {
  const rest = { settings: '', enqueue: {}, cost: {}, messages: 1, lost: 0, doubled: 0, failed: [] };
  const figures = [
    { ...rest, name: 'BullMQ, concurrency 1', drain: spread(500) },
    { ...rest, name: 'BullMQ, concurrency 100', drain: spread(1_000) },
    { ...rest, name: 'Sluice, library in Node, one drain', drain: spread(library) },
  ];
  const lines = [{ dimension: 'queues', points: [point(1, 1_000), point(10, last)] }];
  return { peers: { machine, rounds: 3, bulkRounds: 2, figures }, growth: { machine, rounds: 3, lines } };
}

const verdictOn = (found: Results, what: string) => demandsOf(found).find((demand) => demand.what.includes(what));

describe('what was asked', () => {
  test('is held against the best of a peer', () => {
    expect(verdictOn(results(5_000, 1_000), 'BullMQ at its best')).toMatchObject({
      measured: '5.0 times',
      holds: true,
    });
    expect(verdictOn(results(4_900, 1_000), 'BullMQ at its best')).toMatchObject({
      measured: '4.9 times',
      holds: false,
    });
  });

  test('is not said to hold where it was not measured', () => {
    expect(verdictOn(results(5_000, 1_000), 'Cloudflare')).toMatchObject({
      measured: 'not measured',
      holds: undefined,
    });
  });

  test('of growth ends at a quarter less', () => {
    expect(verdictOn(results(1, 750), 'queues')?.holds).toBe(true);
    expect(verdictOn(results(1, 740), 'queues')?.holds).toBe(false);
  });
});

test('the page names each contender and shows each plot that is drawn', () => {
  const page = pageOf(results(4_000, 700));
  const plots = plotsOf(results(4_000, 700));
  expect(page).toContain('BullMQ, concurrency 100');
  expect(page).toContain('**NO**');
  for (const [name, svg] of Object.entries(plots)) {
    expect(page).toContain(`benchmarks/${name}`);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  }
});
