// The benchmarks judge rightly: who loses or doubles messages is shown so, and a demand that does not hold is not called held.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { checkMemory, sizeOf, sizesTo } from './bench/ceilings/sizes.ts';
import type { Contender, Place, Prepared } from './bench/contender.ts';
import { openLine } from './bench/delay/line.ts';
import { startDelayProxy } from './bench/delay/proxy.ts';
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
  return {
    peers: { machine, rounds: 3, bulkRounds: 2, figures },
    rtt: fromAfar({ one: 1_000, four: 4_000, wakeMs: 24 }),
    standing: { machine, figures: [waiting(170), { ...waiting(9), way: 'asked' }] },
    ...ceilingsOf({ bytes: 1, ms: 1, queues: 1, micros: 1, leased: 1, moved: 1 }),
    growth: { machine, rounds: 3, lines },
  };
}

function fromAfar({ one, four, wakeMs }: { one: number; four: number; wakeMs: number }): NonNullable<Results['rtt']> {
  const row = { of: 'library' as const, drains: 1, settings: '', messages: 1, lost: 0, doubled: 0, failed: [] };
  const at = (rate: number) => [{ ms: 20, drain: spread(rate), enqueue: {}, wake: { p50: wakeMs, p99: 99 } }];
  return {
    machine,
    rounds: 3,
    lines: [{ ms: 20, p50: 20, p95: 21 }],
    figures: [
      { ...row, name: 'one lease', leases: 1, points: at(one) },
      { ...row, name: '4 leases', leases: 4, points: at(four) },
      { ...row, name: 'as it comes', leases: 4, isStandard: true, points: at(5_000) },
    ],
  };
}

function ceilingsOf(given: Record<'bytes' | 'ms' | 'queues' | 'micros' | 'leased' | 'moved', number>): Results {
  const line = { dimension: 'backlog', points: [point(1_000, 1_000), point(10_000_000, 800)] };
  const sizes = (ms: number) => [
    { size: 1_000, ms: 1 },
    { size: 10_000_000, ms },
  ];
  const kind = {
    line,
    records: [{ key: 'lane', bytes: given.bytes }],
    calls: [
      { call: 'get', ms: sizes(given.ms) },
      { call: 'list', ms: sizes(1) },
    ],
  };
  const held = { leases: 10_000, leased: given.leased, complete: true, findings: 0, incomplete: [] };
  return {
    ceilings: {
      machine,
      to: 10_000_000,
      kinds: [kind],
      limited: [
        { queues: 1, bytes: 1_000, micros: 100 },
        { queues: 10_000, bytes: given.queues, micros: given.micros },
      ],
      leases: [{ ...held, countsMs: 1, browseMs: 1, auditMs: 1, pages: 1 }],
      due: [{ ms: 20, count: 1_000_000, moved: given.moved, seconds: 9, sweeps: 2 }],
    },
  };
}

const waiting = (seconds: number) =>
  ({ way: 'drainers', told: '', drains: 16, messages: 100_000, seconds, lost: 0, doubled: 0 }) as const;

const verdictOn = (found: Results, what: string) => demandsOf(found).find((demand) => demand.what.includes(what));

