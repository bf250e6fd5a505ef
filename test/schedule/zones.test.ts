// Cron in every zone that changes its clocks, around each change: what docs/scheduling.md promises, against an oracle of its own.
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileTiming } from '../../src/schedules/occurrences.ts';
import { clockOf, type Minute, minutesOf, occurrencesAmong } from '../support/cron-oracle.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const FROM = Date.parse('2027-01-01T00:00Z');
const TO = Date.parse('2028-01-01T00:00Z');

/** Around one change of the clocks in one zone, which stands for all that change alike. */
interface Change {
  tz: string;
  at: number;
  before: number;
  after: number;
  minutes: Minute[];
}

/** The instants at which a zone's clocks change, with the minutes that they are ahead of UTC before and after. */
function changesIn(tz: string): { at: number; before: number; after: number }[] {
  const read = clockOf(tz);
  const aheadAt = (at: number) => read(at) - at / MINUTE;
  const changes = [];
  for (let day = FROM; day < TO; day += DAY) {
    const [before, after] = [aheadAt(day), aheadAt(day + DAY)];
    let at = day;
    if (before === after) continue;
    while (aheadAt(at) === before) at += 15 * MINUTE;
    changes.push({ at, before, after });
  }
  return changes;
}

/** Of all zones. Where several change alike at once, the first of them stands for all. */
function allChanges(): Change[] {
  const known = new Set<string>();
  return Intl.supportedValuesOf('timeZone').flatMap((tz) =>
    changesIn(tz).flatMap((change) => {
      const kind = JSON.stringify(change);
      if (known.has(kind)) return [];
      known.add(kind);
      return [{ ...change, tz, minutes: minutesOf(tz, change.at - 2 * DAY, change.at + 2 * DAY) }];
    }),
  );
}

/** What differs, in words; nothing where all is as promised. */
function compare({ tz, at, minutes }: Change, cron: string, around = 2 * DAY): string[] {
  const middle = (minutes.length - 1) / 2;
  const near = minutes.slice(middle - around / MINUTE, middle + around / MINUTE + 1);
  const expected = occurrencesAmong(near, cron);
  const from = near[0]?.at ?? 0;
  const end = near.at(-1)?.at ?? 0;
  const next = compileTiming({ cron, tz });
  const found: number[] = [];
  for (let occurrence = next(from); occurrence <= end; occurrence = next(occurrence)) found.push(occurrence);
  if (found.join() !== expected.join()) return [`${tz} ${cron}: ${said(found)} instead of ${said(expected)}`];
  // Whoever asks in between hears the same.
  const askedFrom = [at - 1, at, at + 1, ...expected.map((occurrence) => occurrence + 10 * MINUTE)];
  return askedFrom.flatMap((asked) => {
    const first = expected.find((occurrence) => occurrence > asked);
    const answer = first === undefined ? first : next(asked);
    return answer === first ? [] : [`${tz} ${cron} after ${said([asked])}: ${said([answer as number])}`];
  });
}

const said = (instants: number[]) => instants.map((instant) => new Date(instant).toISOString()).join(' ');

let changes: Change[];
beforeAll(() => {
  changes = allChanges();
});

describe('SD6 around each change of the clocks in 2027, in all zones', () => {
  test('there are some, of many kinds: by half an hour, by two, and over midnight both ways', () => {
    const jumps = changes.map(({ tz, at, before, after }) => ({
      by: after - before,
      shows: new Date(clockOf(tz)(at) * MINUTE).toISOString().slice(11, 16),
    }));
    for (const by of [30, -30, 60, -60, 120, -120]) expect(jumps.map((jump) => jump.by)).toContain(by);
    expect(jumps).toContainEqual({ by: 60, shows: '00:00' }); // Nuuk: from 23:00 on Saturday
    expect(jumps).toContainEqual({ by: 60, shows: '01:00' }); // Beirut: midnight is missing
    expect(jumps).toContainEqual({ by: -60, shows: '23:00' }); // and comes late
  });

  test('a fixed time comes once on each day that has it, whatever the clocks do', () => {
    const times = [
      '0 0',
      '30 0',
      '0 1',
      '30 1',
      '45 1',
      '0 2',
      '15 2',
      '30 2',
      '0 3',
      '30 23',
      '0 23',
      '15 23',
      '59 23',
      '0 12',
    ];
    expect(times.flatMap((time) => changes.flatMap((change) => compare(change, `${time} * * *`)))).toEqual([]);
  });

  test.each([
    ['a day of the week', ['15 23 * * 6', '30 0 * * 0', '30 0 * * 7', '30 23 * * 5,6', '30 2 * * 0', '0 0 * * 1-5']],
    ['a day of the month', ['30 23 27 * *', '30 0 28 3 *', '30 23 L * *', '0 0 1-31/2 * *', '15 2 31 10 *']],
    ['either', ['30 23 27 3 6', '0 0 1 * 0', '30 2 28 * 1']],
    [
      'one week of the month',
      ['30 23 * * 6L', '30 2 * * 0L', '30 0 * * 0#2', '0 2 * 3 0#2', '0 2 * 11 0#1', '30 23 * * 6#4'],
    ],
  ])('a fixed time on %s', (_, expressions) => {
    expect(expressions.flatMap((cron) => changes.flatMap((change) => compare(change, cron)))).toEqual([]);
  });

  test.each([
    ['each minute', ['* * * * *']],
    ['each hour', ['0 * * * *', '15 * * * *', '59 * * * *']],
    ['by steps', ['*/7 * * * *', '*/30 * * * *', '5-50/15 */2 * * *']],
    [
      'at lists of times',
      ['0,30 0,1,2,3,23 * * *', '15 0-3 * * *', '45 22-23 * * 6', '0,30 23 * * 6', '*/20 2 * * 0', '* 0 * * 0'],
    ],
  ])('what repeats goes on by the time that passes: %s', (_, expressions) => {
    expect(expressions.flatMap((cron) => changes.flatMap((change) => compare(change, cron, 3 * HOUR)))).toEqual([]);
  });

  test('whatever the expression is', () => {
    const minute = fc.oneof(fc.nat(59).map(String), fc.constantFrom('*/5', '*/30', '0,30', '0-10/5', '15,45'));
    const hour = fc.oneof(
      fc.constantFrom('*', '*/2', '0,23', '1-3', '22-23'),
      fc.constantFrom(0, 1, 2, 3, 22, 23).map(String),
    );
    const day = fc.oneof(fc.constantFrom('*', 'L', '1-15', '*/2'), fc.integer({ min: 1, max: 31 }).map(String));
    const weekday = fc.oneof(fc.constantFrom('*', '1-5', '6,0', '0L', '6L', '0#1', '6#4'), fc.nat(7).map(String));
    const month = fc.constantFrom('*', '3,10', '*/2', '4-11');
    const fields = fc.tuple(minute, hour, day, month, weekday);
    fc.assert(
      fc.property(fields, fc.constantFrom(...changes), (cron, change) => {
        expect(compare(change, cron.join(' '), DAY)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
