// The dashboard's own rules: how figures are read, where one is, and what died of the same.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupCauses } from '../../src/broker/failure-groups.ts';
import { duration, instant, pretty, preview, relative } from '../../src/dashboard/format.ts';
import { linkTo, parseRoute } from '../../src/dashboard/route.ts';

describe('figures', () => {
  test.each([
    [0, '0 ms'],
    [12.4, '12 ms'],
    [1_000, '1 s'],
    [2_449, '2.4 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [90_000, '1 min 30 s'],
    [5_400_000, '1 h 30 min'],
    [183_600_000, '2 d 3 h'],
    [-5, '0 ms'],
    [undefined, '–'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('%s ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test('an instant is in the past, now, or to come', () => {
    expect([relative(0, 90_000), relative(90_000, 0), relative(500, 0), relative(undefined, 0)]).toEqual([
      '1 min 30 s ago',
      'in 1 min 30 s',
      'now',
      '–',
    ]);
  });

  test('an instant says its zone, and one whose zone is not known here is in UTC', () => {
    const noon = Date.UTC(2026, 6, 1, 12);
    expect([instant(noon, 'Europe/Berlin'), instant(noon, 'Mars/Olympus'), instant(undefined)]).toEqual([
      '1 Jul 2026, 14:00:00 CEST',
      '1 Jul 2026, 12:00:00 UTC',
      '–',
    ]);
  });

  test('a body is shown on one line as far as it fits, or pretty; one that cannot be read is empty', () => {
    expect(preview({ a: [1] })).toBe('{"a":[1]}');
    expect(preview('x'.repeat(500))).toHaveLength(121);
    expect([preview(undefined), pretty(undefined)]).toEqual(['', '']);
    expect(pretty({ a: 1 })).toBe('{\n  "a": 1\n}');
  });
});

describe('an address', () => {
  test('leads back to what it was made of', () => {
    const name = fc.string({ minLength: 1, unit: 'grapheme' });
    fc.assert(
      fc.property(fc.array(name), fc.dictionary(name, fc.string()), (parts, query) => {
        const route = parseRoute(linkTo(parts, query));
        expect(route.parts).toEqual(parts);
        expect(Object.entries(route.query)).toEqual(Object.entries(query));
      }),
    );
  });

  test('typed by hand it may hold anything', () => {
    expect(parseRoute('').parts).toEqual([]);
    expect(parseRoute('#/queues/%zz//').parts).toEqual(['queues', '%zz']);
  });
});

describe('causes', () => {
  const letter = (id: string, text: string, at = 1, kind = 'failed') => ({ id, at, kind, text });

  test('texts that differ in numbers and ids only are one; kinds are not', () => {
    const groups = groupCauses([
      letter('a', 'timeout after 30000 ms at shard-7'),
      letter('b', 'timeout after 1 ms at shard-12', 5),
      letter('c', 'timeout after 1 ms at shard-12', 3, 'timeout'),
    ]);
    expect(groups).toEqual([
      { kind: 'failed', text: 'timeout after 1 ms at shard-12', count: 2, firstAt: 1, lastAt: 5, ids: ['a', 'b'] },
      { kind: 'timeout', text: 'timeout after 1 ms at shard-12', count: 1, firstAt: 3, lastAt: 3, ids: ['c'] },
    ]);
  });

  test('each letter is in one group, whatever killed it', () => {
    const letters = fc.array(fc.record({ id: fc.uuid(), at: fc.nat(), kind: fc.string(), text: fc.string() }));
    fc.assert(
      fc.property(letters, (all) => {
        const ids = groupCauses(all).flatMap(({ ids: some }) => some);
        expect(ids.toSorted()).toEqual(all.map(({ id }) => id).toSorted());
      }),
    );
  });
});