describe('what was asked', () => {
  test('is held against the best of a peer', () => {
    expect(verdictOn(results(6_000, 1_000), 'BullMQ at its best')).toMatchObject({
      measured: '6.0 times',
      holds: true,
    });
    expect(verdictOn(results(5_900, 1_000), 'BullMQ at its best')).toMatchObject({
      measured: '5.9 times',
      holds: false,
    });
  });

  test('is not said to hold where it was not measured', () => {
    expect(verdictOn(results(5_000, 1_000), 'Cloudflare')).toMatchObject({
      measured: 'not measured',
      holds: undefined,
    });
  });

  test('from afar is of one lease and four of the same form, and of round trips as they were measured', () => {
    const far = (given: Parameters<typeof fromAfar>[0]) => ({ rtt: fromAfar(given) });
    const given = { one: 1_000, four: 3_500, wakeMs: 24 };
    expect(verdictOn(far(given), 'library, 20 ms away: 4 leases')).toMatchObject({
      measured: '3.5 times',
      holds: true,
    });
    expect(verdictOn(far({ ...given, four: 3_490 }), 'library, 20 ms away: 4 leases')?.holds).toBe(false);
    expect(verdictOn(far(given), 'library, 20 ms away: wake')).toMatchObject({ measured: '1.20', holds: true });
    expect(verdictOn(far({ ...given, wakeMs: 24.3 }), 'library, 20 ms away: wake')?.holds).toBe(false);
    expect(verdictOn(far(given), 'Worker, 20 ms away: 4 leases')?.holds).toBeUndefined();
    expect(verdictOn(far(given), 'library, 1 ms away')?.holds).toBeUndefined();
  });

  test('of a standing backlog is of the slowest way that starts drains by itself', () => {
    const found = (seconds: number) => ({ standing: { machine, figures: [waiting(90), waiting(seconds)] } });
    expect(verdictOn(found(180), 'waiting deliveries')?.holds).toBe(true);
    expect(verdictOn(found(181), 'waiting deliveries')?.holds).toBe(false);
    const asked = { standing: { machine, figures: [{ ...waiting(9), way: 'asked' as const }] } };
    expect(verdictOn(asked, 'waiting deliveries')?.holds).toBeUndefined();
  });

  test('of ceilings is the largest record, the slowest call, and what ten thousand of something cost', () => {
    const found = ceilingsOf({
      bytes: 100_000_000,
      ms: 3,
      queues: 8_192,
      micros: 120,
      leased: 10_000,
      moved: 1_000_000,
    });
    const worse = ceilingsOf({ bytes: 100_000_001, ms: 3.1, queues: 8_193, micros: 121, leased: 100, moved: 999_999 });
    const verdicts = (results: Results) => demandsOf(results).map(({ holds }) => holds);
    expect(verdicts(found)).toEqual([true, true, true, true, true, true, true]);
    expect(verdicts(worse)).toEqual([true, false, false, false, false, false, false]);
  });

  test('of ceilings is not begun without the memory that it takes', () => {
    expect(sizesTo(sizeOf('10M'))).toEqual([1_000, 100_000, 1_000_000, 10_000_000]);
    expect(sizesTo(sizeOf('50k'))).toEqual([1_000, 50_000]);
    expect(() => checkMemory([1_000], 8e9)).not.toThrow();
    expect(() => checkMemory([10_000_000], 8e9)).toThrow('7.5 are free');
    expect(() => sizeOf('many')).toThrow('--to');
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
  expect(page).toContain('20 ms are 20.0 (p95 21.0)');
  for (const [name, svg] of Object.entries(plots)) {
    expect(page).toContain(`benchmarks/${name}`);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  }
});

describe('distance', () => {
  /** A line on a played clock. */
  function played() {
    let now = 0;
    let waiting: { at: number; then: () => void } | undefined;
    const line = openLine(
      () => now,
      (at, then) => {
        expect(waiting).toBeUndefined(); // one wait at a time
        waiting = { at, then };
      },
    );
    const arrived: [what: string, at: number][] = [];
    return {
      arrived,
      send(what: string, oneWayMs: number) {
        line.oneWayMs = oneWayMs;
        line.send(() => arrived.push([what, now]));
      },
      pass(ms: number) {
        const until = now + ms;
        while (waiting && waiting.at <= until) {
          const { at, then } = waiting;
          waiting = undefined;
          now = at;
          then();
        }
        now = until;
      },
    };
  }

  test('holds each piece back for as long, side by side', () => {
    const { send, pass, arrived } = played();
    send('a', 10);
    pass(4);
    send('b', 10);
    pass(20);
    expect(arrived).toEqual([
      ['a', 10],
      ['b', 14],
    ]);
  });

  test('keeps the order where it gets shorter, and holds nothing back where it is none', () => {
    const { send, pass, arrived } = played();
    send('a', 10);
    send('b', 1);
    send('c', 0);
    pass(10);
    send('d', 0);
    expect(arrived).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 10],
      ['d', 10],
    ]);
  });

  test('of a proxy: all bytes come back, in their order, no sooner than a round trip, and then the end', async () => {
    const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const proxy = startDelayProxy();
    const port = await proxy.to((echo.address() as AddressInfo).port);
    proxy.setRoundTrip(30);
    const sent = Buffer.alloc(1_000_000, 'abcdefg');
    const start = performance.now();
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(sent));
    const pieces: Buffer[] = [];
    let firstMs = 0;
    socket.on('data', (piece) => {
      if (pieces.push(piece) === 1) firstMs = performance.now() - start;
    });
    await once(socket, 'end');
    await proxy.close();
    await new Promise((resolve) => echo.close(resolve));
    expect(Buffer.concat(pieces).equals(sent)).toBe(true);
    expect(firstMs).toBeGreaterThanOrEqual(30);
  });
});
