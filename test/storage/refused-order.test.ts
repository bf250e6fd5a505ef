// The order of a group where its lane is full as something comes back to it: what comes back is not overtaken meanwhile.
import { expect, test } from 'vitest';
import { type Bench, onEachRedis } from '../support/bench.ts';

/** The lane takes nothing while this runs: its record is full. */
async function withFullLane(b: Bench, work: () => Promise<unknown>): Promise<void> {
  b.redises.refuse = () => ({
    from: 1,
    times: Number.POSITIVE_INFINITY,
    commands: ['RPUSH', 'LPUSH'],
    keys: ['*lane:*'],
  });
  try {
    await work();
  } finally {
    b.redises.refuse = () => undefined;
  }
}

const options = { group: 'g', maxAttempts: 9 };
const three = (b: Bench) => b.enqueue(...[1, 2, 3].map((n) => b.message('mail', n, options)));

/** One after the other, each acked. */
async function takeAll(b: Bench): Promise<string[]> {
  const taken: string[] = [];
  for (let i = 0; i < 6; i++) {
    const [entry] = await b.take(5, 'late');
    if (!entry) break;
    taken.push(entry);
    await b.sync({ lease: 'late', settlements: [{ entry, outcome: 'ack' }] });
  }
  return taken;
}

onEachRedis('an ordered group whose lane is full', (bench) => {
  const ordered = () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: '*', policy: ' o p=5' });
    return b;
  };

  test('waits for what an expired lease gives back', async () => {
    const b = ordered();
    const [first = '', second = '', third = ''] = await three(b);
    expect(await b.take(5, 'dies')).toEqual([`1.${first}`]);
    b.unordered.add(first);
    b.now += 60_000;
    await withFullLane(b, () => b.store.sweep('*'));
    expect(await b.take(5, 'next')).toEqual([]);
    b.now += 60_000;
    await b.store.sweep('*');
    expect(await takeAll(b)).toEqual([`2.${first}`, `1.${second}`, `1.${third}`]);
  });

  test('waits for what waited for its retry', async () => {
    const b = ordered();
    const [first = '', second = '', third = ''] = await three(b);
    await b.take(5, 'retries');
    b.unordered.add(first);
    const failure = { kind: 'failed', text: 'x' } as const;
    const settlements = [{ entry: `1.${first}`, outcome: 'retry' as const, delayMs: 1_000, failure }];
    await b.sync({ lease: 'retries', settlements });
    b.now += 1_000;
    await withFullLane(b, () => b.store.sweep('*'));
    expect(await b.take(5, 'next')).toEqual([]);
    b.now += 60_000;
    await b.store.sweep('*');
    expect(await takeAll(b)).toEqual([`2.${first}`, `1.${second}`, `1.${third}`]);
  });
});
