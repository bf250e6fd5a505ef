// Rules without I/O: durations, backoff, ids, lanes.
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { readConfig } from '../src/config/config.ts';
import { parseDuration, YEAR_MS } from '../src/formats/duration.ts';
import { openEnvelope } from '../src/message/envelope.ts';
import { makeIds, newToken, parseEntry } from '../src/message/ids.ts';
import { formatLane, parseLane } from '../src/message/lane.ts';
import type { Priority } from '../src/message/message.ts';
import { constant, exponential } from '../src/queue/backoff.ts';
import { makeKeys } from '../src/redis/keys.ts';

describe('durations', () => {
  test.each([
    [0, 0],
    [1_500, 1_500],
    ['250ms', 250],
    ['90s', 90_000],
    ['2.5s', 2_500],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1d', 86_400_000],
    ['365d', YEAR_MS],
  ])('%j is %j ms', (duration, ms) => expect(parseDuration(duration)).toBe(ms));

  test.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    YEAR_MS + 1,
    2 ** 60,
    '',
    ' ',
    '5',
    '-5s',
    '5 m',
    's',
    '1m1h',
    '366d',
    '1e3s',
    '٣s',
  ])('%j is none', (duration) => expect(parseDuration(duration)).toBeUndefined());
});

describe('backoff', () => {
  test('exponential: attempt n waits at least base × 2^(n-1), jitter only adds, max bounds', () => {
    const backoff = exponential({ base: '2s', max: '10m' });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          const wait = backoff.waitMs(attempt, random);
          const least = Math.min(600_000, 2_000 * 2 ** (attempt - 1));
          return wait >= Math.min(least, 600_000) && wait <= Math.min(600_000, least * 2);
        },
      ),
    );
  });

  test('TI3 five thousand that fail together do not come back together', () => {
    const backoff = exponential({ base: '10s', max: '10m' });
    const slots = new Map<number, number>();
    for (let i = 0; i < 5_000; i++) {
      const slot = Math.floor(backoff.waitMs(1, Math.random()) / 100);
      slots.set(slot, (slots.get(slot) ?? 0) + 1);
    }
    expect(Math.max(...slots.values())).toBeLessThan(250);
  });

  test.each([
    [1, 0, 2_000],
    [1, 0.25, 2_500],
    [1, 0.5, 3_000],
    [3, 0, 8_000],
    [3, 0.75, 14_000],
    [9, 0, 512_000],
    [9, 0.5, 600_000],
    [10, 0, 600_000],
  ])('exponential: after attempt %i, with the random number %d, it is %i ms', (attempt, random, waitMs) => {
    expect(exponential({ base: '2s', max: '10m' }).waitMs(attempt, random)).toBe(waitMs);
  });

  test('constant: the wait and up to a tenth more', () => {
    expect(constant('1s').waitMs(9, 0.5)).toBe(1_050);
    expect([constant('1s').waitMs(9, 0), constant('1s').waitMs(9, 0.999)]).toEqual([1_000, 1_099]);
  });
});

describe('lanes and entries', () => {
  const group = fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }).filter((text) => text.isWellFormed());

  test('OP6 any group comes back from its lane, and no lane holds what could harm a key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9 }), fc.option(group, { nil: undefined }), (priority, name) => {
        const lane = formatLane(priority as Priority, 'mail.out', name);
        expect(parseLane(lane)).toEqual({
          priority,
          queue: 'mail.out',
          ...(name === undefined ? {} : { group: name }),
        });
        expect(lane).toMatch(/^\d:mail\.out(\/[\w.!~*'()%-]+)?$/);
      }),
    );
  });

  test('two groups never share a lane', () => {
    fc.assert(fc.property(group, group, (a, b) => (a === b) === (formatLane(1, 'q', a) === formatLane(1, 'q', b))));
  });

  test('an entry carries attempt and id', () => {
    expect(parseEntry('12.0VbUSoVE5WM3i3GLl4EM-7')).toEqual({ attempt: 12, id: '0VbUSoVE5WM3i3GLl4EM-7' });
  });

  test('an envelope whose JSON is damaged throws, and never comes back as another message', () => {
    expect(() => openEnvelope('1.a', '5:mail * 5 1 0\n{"body":')).toThrow(SyntaxError);
    expect(() => openEnvelope('1.a', 'no line feed')).toThrow(SyntaxError);
    expect(openEnvelope('1.b', '3:news * 4 7 0\n{"body":1}').message).toMatchObject({
      id: 'b',
      queue: 'news',
      body: 1,
    });
  });
});

