// The rules of counters and traces: buckets, percentiles, trace context. Pure.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundMs, findBucket, LAST_BUCKET, readPercentiles } from '../src/formats/histogram.ts';
import { metricsText } from '../src/http/prometheus.ts';
import { formatTraceparent, parseTraceparent, spanBelow } from '../src/message/trace-context.ts';
import { addCounters, parseCounters } from '../src/stats/counters.ts';
import { measuredText } from '../src/store/measured.ts';
import { encodeSpans } from '../src/telemetry/otlp.ts';

const DAY_MS = 86_400_000;

describe('buckets', () => {
  test('a duration is within the bounds of its bucket, and of no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: DAY_MS }), (ms) => {
        const bucket = findBucket(ms);
        expect(ms).toBeLessThanOrEqual(boundMs(bucket));
        if (bucket > 0) expect(ms).toBeGreaterThan(boundMs(bucket - 1));
      }),
    );
  });

  test.each([
    [0, 0],
    [1, 0],
    [2, 2],
    [3, 4],
    [4, 4],
    [1_024, 20],
    [DAY_MS, 53],
    [Number.MAX_SAFE_INTEGER, LAST_BUCKET],
  ])('%i ms is in bucket %i', (ms, bucket) => {
    expect(findBucket(ms)).toBe(bucket);
  });
});

describe('figures', () => {
  test('what a consumer measured, as the scripts read it; clocks that disagree give no negative wait', () => {
    expect(measuredText([])).toBe('');
    const slow = { queue: 'mail', waitMs: 1_200.4, runMs: 8 };
    expect(measuredText([slow])).toBe('mail w21=1 wait=1200 r6=1 run=8');
    expect(measuredText([slow, { queue: 'mail', waitMs: -3, runMs: 0 }, { ...slow, runMs: 7 }])).toBe(
      'mail w0=1 w21=2 wait=2400 r0=1 r6=2 run=15',
    );
    expect(measuredText([{ queue: 'mail', runMs: 1 }])).toBe('mail r0=1 run=1');
  });

  test('texts of the store are read, added up, and what is unknown in them is passed over', () => {
    const one = parseCounters('acked=2 w6=1 wait=7 r2=2 run=4 later=9');
    const sum = addCounters([one, parseCounters(''), parseCounters('dead=1 leaseExpired=1 w6=1 w9=1 wait=27')]);
    expect(sum).toMatchObject({ acked: 2, retried: 0, dead: 1, leaseExpired: 1, run: { count: 2, sumMs: 4 } });
    expect(sum.wait).toMatchObject({ count: 3, sumMs: 34 });
    expect(sum.wait.counts[6]).toBe(2);
  });

  test('percentiles are within a bucket of the truth', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: DAY_MS }), { minLength: 1, maxLength: 200 }), (durations) => {
        const { wait } = parseCounters(durations.map((ms) => `w${findBucket(ms)}=1`).join(' '));
        const sorted = durations.toSorted((a, b) => a - b);
        for (const [name, part] of [['p50', 0.5] as const, ['p95', 0.95] as const, ['p99', 0.99] as const]) {
          const truth = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
          const told = readPercentiles(wait)[name] ?? Number.NaN;
          expect(told).toBeGreaterThanOrEqual(Math.floor(truth / Math.SQRT2));
          expect(told).toBeLessThanOrEqual(Math.ceil(truth * Math.SQRT2));
        }
      }),
    );
  });

  test('the metrics have a known duration in its bucket and all above, an octave each', () => {
    const counters = parseCounters(measuredText([{ queue: 'mail', waitMs: 20, runMs: 500 }]).slice('mail '.length));
    const text = metricsText({
      now: 0,
      queues: [],
      totals: new Map([['mail', counters]]),
      breakers: new Map(),
      sources: [],
    });
    const bucketsOf = (name: string) => {
      const pattern = new RegExp(`^sluice_delivery_${name}_seconds_bucket\\{queue="mail",le="(.+)"\\} (\\d)$`, 'gm');
      return [...text.matchAll(pattern)].map(([, bound, count]) => [bound, Number(count)]);
    };
    const bounds = [...Array.from({ length: 27 }, (_, octave) => String(2 ** octave / 1_000)), '+Inf'];
    const from = (least: string) => bounds.map((bound, i) => [bound, i < bounds.indexOf(least) ? 0 : 1]);
    expect([bucketsOf('wait'), bucketsOf('duration')]).toEqual([from('0.032'), from('0.512')]);
    expect(text).toContain('\nsluice_delivery_wait_seconds_sum{queue="mail"} 0.02\n');
    expect(text).toContain('\nsluice_delivery_duration_seconds_count{queue="mail"} 1\n');
  });

  test('where nothing was measured there is no percentile', () => {
    expect(readPercentiles(parseCounters('acked=1').wait)).toEqual({ p50: null, p95: null, p99: null });
  });
});

describe('trace context', () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const SPAN = 'b7ad6b7169203331';

  test('what is valid is read and written back; of later versions what is known of them', () => {
    const context = { traceId: TRACE, spanId: SPAN, sampled: true };
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual(context);
    expect(formatTraceparent(context)).toBe(`00-${TRACE}-${SPAN}-01`);
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-02`)).toMatchObject({ sampled: false });
    expect(parseTraceparent(`01-${TRACE}-${SPAN}-01-more`)).toEqual(context);
  });

  test.each([
    undefined,
    '',
    'nonsense',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
  ])('%j is ignored', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  test('a span below another has its trace and an id of its own; without one a trace begins', () => {
    const parent = { traceId: TRACE, spanId: SPAN, sampled: false };
    expect(spanBelow(parent)).toMatchObject({ traceId: TRACE, sampled: false });
    expect(spanBelow(parent).spanId).not.toBe(SPAN);
    expect(parseTraceparent(formatTraceparent(spanBelow(undefined)))).toMatchObject({ sampled: true });
  });

  test('spans are written as the protocol has them', () => {
    const context = { traceId: TRACE, spanId: SPAN, sampled: true };
    const span = {
      context,
      parent: undefined,
      kind: 'consumer' as const,
      startAt: 1,
      endAt: 2.4,
      errorType: 'timeout',
    };
    const text = encodeSpans([{ ...span, name: 'process mail', attributes: { n: 1, s: 'x' } }]);
    expect(JSON.parse(text).resourceSpans[0].scopeSpans[0].spans).toEqual([
      {
        traceId: TRACE,
        spanId: SPAN,
        name: 'process mail',
        kind: 5,
        startTimeUnixNano: '1000000',
        endTimeUnixNano: '2000000',
        attributes: [
          { key: 'n', value: { intValue: '1' } },
          { key: 's', value: { stringValue: 'x' } },
          { key: 'error.type', value: { stringValue: 'timeout' } },
        ],
        status: { code: 2 },
      },
    ]);
  });
});
