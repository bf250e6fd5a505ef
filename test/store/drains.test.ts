// The places of drains that a backlog has, and what is counted before one is started.
import { expect, test } from 'vitest';
import { claimDrains, countReady } from '../../src/store/drains.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { divideAbove } from '../support/parts.ts';

divideAbove(4);

const S = 1_000;
const LIFE = { places: 4, lifeMs: 30 * S };

const onClock = (b: Bench) => b.opened(b.runner(), () => b.now);

const claim = async (b: Bench, own: number | undefined, others: number, most = 4) => {
  const claimed = await claimDrains(onClock(b), { own, most, others, ...LIFE });
  return [claimed.own, ...claimed.others];
};

onEachRedis('places for drains', (bench) => {
  test('are never taken twice, however many ask, until their time is over', async () => {
    const b = bench();
    const claims = await Promise.all(Array.from({ length: 6 }, () => claim(b, undefined, 1)));
    expect(
      claims
        .flat()
        .filter((place) => place !== undefined)
        .toSorted(),
    ).toEqual([0, 1, 2, 3]);
    expect(await claim(b, undefined, 3)).toEqual([undefined]);
    b.now += 30 * S + 1;
    expect(await claim(b, undefined, 1)).toEqual([0, 1]);
  });

  test('are kept by who asks with one, who may be at another by its name; the last ones give theirs back', async () => {
    const b = bench();
    expect(await claim(b, undefined, 2)).toEqual([0, 1, 2]);
    b.now += 20 * S;
    expect(await claim(b, 1, 0)).toEqual([1]);
    expect(await claim(b, 3, 0)).toEqual([3]);
    b.now += 20 * S;
    expect((await countReady(onClock(b), '*')).taken.toSorted()).toEqual([1, 3]);
    expect(await claim(b, 3, 2, 1)).toEqual([undefined]); // one is wanted, and that is another
    expect(await claim(b, 1, 0, 1)).toEqual([1]);
    await claimDrains(onClock(b), { back: [1], most: 0, others: 0, ...LIFE });
    expect(await b.redises.raw.exists(`${b.root}drains`)).toBe(0);
  });

  test('and what is ready is told of a lane with all its parts', async () => {
    const b = bench();
    for (let i = 0; i < 7; i++) await b.enqueue(b.message('mail', 'a'), b.message('mail', 'b'), b.message('mail', 'c'));
    expect(await b.redises.raw.llen(`${b.root}lane:5:mail`)).toBeLessThan(7);
    expect((await countReady(onClock(b), '*')).first).toEqual([{ lane: '5:mail', length: 21, setByOperators: '' }]);
  });

  test('and what is ready cost a few commands', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'a'), b.message('mail', 'b'));
    for (let i = 0; i < 8; i++) await b.enqueue(b.message('mail', 'c', { group: `g${i}` }));
    await b.redises.raw.hset(`${b.root}config`, 'mail', 'open * c=2');
    const ready = await countReady(onClock(b), '*');
    expect([ready.lanes, ready.first.length, ready.first[0]]).toEqual([
      9,
      5,
      { lane: '5:mail', length: 2, setByOperators: 'open * c=2' },
    ]);
    expect((await b.cost(() => countReady(b.opened(), '*'))).commands).toBe(16);
    await b.redises.raw.del(`${b.root}config`);
    const asking = () => claimDrains(b.opened(), { most: 4, others: 2, ...LIFE });
    await asking(); // its text is known from then on
    expect(await b.cost(asking)).toEqual({ commands: 4, requests: 1 });
  });
});