describe('ids', () => {
  test('tokens sort by the time they were made, and do not repeat', () => {
    const tokens = Array.from({ length: 10_000 }, (_, i) => newToken(1_800_000_000_000 + i));
    expect(tokens.toSorted()).toEqual(tokens);
    expect(new Set(Array.from({ length: 10_000 }, () => newToken(1))).size).toBe(10_000);
  });

  test('the messages of a request are told apart by their place in it', () => {
    expect([makeIds('t', 1), makeIds('t', 2)]).toEqual([['t'], ['t-0', 't-1']]);
  });
});

describe('settings', () => {
  const least = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 't' };

  test('have defaults, and come frozen', () => {
    const config = readConfig(least);
    expect(config).toMatchObject({ SLUICE_TOKENS: [], SLUICE_LEASE_MS: 30_000, SLUICE_DRAIN_REQUESTS: 9_000 });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('connections are counted where the platform does: in Workers, of whose six deliveries have five', () => {
    expect(readConfig(least).SLUICE_CONNECTIONS).toBe(1_000);
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' });
    expect(readConfig(least).SLUICE_CONNECTIONS).toBe(5);
    vi.unstubAllGlobals();
  });

  test('each bad one is named, and no value is shown', () => {
    const bad = {
      ...least,
      UPSTASH_REDIS_REST_URL: 'ftp://secret',
      SLUICE_TOKENS: '[{"name":"a"}]',
      SLUICE_LEASE_MS: '1',
    };
    expect(() => readConfig(bad)).toThrow(/UPSTASH_REDIS_REST_URL.*SLUICE_TOKENS\.0\.sha256.*SLUICE_LEASE_MS/);
    expect(() => readConfig(bad)).not.toThrow(/secret/);
  });

  test.each([
    ['UPSTASH_REDIS_REST_TOKEN', ['AX-1_a==', 't'], ['', 'a b', 't\n', 7]],
    ['SLUICE_DRAIN_REQUESTS', ['15', 10_000, '10000000'], ['14', '10000001', '45.5', 'many', '', true, null]],
    ['SLUICE_WOKEN_MS', ['1000', 28_000, '840000'], ['999', '840001', '28s', '']],
    ['CRON_SECRET', ['', 'sixteen-or-more.'], ['fifteen-letters', 'sixteen or more.', 7]],
    ['SLUICE_POLL_MS', ['0', 60_000], ['-1', '60001', '1s']],
    ['SLUICE_PREFIX', ['a', 'A-z_0.9'], ['', 'a}b', 'ä', 'a'.repeat(65), 7]],
    ['SLUICE_LOG_ERRORS', ['true', 'false'], ['', 'yes', 'TRUE']],
    [
      'SLUICE_OTLP_ENDPOINT',
      ['https://otlp.example/x', 'http://[::1]:4318'],
      ['', 'otlp.example', 'ftp://x', 'https://'],
    ],
    ['SLUICE_DRAINERS', ['1', 32], ['0', '33']],
    [
      'SLUICE_URL',
      ['https://a.example', 'https://a.example/api/sluice/', 'http://127.0.0.1:8787', 'http://localhost'],
      [
        ...['', 'a.example', 'http://a.example', 'http://127.0.0.1.a.example'],
        ...['https://a.example/?b', 'https://a.example/#b', 'https://a:b@a.example', 'https://:b@a.example'],
      ],
    ],
    ['SLUICE_DESTINATION_HOSTS', ['', 'a.example, *.b.example:8443'], ['https://a.example', 7]],
  ])('%s takes %j, and not %j', (name, good, bad) => {
    for (const value of good) expect(() => readConfig({ ...least, [name]: value })).not.toThrow();
    for (const value of bad)
      expect(() => readConfig({ ...least, [name]: value })).toThrow(new RegExp(`^${name}: must be `));
  });

  test('a prefix that could leave its hash tag is refused', () => {
    expect(() => makeKeys('a}b')).toThrow(RangeError);
    expect(makeKeys('a-b.c_1').root).toBe('{a-b.c_1}:');
  });
});
