// What a consumer names in a call that storage refuses it knows: it is not given to it once more, whatever was lost, or refused, before.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newToken } from '../../src/message/ids.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { Bench, onEachRedis, straightTo } from '../support/bench.ts';

const failure = { kind: 'failed', text: 'x' } as const;
const FULL = [
  ...['failures:*', 'timers', 'lane:*', 'lease:*', 'dead:*', 'ready:*', 'stats'].map((key) => `*${key}`),
  '*',
];

const record = fc.record({
  keys: fc.constantFrom(...FULL),
  from: fc.integer({ min: 1, max: 4 }),
  times: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
});
const outcome = fc.constantFrom('ack', 'chained', 'retry', 'release', 'dead');
const step = fc.record({
  enqueued: fc.array(fc.constantFrom('mail', 'news'), { maxLength: 5 }),
  keepsHalf: fc.boolean(),
  outcomes: fc.array(outcome, { minLength: 20, maxLength: 20 }),
  delayed: fc.boolean(),
  want: fc.integer({ min: 1, max: 8 }),
  /** What storage refuses of each try: the answers of all but the last are lost. */
  tries: fc.array(fc.option(record, { nil: undefined, freq: 2 }), { minLength: 1, maxLength: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function settlementOf(b: Bench, entry: string, what: string | undefined, delayMs: number): Settlement {
  if (what === 'retry') return { entry, outcome: what, delayMs, failure };
  if (what === 'release') return { entry, outcome: what, delayMs };
  if (what === 'dead') return { entry, outcome: what, failure };
  if (what !== 'chained') return { entry, outcome: 'ack' };
  return { entry, outcome: 'ack', chained: [{ id: newToken(), ...b.message('mail', 'next') }] };
}

/** One call of the consumer, sent until it is answered. @returns what it holds then */
async function call(b: Bench, held: string[], { keepsHalf, outcomes, delayed, want, tries }: Step): Promise<string[]> {
  const kept = keepsHalf ? held.slice(0, held.length >> 1) : [];
  const named = held.slice(kept.length);
  const settlements = named.map((entry, i) => settlementOf(b, entry, outcomes[i % outcomes.length], delayed ? 50 : 0));
  const request = { lease: 'consumer', leaseMs: 1e9, held: kept.length, want, pools: ['*'], settlements };
  const all = [...tries, undefined];
  let answer: Awaited<ReturnType<typeof b.store.sync>> | undefined;
  for (let i = 0; i < tries.length || !answer; i++) {
    const refused = all[i];
    b.redises.refuse = () => refused && { ...refused, keys: [refused.keys] };
    answer = await b.store.sync(request).catch(() => undefined);
    b.redises.refuse = () => undefined;
  }
  expect(answer.lost).toBeFalsy();
  const known = [...kept, ...named.filter((_, i) => answer?.statuses[i] === 'refused')];
  const taken = answer.taken.map(({ entry }) => entry);
  expect(taken.filter((entry) => known.includes(entry))).toEqual([]);
  return [...known, ...taken];
}

onEachRedis('what a consumer gave back, and has again by an answer that was lost', (bench) => {
  test('is not what it is given when storage refuses that it goes back once more', async () => {
    const b = bench();
    const [first = ''] = await b.enqueue(b.message('mail', 1));
    expect(await b.take(1, 'consumer')).toEqual([`1.${first}`]);
    const [urgent = ''] = await b.enqueue(b.message('mail', 2, { priority: 0 }));
    const request = {
      lease: 'consumer',
      want: 6,
      settlements: [{ entry: `1.${first}`, outcome: 'release' as const }],
    };
    expect((await b.sync(request)).taken).toHaveLength(2);
    b.redises.refuse = () => ({ from: 1, times: Number.POSITIVE_INFINITY, keys: ['*lane:*'] });
    const { statuses, taken } = await b.sync(request);
    b.redises.refuse = () => undefined;
    expect([statuses, taken.map(({ entry }) => entry)]).toEqual([['refused'], [`1.${urgent}`]]);
  });
});

onEachRedis(
  'what a consumer names',
  (bench) => {
    test('comes once more in no history of refusals and lost answers', async () => {
      const b = bench();
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 15 }), async (steps) => {
          const own = new Bench(b.redises, straightTo(b.redises.emulator));
          let held: string[] = [];
          for (const one of steps) {
            if (one.enqueued.length > 0)
              await own.enqueue(...one.enqueued.map((queue) => own.message(queue, 'x', { maxAttempts: 9 })));
            own.now += 60;
            held = await call(own, held, one);
          }
        }),
        { numRuns: 150, interruptAfterTimeLimit: 20_000 },
      );
    });
  },
  ['redis-server'],
);
