// What the schemas of requests find wrong: the texts are zod's own, though its texts for all else are no part of a Worker.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { Headers } from '../src/formats/headers-schema.ts';
import { isIsoInstant } from '../src/formats/instant.ts';
import { describeIssue } from '../src/formats/issue-text.ts';

describe('an issue', () => {
  const text = z.string().check(z.minLength(2), z.maxLength(3), z.regex(/^a/));
  const whole = z.int().check(z.minimum(1), z.maximum(9));
  const list = z.array(z.unknown()).check(z.minLength(1), z.maxLength(2));

  test.each<[string, z.ZodMiniType, unknown]>([
    ['no text', text, 1],
    ['null for a text', text, null],
    ['a list for a text', text, []],
    ['an object for a text', text, {}],
    ['nothing', text, undefined],
    ['a short text', text, 'a'],
    ['a long text of another form', text, 'bcde'],
    ['no whole number', whole, 1.5],
    ['no number', whole, Number.NaN],
    ['an endless number', z.number(), Number.POSITIVE_INFINITY],
    ['a small number', whole, 0],
    ['a large number', whole, 10],
    ['a number at an open bound', z.number().check(z.gt(1), z.lt(1)), 1],
    ['a text of another length', z.string().check(z.length(2)), 'a'],
    ['an empty list', list, []],
    ['a long list', list, [1, 2, 3]],
    ['no list', list, 'a'],
    ['no choice', z.enum(['a', 'b']), 'c'],
    ['no constant', z.literal('a'), 'b'],
    ['no object', z.strictObject({}), 'a'],
    ['no form of several', z.union([z.string(), z.number()]), true],
    ['no flag', z.boolean(), 'true'],
  ])('of %s says what zod says', (_, schema, value) => {
    const { localeError } = en();
    const textsBy = (error: z.core.$ZodErrorMap) => z.safeParse(schema, value, { error }).error?.issues;
    expect(textsBy(describeIssue)).toEqual(textsBy(localeError as z.core.$ZodErrorMap));
    expect(textsBy(describeIssue)).not.toHaveLength(0);
  });
});

describe('an instant', () => {
  const zods = z.iso.datetime({ offset: true });

  test.each([
    '2026-02-28T00:00:00Z',
    '2024-02-29T23:59:59.123456+23:59',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T23:60:00Z',
    '2026-01-01T23:00:60Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00',
    '2026-01-01T00:00Z',
    '2026-01-01 00:00:00Z',
    '2026-01-01t00:00:00z',
    '+002026-01-01T00:00:00Z',
    '2026-01-01',
    '',
  ])('%j is one where zod has one', (text) => expect(isIsoInstant(text)).toBe(zods.safeParse(text).success));

  test('of any figures is one where zod has one', () => {
    const two = (most: number) => fc.integer({ min: 0, max: most }).map((figure) => String(figure).padStart(2, '0'));
    const parts = fc.tuple(two(13), two(32), two(25), two(61), two(61), fc.constantFrom('Z', '+05:30', '-24:00', ''));
    fc.assert(
      fc.property(fc.integer({ min: 1900, max: 2100 }), parts, (year, [month, day, hour, minute, second, zone]) => {
        const text = `${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`;
        return isIsoInstant(text) === zods.safeParse(text).success;
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('headers', () => {
  const fieldsOf = (value: unknown) => Headers.safeParse(value).error?.issues.map(({ path }) => path.join('.'));

  test.each<[string, unknown]>([
    ['texts', { 'x-a': 'b', ['k'.repeat(128)]: 'v'.repeat(4_096), empty: '' }],
    ['none', {}],
    ['those of an object without a prototype', Object.assign(Object.create(null), { a: 'b' })],
  ])('of %s are taken as they are', (_, value) => expect(Headers.parse(value)).toEqual(value));

  test.each<[string, unknown, string[]]>([
    ['a list', [], ['']],
    ['null', null, ['']],
    ['a text', 'a: b', ['']],
    ['an object of a class', new Map([['a', 'b']]), ['']],
    ['a number and a long value', { a: 1, b: 'v'.repeat(4_097), c: 'd' }, ['a', 'b']],
    ['a long name', { ['k'.repeat(129)]: 'v' }, ['k'.repeat(129)]],
    ['no name', { '': 'v' }, ['']],
    ['the name of a prototype', JSON.parse('{"__proto__": "a"}'), ['']],
  ])('of %s are refused by the fields that are wrong', (_, value, fields) => expect(fieldsOf(value)).toEqual(fields));
});
