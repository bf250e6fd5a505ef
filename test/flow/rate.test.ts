// A rate, and polling, by the real clock: whole engines on a real Redis, judged by the server's time of what was taken.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Synced, whatHappened } from '../../scripts/lua/observe.ts';
import { defineQueue } from '../../src/index.ts';
import { acked, engineOn, enqueueNow, pause } from '../regressions/engines.ts';
import { Bench, type Redises, startServer } from '../support/bench.ts';
import { redisServerPresent } from '../support/redis-server.ts';

const LOOK_MS = 10;
const periodOf = (at: number) => Math.floor(at / 1_000);

/** The periods in which the machine stood still for a good part, so that nobody could take what they give. */
function stillIn(looks: number[]): Set<number> {
  const still = new Set<number>();
  for (const [i, at] of looks.entries()) {
    const from = looks[i - 1] ?? at;
    if (at - from < 300) continue;
    for (let period = periodOf(from); period <= periodOf(at); period++) still.add(period);
  }
  return still;
}

describe.skipIf(!redisServerPresent())('on redis-server, by the real clock', () => {
  const syncs: Synced[] = [];
  let redises: Redises;
  beforeAll(async () => {
    redises = await startServer({
      observe: (event) => {
        const happened = whatHappened(event);
        if (happened?.what === 'synced') syncs.push(happened);
      },
    });
  }, 60_000);
  afterAll(() => redises.stop());

  test('SC3 a rate of 50 a second: no period gives more, and with a backlog none less than 49', async () => {
    const b = new Bench(redises);
    const work = defineQueue('work', { limits: { rate: { limit: 50, per: '1s' } }, subrequests: 0, handler: () => {} });
    const engines = [1, 2].map(() => engineOn(b, [work], { SLUICE_DRAIN_MS: 5_300, SLUICE_DRAIN_REQUESTS: 9_000 }));
    await enqueueNow(b, ...Array.from({ length: 900 }, (_, i) => b.message('work', i, { group: `g${i % 3}` })));
    const full: number[] = [];
    for (let ticks = 0; full.length < 2 && ticks < 3; ticks++) {
      syncs.length = 0;
      const looks: number[] = [];
      const looking = setInterval(() => looks.push(Date.now()), LOOK_MS);
      await Promise.all(engines.map((engine) => engine.tick()));
      clearInterval(looking);
      const periods = new Map<number, number>();
      for (const { at, taken } of syncs) periods.set(periodOf(at), (periods.get(periodOf(at)) ?? 0) + taken.length);
      const counts = [...periods].toSorted(([a], [b]) => a - b);
      const said = counts.map(([, count]) => count).join(', ');
      console.info(`a rate of 50 a second, two drains, ${syncs.length} syncs: ${said} in each period`);
      expect(Math.max(...periods.values())).toBeLessThanOrEqual(50);
      const stoodStill = stillIn(looks);
      // Where two drains have asked once in a whole second the machine is too slow for what it gives.
      const isSlow = (period: number) => syncs.filter(({ at }) => periodOf(at) === period).length < 2;
      const judged = counts.slice(1, -1).filter(([period, count]) => count >= 49 || !isSlow(period));
      full.push(...judged.flatMap(([period, count]) => (stoodStill.has(period) ? [] : [count])));
    }
    expect(full.length).toBeGreaterThanOrEqual(2);
    expect(Math.min(...full)).toBeGreaterThanOrEqual(49);
  }, 60_000);

  test('a drain that polls finds what nobody woke it for; one that does not leaves it to the next tick', async () => {
    const DRAIN_MS = 4_000; // it looks for work during three quarters of them
    const POLL_MS = 100;
    for (const polls of [true, false]) {
      const b = new Bench(redises);
      const seen: string[] = [];
      const work = defineQueue('work', { handler: ({ id }) => void seen.push(id) });
      const engine = engineOn(b, [work], { SLUICE_DRAIN_MS: DRAIN_MS, ...(polls ? { SLUICE_POLL_MS: POLL_MS } : {}) });
      const ticking = engine.tick();
      if (polls) await pause(200);
      else await ticking;
      const other = engineOn(b, [work]);
      const { receipts, wake } = await other.enqueue([{ queue: work, body: 1, options: {}, path: '' }]);
      expect(wake).toBe(true); // and nobody follows it
      await ticking;
      const ids = receipts.map(({ id }) => id);
      expect(seen).toEqual(polls ? ids : []);
      await engine.tick();
      expect(seen).toEqual(ids);
      acked(b, seen);
      expect((await b.shard()).envelopes).toEqual({});
    }
  });

  test('what polling costs is counted', async () => {
    const b = new Bench(redises);
    const work = defineQueue('work', { handler: () => {} });
    const engine = engineOn(b, [work], { SLUICE_DRAIN_MS: 1_800, SLUICE_POLL_MS: 100 });
    await engine.tick();
    syncs.length = 0;
    let ticks = 0;
    const { commands } = await b.cost(async () => {
      for (; syncs.length < 5; ticks++) await engine.tick(); // a machine that stands still polls less
    });
    const [SWEEP, polls] = [5, syncs.length];
    const each = (commands - ticks * SWEEP) / polls;
    const perHour = 60 * 45; // cron's drains of 55 s, which look for work for 45 of them, once a second
    console.info(
      `${polls} polls cost ${each.toFixed(2)} commands each: once a second ${Math.round(perHour * each)} an idle hour, ` +
        `and ${60 * SWEEP} for the sweeps that are there without it`,
    );
    expect(each).toBeLessThanOrEqual(10);
  });
});
