// Sweeping where there is a lot: bounded steps, and whoever comes with something urgent does not wait for them.
import { expect, test } from 'vitest';
import { formatLane } from '../../src/message/lane.ts';
import { Bench, onEachRedis } from '../support/bench.ts';
import { deliverAll } from '../support/settling.ts';

const LEASE_MS = 30_000;

/** Leases of one message each, written past the scripts: ten thousand syncs would take too long. */
async function leaseMany(b: Bench, count: number, dueAt: number): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += 1_000) {
    const pipeline = b.redises.raw.pipeline();
    for (let i = from; i < Math.min(from + 1_000, count); i++) {
      const id = `crowd${i}`;
      ids.push(id);
      pipeline.set(`${b.root}m:${id}`, `${formatLane(7, `bulk${i % 50}`)} * 5 ${b.now} 0\n{"body":${i}}`);
      pipeline.rpush(`${b.root}lease:crowd${i}`, `1.${id}`);
      pipeline.zadd(`${b.root}timers`, dueAt, `l crowd${i}`);
    }
    await pipeline.exec();
  }
  for (const id of ids) b.alive.add(id);
  return ids;
}

/** How long each script kept the server, ms, the longest first. */
async function slowest(b: Bench): Promise<number[]> {
  const entries = (await b.redises.raw.call('SLOWLOG', 'GET', '-1')) as [number, number, number, string[]][];
  const scripts = entries.filter(([, , , [name]]) => /^evalsha|eval$/i.test(name ?? ''));
  return scripts.map(([, , micros]) => micros / 1_000).toSorted((a, b) => b - a);
}

