// When a schedule is due, and what is fired of it by somebody who looks late, spelled out. zones.test.ts has the rules for all zones.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CatchUp,
  compileTiming,
  GRACE_MS,
  type NextOccurrence,
  selectDue,
  type Timing,
} from '../../src/schedules/occurrences.ts';

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(text);
const iso = (ms: number) => new Date(ms).toISOString().replace(':00.000Z', 'Z');

function chain(timing: Timing, from: string, count: number): string[] {
  const next = compileTiming(timing);
  const occurrences = [next(at(from))];
  while (occurrences.length < count) occurrences.push(next(occurrences.at(-1) as number));
  return occurrences.map(iso);
}

describe('the occurrences of an interval', () => {
  test('are its whole multiples since the epoch, whenever somebody asks', () => {
    const next = compileTiming({ everyMs: 7_000 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (after) => {
        const occurrence = next(after);
        expect(occurrence % 7_000).toBe(0);
        expect(occurrence).toBeGreaterThan(after);
        expect(occurrence - after).toBeLessThanOrEqual(7_000);
      }),
    );
  });
});

describe('the occurrences of cron', () => {
  test.each([
    ['0 9 * * 1-5', 'Europe/Berlin', '2027-01-07T12:00Z', ['2027-01-08T08:00Z', '2027-01-11T08:00Z']],
    ['0 9 * * 0', 'UTC', '2027-01-07T12:00Z', ['2027-01-10T09:00Z', '2027-01-17T09:00Z']], // 0 and 7 are Sunday
    ['0 9 * * 7', 'UTC', '2027-01-07T12:00Z', ['2027-01-10T09:00Z', '2027-01-17T09:00Z']],
    ['0 0 29 2 *', 'UTC', '2027-01-07T12:00Z', ['2028-02-29T00:00Z', '2032-02-29T00:00Z']],
    ['0 0 1,31 * *', 'UTC', '2027-02-01T12:00Z', ['2027-03-01T00:00Z', '2027-03-31T00:00Z']], // February has no 31st, March a 1st
    ['*/20 * * * *', 'Asia/Kathmandu', '2027-01-07T12:00Z', ['2027-01-07T12:15Z', '2027-01-07T12:35Z']],
  ])('%s in %s', (cron, tz, from, expected) => {
    expect(chain({ cron, tz }, from, 2)).toEqual(expected);
  });

  test.each([
    ['six fields', '0 0 9 * * *'],
    ['four fields', '0 9 * *'],
    ['nonsense', 'every day'],
    ['a minute that is none', '60 * * * *'],
    ['a question mark, which is the time it is read at', '? * * * *'],
  ])('are none with %s', (_, cron) => {
    expect(() => compileTiming({ cron, tz: 'UTC' })).toThrow();
  });

  test('that never come are refused where the first is asked for', () => {
    expect(() => compileTiming({ cron: '0 0 31 2 *', tz: 'UTC' })(0)).toThrow(RangeError);
  });

  test('an unknown zone is refused', () => {
    expect(() => compileTiming({ cron: '0 9 * * *', tz: 'Europe/Nowhere' })(0)).toThrow();
  });
});

describe('SD6 where clocks change', () => {
  /** The rule: a fixed time that is missing comes as the gap ends; one that comes twice counts the first time. */
  test.each([
    [
      '02:30 is missing',
      '30 2 * * *',
      'Europe/Berlin',
      '2027-03-27T02:00Z',
      ['2027-03-28T01:00Z', '2027-03-29T00:30Z'],
    ],
    [
      '02:30 comes twice',
      '30 2 * * *',
      'Europe/Berlin',
      '2027-10-30T02:00Z',
      ['2027-10-31T00:30Z', '2027-11-01T01:30Z'],
    ],
    [
      '02:30 is missing',
      '30 2 * * *',
      'America/New_York',
      '2027-03-13T08:00Z',
      ['2027-03-14T07:00Z', '2027-03-15T06:30Z'],
    ],
    [
      '01:30 comes twice',
      '30 1 * * *',
      'America/New_York',
      '2027-11-06T06:00Z',
      ['2027-11-07T05:30Z', '2027-11-08T06:30Z'],
    ],
    // Nuuk's clocks go from 23:00 on Saturday to midnight.
    [
      '23:30 is missing',
      '30 23 * * *',
      'America/Nuuk',
      '2027-03-27T02:00Z',
      ['2027-03-28T01:00Z', '2027-03-29T00:30Z'],
    ],
    [
      '23:15 is missing on the day that is meant',
      '15 23 * * 6',
      'America/Nuuk',
      '2027-03-22T02:00Z',
      ['2027-03-28T01:00Z', '2027-04-04T00:15Z'],
    ],
    // Lord Howe moves by half an hour: 02:00 to 02:30, and 02:00 back to 01:30.
    [
      '02:15 is missing',
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-02T16:00Z',
      ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
    ],
    [
      '02:30 is there',
      '30 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-02T16:30Z',
      ['2026-10-03T15:30Z', '2026-10-04T15:30Z'],
    ],
    [
      '01:45 comes twice',
      '45 1 * * *',
      'Australia/Lord_Howe',
      '2027-04-02T15:00Z',
      ['2027-04-03T14:45Z', '2027-04-04T15:15Z'],
    ],
  ])('%s: %s in %s', (_, cron, tz, from, expected) => {
    expect(chain({ cron, tz }, from, 2)).toEqual(expected);
  });

  test('each half hour goes on through both nights, by the time that passes', () => {
    const timing = { cron: '*/30 * * * *', tz: 'Europe/Berlin' };
    for (const night of ['2027-03-27T23:10Z', '2027-10-30T23:10Z']) {
      const occurrences = chain(timing, night, 10).map(at);
      expect(occurrences.slice(1).map((occurrence, i) => occurrence - (occurrences[i] ?? 0))).toEqual(
        Array(9).fill(HOUR / 2),
      );
    }
  });
});

