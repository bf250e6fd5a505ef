// Which numbers arrive as they were sent: judged by whole numbers without bounds, and by what doubles are written as.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inexactPlace, readJson, toJson } from '../src/formats/json.ts';

describe('a number', () => {
  test('that a runtime wrote is exact, whatever double it is', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(inexactPlace(JSON.stringify({ number }))).toBeUndefined();
      }),
    );
  });

  test('of 17 digits that comes back as the same double is exact', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-300, max: 1e300 }), (number) => {
        const text = number.toPrecision(17);
        expect(inexactPlace(`[${text.includes('.') ? text : `${text}.0`}]`)).toBeUndefined();
      }),
    );
  });

  test('that is whole is exact where what is given out is the same whole number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), (number) => {
        const given = JSON.stringify(JSON.parse(`[${number}]`));
        const isSame = BigInt(given.slice(1, -1)) === number;
        expect(inexactPlace(`[${number}]`) === undefined).toBe(isSame);
      }),
      { numRuns: 2_000 },
    );
  });

  test('beyond what a double reaches is not exact, and its place is told', () => {
    expect(inexactPlace('{"a": {"b.c": [0, 1e309]}}')).toBe('a.b.c.1');
    expect(inexactPlace('{"a": {"b": [0, -1e-330]}}')).toBe('a.b.1');
    expect(inexactPlace('{"text": "\\\\\\": 1e309,", "n": 1}')).toBeUndefined();
    expect(inexactPlace(`{"n": 1e309, "a": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`)).toBe('');
  });

  test('is looked for in four megabytes of text', () => {
    for (const unit of ['\\', 'a', '[', '":1e309,']) {
      const json = JSON.stringify({ text: unit.repeat(4e6 / unit.length) });
      expect(inexactPlace(json)).toBeUndefined();
      expect(inexactPlace(json.replace(/}$/, ', "n": 1e309}'))).toBe('n');
      expect(readJson(json)).toEqual(JSON.parse(json));
    }
  });
});

describe('a value', () => {
  const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;

  test('is written up to a thousand levels deep, and read', () => {
    const { text = '' } = toJson(nested(1_000));
    expect(readJson(text)).toEqual(nested(1_000));
    for (const levels of [1_001, 5_000, 200_000]) expect(toJson(nested(levels))).toEqual({ fault: 'too_deep' });
    expect(() => readJson(`[${text}]`)).toThrow(SyntaxError);
    expect(toJson([nested(1_000)], 1)).toEqual({ text: `[${text}]` });
  });

  test('is not deep for the brackets in its texts', () => {
    const value = { text: '[{'.repeat(5_000), quoted: '\\"['.repeat(2_000) };
    expect(toJson(value)).toEqual({ text: JSON.stringify(value) });
  });
});