onEachRedis(
  'sweeping where there is a lot',
  (bench) => {
    test('SW5 Crowd in front: one expired lease behind ten thousand live ones: the first sweep finds it, and so does a sync', async () => {
      for (const find of ['sweep', 'sync']) {
        const b = new Bench(bench().redises);
        const [id = ''] = await b.enqueue(b.message('mail', find));
        await leaseMany(b, 10_000, b.now + LEASE_MS + 1);
        await b.take(1, 'lease_expired');
        b.now += LEASE_MS;
        if (find === 'sweep') expect(await b.store.sweep('*')).toMatchObject({ fired: 1, requeued: 1 });
        expect(await b.take(1, 'next')).toEqual([`2.${id}`]);
        await b.sync({ lease: 'next', settlements: [{ entry: `2.${id}`, outcome: 'ack' }] });
      }
    });

    test('SW10 Backlog of repairs: thirty thousand expired leases: each step is bounded, and what is urgent meanwhile is in the next batch', async () => {
      const b = bench();
      await leaseMany(b, 30_000, b.now);
      await b.redises.raw.config('SET', 'slowlog-log-slower-than', '1000', 'slowlog-max-len', '10000');
      await b.redises.raw.call('SLOWLOG', 'RESET');
      let sweeps = 0;
      let requeued = 0;
      let longestWaitMs = 0;
      let urgent = 0;
      let swept = false;
      const sweeping = (async () => {
        for (;;) {
          const step = await b.store.sweep('*');
          swept = step.fired === 0;
          if (swept) return;
          expect(step.fired).toBeLessThanOrEqual(500);
          requeued += step.requeued;
          sweeps += 1;
        }
      })();
      while (!swept) {
        const begun = performance.now();
        const [id = ''] = await b.enqueue(b.message('mail', 'urgent', { priority: 0 }));
        const [entry = ''] = await b.take(1, 'urgent');
        longestWaitMs = Math.max(longestWaitMs, performance.now() - begun);
        expect(entry).toBe(`1.${id}`);
        await b.sync({ lease: 'urgent', settlements: [{ entry, outcome: 'ack' }] });
        urgent += 1;
      }
      await sweeping;
      const scripts = await slowest(b);
      console.log(
        `SW10: ${sweeps} sweeps gave back ${requeued}, syncs the rest; longest script ${scripts[0]?.toFixed(1)} ms; ` +
          `${urgent} urgent ones meanwhile, none of them waited longer than ${longestWaitMs.toFixed(0)} ms`,
      );
      const { lanes, leases, timers } = await b.shard();
      expect(Object.values(lanes).flat().length).toBe(30_000);
      expect(
        Object.values(lanes)
          .flat()
          .every((entry) => entry.startsWith('2.')),
      ).toBe(true);
      expect({ leases, timers }).toEqual({ leases: {}, timers: {} });
      // Steps that grew with the backlog would take seconds, each of the first dozens. A few meet a machine that stands still.
      expect(scripts[9] ?? 0).toBeLessThan(250);
    }, 120_000);

    test('SW6 One bad timer: a thousand unreadable ones in front of a expired lease stop neither sweep nor sync', async () => {
      for (const by of ['sweep', 'sync']) {
        const b = new Bench(bench().redises);
        const [id = ''] = await b.enqueue(b.message('mail', by));
        await b.take(1, 'lease_expired');
        const bad = Array.from({ length: 1_000 }, (_, i) => [String(b.now), `nonsense ${by} ${i}`]).flat();
        await b.redises.raw.zadd(`${b.root}timers`, ...bad);
        b.now += LEASE_MS;
        const steps = { sweep: () => b.store.sweep('*'), sync: () => b.sync({ lease: 'passing' }) };
        for (let i = 0; i < 11; i++) await steps[by as 'sweep'](); // of 100 each, where the machine is slow
        expect((await b.shard()).lanes).toEqual({ '5:mail': [`2.${id}`] });
        await b.redises.raw.del(`${b.root}timers`);
      }
    });

    test('SW7 Live means live: at 99 % of a lease no sweep and no sync touches it, a drain holds it or a pull consumer', async () => {
      const b = bench();
      const [drained = '', pulled = ''] = await b.enqueue(
        b.message('mail', 1),
        b.message('orders', 2, { pool: 'orders' }),
      );
      await b.take(1, 'drain', { drain: { ending: false, sleepMs: 1_000 } });
      await b.take(1, 'puller', { pools: ['orders'] });
      b.now += LEASE_MS - 300;
      expect(await b.store.sweep('*')).toMatchObject({ fired: 0 });
      expect(await b.take(5, 'other', { pools: ['*', 'orders'] })).toEqual([]);
      expect((await b.shard()).leases).toEqual({ drain: [`1.${drained}`], puller: [`1.${pulled}`] });
    });

    test('SW8 Over the cap: the last allowed delivery lapses, by a sweep or a sync: a dead letter with its reason', async () => {
      const b = bench();
      for (const lapse of [() => b.store.sweep('*'), () => b.sync({ lease: 'passing' })]) {
        const [id = ''] = await b.enqueue(b.message('mail', 1, { maxAttempts: 1 }));
        await b.take(1, 'crashed');
        b.now += LEASE_MS;
        await lapse();
        const { dead, failures } = await b.shard();
        expect(Object.keys(dead.mail ?? {})).toContain(`1.${id}`);
        expect(failures[id]).toMatch(/ lease_expired its consumer let the lease expire$/);
      }
      expect(await b.take(5)).toEqual([]);
    });

    test.each(['swept', 'retried'])(
      'SW9 Keeps its place: a %s P1 message goes out before waiting P2 ones, first in its own group',
      async (how) => {
        const b = bench();
        const one = (n: number) => b.message('mail', n, { priority: 1, group: 'a' });
        const [first = '', second = ''] = await b.enqueue(one(1), one(2));
        const [entry = ''] = await b.take(1, 'slow');
        const [low = ''] = await b.enqueue(b.message('mail', 3, { priority: 2, group: 'b' }));
        if (how === 'retried') {
          const failure = { kind: 'failed', text: 'x' } as const;
          await b.sync({ lease: 'slow', settlements: [{ entry, outcome: 'retry', delayMs: 100, failure }] });
        }
        b.now += LEASE_MS;
        await b.store.sweep('*');
        expect(await b.take(3, 'next')).toEqual([`2.${first}`, `1.${second}`, `1.${low}`]);
      },
    );

    test('SW11 Unknown queue: a sweep from a deployment that knows none of the queues requeues what lapsed', async () => {
      const b = bench();
      const ids = await b.enqueue(b.message('of-another', 1), b.message('pulled-there', 2, { pool: 'pulled-there' }));
      await b.take(2, 'crashed', { pools: ['*', 'pulled-there'] });
      b.now += LEASE_MS;
      const stranger = b.openStore(() => b.now, b.prefix, ['something-else']);
      expect(await stranger.sweep('*', { cursor: '0' })).toMatchObject({ requeued: 2, dead: 0 });
      expect((await b.take(2, 'next', { pools: ['*', 'pulled-there'] })).toSorted()).toEqual(
        ids.map((id) => `2.${id}`).toSorted(),
      );
      await deliverAll(b);
    });
  },
  ['redis-server'],
);