describe('SD2 what is fired late', () => {
  const hourly = compileTiming({ everyMs: HOUR });
  const due = at('2027-01-07T09:00Z');
  const late = (now: string | number, catchUp: CatchUp, next: NextOccurrence = hourly, most = 250) => {
    const fired = selectDue(next, { due, now: typeof now === 'string' ? at(now) : now, catchUp, most });
    return { occurrences: fired.occurrences.map(iso), next: iso(fired.next) };
  };

  test('an occurrence within the grace of two minutes is fired under every policy, one later is missed', () => {
    for (const catchUp of ['none', 'one', { all: 3 }] as const) {
      expect(late(due + GRACE_MS, catchUp)).toEqual({ occurrences: ['2027-01-07T09:00Z'], next: '2027-01-07T10:00Z' });
    }
    expect(late(due + GRACE_MS + 1, 'none')).toEqual({ occurrences: [], next: '2027-01-07T10:00Z' });
    expect(late(due + GRACE_MS + 1, 'one').occurrences).toEqual(['2027-01-07T09:00Z']);
  });

  test.each<[string, CatchUp, string[]]>([
    ['none drops them', 'none', []],
    ['one makes one message, for the newest', 'one', ['2027-01-07T11:00Z']],
    ['all makes one for each', { all: 100 }, ['2027-01-07T09:00Z', '2027-01-07T10:00Z', '2027-01-07T11:00Z']],
    ['all stops at its cap, the newest stay', { all: 2 }, ['2027-01-07T10:00Z', '2027-01-07T11:00Z']],
  ])('down for three occurrences: %s', (_, catchUp, expected) => {
    expect(late('2027-01-07T11:30Z', catchUp)).toEqual({ occurrences: expected, next: '2027-01-07T12:00Z' });
  });

  test('what is on time is fired besides what is caught up', () => {
    expect(late('2027-01-07T12:01Z', 'one').occurrences).toEqual(['2027-01-07T11:00Z', '2027-01-07T12:00Z']);
    expect(late('2027-01-07T12:01Z', 'none').occurrences).toEqual(['2027-01-07T12:00Z']);
  });

  test('before its time nothing is fired, and its occurrence stays', () => {
    expect(late(due - 1, 'one')).toEqual({ occurrences: [], next: iso(due) });
  });

  test('with more occurrences than go at once the next one is due already, and none is left out', () => {
    const secondly = compileTiming({ everyMs: 1_000 });
    const now = due + 60_000;
    const fired: number[] = [];
    for (let from = due; from <= now; ) {
      const step = selectDue(secondly, { due: from, now, catchUp: 'one', most: 25 });
      fired.push(...step.occurrences);
      from = step.next;
    }
    expect(fired).toEqual(Array.from({ length: 61 }, (_, i) => due + i * 1_000));
  });

  test('an occurrence of the timing before is fired too', () => {
    const fired = selectDue(hourly, { due: due + 1_234, now: due + 5_000, catchUp: 'one', most: 250 });
    expect(fired).toEqual({ occurrences: [due + 1_234], next: due + HOUR });
  });

  test('after years of downtime it asks for few occurrences', () => {
    let asked = 0;
    const minutely = compileTiming({ cron: '* * * * *', tz: 'Europe/Berlin' });
    const counting: NextOccurrence = (after) => {
      asked += 1;
      return minutely(after);
    };
    const now = due + 3 * 365 * 24 * HOUR;
    const { occurrences } = selectDue(counting, { due, now, catchUp: { all: 100 }, most: 250 });
    expect(occurrences).toHaveLength(103);
    expect(new Set(occurrences).size).toBe(103);
    expect(asked).toBeLessThan(250);
  });

  test('whatever is asked when: what is fired are the occurrences that the policy names', () => {
    const timings: Timing[] = [
      { everyMs: 90_000 },
      { everyMs: HOUR },
      { cron: '*/7 * * * *', tz: 'Europe/Berlin' },
      { cron: '0 3 * * 1', tz: 'America/New_York' },
    ];
    const policy = fc.constantFrom<CatchUp>('none', 'one', { all: 1 }, { all: 5 });
    fc.assert(
      fc.property(
        fc.constantFrom(...timings),
        policy,
        fc.nat(4 * 24 * 60),
        fc.nat(120_000),
        (timing, catchUp, lateMinutes, extra) => {
          const next = compileTiming(timing);
          const first = next(at('2027-03-20T00:00Z'));
          const now = first + lateMinutes * 60_000 + extra;
          const all = [first];
          while (next(all.at(-1) as number) <= now) all.push(next(all.at(-1) as number));
          const missed = all.filter((occurrence) => occurrence < now - GRACE_MS);
          const cap = catchUp === 'none' ? 0 : catchUp === 'one' ? 1 : catchUp.all;
          const expected = [...missed.slice(missed.length - Math.min(cap, missed.length)), ...all.slice(missed.length)];
          const fired = selectDue(next, { due: first, now, catchUp, most: 10_000 });
          expect(fired).toEqual({ occurrences: expected, next: next(now) });
        },
      ),
      { numRuns: 60 },
    );
  });
});
