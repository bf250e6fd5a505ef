// Dead letters are kept in number and for a time: of more the oldest go, for good, and are counted.
import { expect, test } from 'vitest';
import { type DeadLetterLimits, encodeDefinitions } from '../../src/queue/limits.ts';
import { parseCounters } from '../../src/stats/counters.ts';
import { openStats } from '../../src/stats/store.ts';
import { openStore } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { idOf } from '../support/settling.ts';

const DAY_MS = 86_400_000;

function keep(b: Bench, keeps: DeadLetterLimits, policy = ''): void {
  const queues = [{ name: 'mail', pool: '*', policy, handler: () => {} }];
  const policies = encodeDefinitions(queues, keeps);
  b.store = openStore(
    b.opened(b.runner(), () => b.now),
    { queues, policies },
  );
}

/** So many die, one after the other. @returns their ids */
async function die(b: Bench, count: number, options = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    ids.push(...(await b.enqueue(b.message('mail', i, options))));
    const [entry = ''] = await b.take(1, 'dies');
    await b.sync({
      lease: 'dies',
      settlements: [{ entry, outcome: 'dead', failure: { kind: 'refused', text: 'no' } }],
    });
    b.now += 10;
  }
  return ids;
}

const lettersOf = async (b: Bench) => Object.keys((await b.shard()).dead.mail ?? {}).map(idOf);
async function discarded(b: Bench): Promise<number> {
  const { texts } = await openStats(b.opened(b.runner(), () => b.now)).totals(['mail']);
  return parseCounters(texts[0] ?? '').discarded;
}

onEachRedis('a dead letter that its queue could not keep', (bench) => {
  test('is found also after more attempts than are looked for at once, and without its failures', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(b.message('mail', 1, { maxAttempts: 50 }));
    await b.redises.raw.del(`${b.root}lane:5:mail`, `${b.root}ready:*`);
    await b.redises.raw.zadd(`${b.root}dead:-`, b.now, `45.${id}`);
    expect(await b.adminStore().cancel(id)).toBe('dead');
    b.alive.delete(id);
    expect(await b.redises.raw.exists(`${b.root}dead:-`, `${b.root}m:${id}`)).toBe(0);
  });
});

onEachRedis('the dead letters of a queue', (bench) => {
  test('are kept up to a number: of more the oldest go, with all that they had', async () => {
    const b = bench();
    keep(b, { letters: 5, ms: DAY_MS });
    const ids = await die(b, 8);
    for (const id of ids.slice(0, 3)) b.alive.delete(id);
    expect(await lettersOf(b)).toEqual(ids.slice(3));
    expect(Object.keys((await b.shard()).failures).toSorted()).toEqual(ids.slice(3).toSorted());
    expect(await discarded(b)).toBe(3);
  });

  test('are kept for a time: a sweep an hour takes older ones, says so and counts them', async () => {
    const b = bench();
    keep(b, { letters: 100, ms: DAY_MS });
    const old = await die(b, 3);
    b.now += DAY_MS;
    const young = await die(b, 2);
    for (const id of old) b.alive.delete(id);
    let findings: unknown[] = [];
    for (let round = 0; round < 60; round++) {
      const swept = await b.store.sweep('*', { cursor: '0', round });
      if (round < 59) expect(swept.findings).toEqual([]);
      findings = swept.findings;
    }
    expect(findings).toEqual([{ finding: 'letters-discarded', name: 'mail' }]);
    expect(await lettersOf(b)).toEqual(young);
    expect(await discarded(b)).toBe(3);
  });

  test('that hold their groups back stay, however many', async () => {
    const b = bench();
    keep(b, { letters: 2, ms: DAY_MS }, 'b');
    const held: string[] = [];
    for (const group of ['a', 'b', 'c', 'd']) held.push(...(await die(b, 1, { group })));
    expect(await lettersOf(b)).toEqual(held);
  });
});
