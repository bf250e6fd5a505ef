/**
 * A Redis that dies, comes back older, or hands over to its replica, under consumers that live on.
 *
 * A snapshot is a copy of the append-only file taken while it is written; restoring kills the server and starts it with the
 * copy. For the failover a TCP switch stands in front of two servers, as a service's endpoint does.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { Bench, type Redises } from '../support/bench.ts';
import { type ControlledRedis, redisesOn, startControlledRedis, startSwitch } from '../support/redis-control.ts';
import { redisServerPresent, until } from '../support/redis-server.ts';
import { auditAll, deliverAll, idOf, sweepAll } from '../support/settling.ts';

const present = redisServerPresent();
if (!present) console.warn('skipped: a Redis that comes back: no redis-server on the PATH');

/** What callers were told, and so may hold us to. */
class Ledger {
  readonly enqueued = new Map<string, number>();
  readonly acked = new Map<string, number>();
  /** Acks that were sent: whether one whose answer was lost has happened is open. */
  readonly sent = new Set<string>();
  /** How often each entry was given out. */
  readonly given = new Map<string, number>();
}

/** A producer and a consumer that go on whatever happens, until told to stop. */
function atWork(b: Bench, ledger: Ledger) {
  let stopped = false;
  const store: Store = b.openStore();
  const surely = async (work: () => Promise<unknown>) => {
    while (!stopped) await work().catch(() => new Promise((resolve) => setTimeout(resolve, 10)));
  };
  const producing = surely(async () => {
    const { ids } = await store.enqueue({ messages: [1, 2, 3].map((n) => b.message('mail', n)) });
    for (const id of ids) ledger.enqueued.set(id, performance.now());
  });
  let lease = 0;
  const consuming = surely(async () => {
    const request = { lease: `consumer${++lease}`, leaseMs: 1_500, held: 0, want: 4, pools: ['*'], settlements: [] };
    const { taken } = await store.sync(request);
    for (const { entry } of taken) ledger.given.set(entry, (ledger.given.get(entry) ?? 0) + 1);
    const settlements = taken.map(({ entry }) => ({ entry, outcome: 'ack' as const }));
    for (const { entry } of taken) ledger.sent.add(idOf(entry));
    const { statuses } = await store.sync({ ...request, want: 0, settlements });
    statuses.forEach((status, i) => {
      if (status === 'acked') ledger.acked.set(idOf(taken[i]?.entry ?? ''), performance.now());
    });
  });
  return async () => {
    stopped = true;
    await Promise.all([producing, consuming]);
  };
}

describe.skipIf(!present)('a Redis that comes back', () => {
  let redis: ControlledRedis;
  let redises: Redises;
  let b: Bench;
  beforeEach(async () => {
    redis = await startControlledRedis();
    redises = await redisesOn(redis);
    b = new Bench(redises);
  });
  afterEach(async () => {
    await redises.stop();
    await redis.close();
  });

  const reachable = () => until('it answers through the emulator', async () => Boolean(await b.store.sweep('*')));

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'Restart (%s, each write on disk): nothing that was acknowledged is lost, leases and timers go on',
    async (signal) => {
      const ids = await b.enqueue(
        ...[1, 2, 3].map((n) => b.message('mail', n)),
        b.message('mail', 4, { delayMs: 1_000 }),
      );
      const [held = '', other = ''] = await b.take(2);
      expect((await b.sync({ held: 1, settlements: [{ entry: other, outcome: 'ack' }] })).statuses).toEqual(['acked']);
      await redis.raw.del(`${b.root}awake`); // its five seconds may be over when the server is back
      const before = await b.shard();
      await redis.stop(signal);
      await redis.start();
      await reachable();
      expect(await b.shard()).toEqual(before);
      expect((await b.sync({ settlements: [{ entry: held, outcome: 'ack' }] })).statuses).toEqual(['acked']);
      const { acked } = await deliverAll(b);
      expect([...acked].toSorted()).toEqual(ids.slice(2).toSorted());
      expect(await b.violations()).toEqual([]);
    },
  );

  test('Restart by SIGKILL five times under load: every enqueue and ack that was answered holds', async () => {
    const ledger = new Ledger();
    const stop = atWork(b, ledger);
    for (let round = 0; round < 5; round += 1) {
      const acked = ledger.acked.size;
      await until('work goes on', async () => ledger.acked.size > acked + 20);
      await redis.stop('SIGKILL');
      await redis.start();
    }
    await until('work goes on', async () => ledger.acked.size > 120);
    await stop();
    b.now = Date.now() + 60_000; // by now every lease is over
    await reachable();
    const late = await settleRest(b);
    const lost = [...ledger.enqueued.keys()].filter((id) => !ledger.sent.has(id) && !late.has(id));
    const back = [...ledger.acked.keys()].filter((id) => late.has(id));
    console.log(
      `Restart: ${ledger.enqueued.size} enqueued, ${ledger.acked.size} acked under 5 SIGKILLs, ${late.size} after`,
    );
    expect({ lost, back }).toEqual({ lost: [], back: [] });
    expect([...ledger.given].filter(([, times]) => times > 1)).toEqual([]);
  });

  test('ST4 Restore a snapshot one second old under live consumers: nothing is stuck, what is lost lies within the window', async () => {
    const ledger = new Ledger();
    const stop = atWork(b, ledger);
    await until('they are at work', async () => ledger.acked.size > 50);
    const from = performance.now();
    const snapshot = await redis.snapshot();
    await until('a second has passed, with work done', async () => performance.now() - from > 1_000);
    await redis.restore(snapshot);
    const restored = performance.now();
    const ackedByThen = ledger.acked.size;
    await until('work goes on', async () => ledger.acked.size > ackedByThen + 20);
    await stop();
    b.now = Date.now() + 60_000;
    await sweepAll(b.store);
    await sweepAll(b.store);
    expect(await auditAll(b.store)).toEqual([]);
    const late = await settleRest(b);
    const lost = [...ledger.enqueued].filter(([id]) => !ledger.acked.has(id) && !late.has(id));
    const back = [...ledger.acked].filter(([id]) => late.has(id));
    console.log(
      `ST4: ${ledger.enqueued.size} enqueued, ${lost.length} lost and ${back.length} acked ones back, ` +
        `all from the ${Math.round(restored - from)} ms between copy and restore`,
    );
    for (const [, at] of lost) expect(at > from && at < restored + 5_000).toBe(true);
    for (const [, at] of back) expect(at).toBeGreaterThan(from);
    const { lanes, leases, timers, ready } = await b.shard();
    expect({ lanes, leases, timers, ready }).toEqual({ lanes: {}, leases: {}, timers: {}, ready: {} });
  });

  test('ST4 Restore: a consumer from the lost future settles nothing of another and harms none', async () => {
    const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    const snapshot = await redis.snapshot();
    const [a = ''] = await b.take(1, 'A'); // from here on all of it is going to be undone
    const [future = ''] = await b.enqueue(b.message('mail', 3));
    const [, c = ''] = await b.take(2, 'A', { held: 1 });
    await redis.restore(snapshot);
    b.alive.delete(future); // within the window
    await reachable();
    expect(await b.violations()).toEqual([]);
    const [again = ''] = await b.take(1, 'B');
    expect(again).toBe(a); // the same number once more: a restore is the one thing that repeats it
    const before = await b.shard();
    expect((await b.sync({ lease: 'A', held: 1 })).lost).toBe(true);
    for (const outcome of ['ack', 'retry', 'dead', 'release'] as const) {
      const late = [a, c, `1.${second}`].map((entry) => ({ entry, outcome }));
      expect((await b.sync({ lease: 'A', settlements: late })).statuses).toEqual(['stale', 'gone', 'stale']);
      expect(await b.shard()).toEqual(before);
    }
    expect((await b.sync({ lease: 'B', settlements: [{ entry: again, outcome: 'ack' }] })).statuses).toEqual(['acked']);
    const [fresh = ''] = await b.enqueue(b.message('mail', 4));
    expect([first, second, future]).not.toContain(fresh); // ids are no counter that a restore would turn back
    expect([...(await deliverAll(b)).acked].toSorted()).toEqual([second, fresh].toSorted());
    expect(await b.violations()).toEqual([]);
  });

  test('ST4 Restore: a lease that comes back with what its consumer had settled: it gets that once more, and keeps nothing from others', async () => {
    const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    const [x = ''] = await b.take(1, 'A');
    const snapshot = await redis.snapshot();
    await b.sync({ lease: 'A', settlements: [{ entry: x, outcome: 'ack' }] });
    const [y = ''] = await b.take(1, 'A');
    await redis.restore(snapshot); // A's lease holds x, A itself y
    b.alive.add(first);
    await reachable();
    expect((await b.sync({ lease: 'A', held: 1 })).lost).toBe(false);
    expect(await b.take(1, 'B')).toEqual([y]);
    const answer = await b.sync({ lease: 'A', want: 1, settlements: [{ entry: y, outcome: 'ack' }] });
    expect(answer).toMatchObject({ statuses: ['stale'], taken: [{ entry: x }] });
    expect((await b.sync({ lease: 'A', settlements: [{ entry: x, outcome: 'ack' }] })).statuses).toEqual(['acked']);
    expect((await b.sync({ lease: 'B', settlements: [{ entry: y, outcome: 'ack' }] })).statuses).toEqual(['acked']);
    expect(b.alive).toEqual(new Set());
    expect(y).toBe(`1.${second}`);
    expect(await b.violations()).toEqual([]);
  });

  test('ST4 Restore: a request repeated from the lost future is stored again, one from before it is not', async () => {
    const messages = [b.message('mail', 1)];
    const before = await b.store.enqueue({ messages, token: 'before' });
    const snapshot = await redis.snapshot();
    await b.store.enqueue({ messages, token: 'after' });
    await redis.restore(snapshot);
    await reachable();
    expect(await b.store.enqueue({ messages, token: 'before' })).toMatchObject({ replayed: true, ids: before.ids });
    const again = await b.store.enqueue({ messages, token: 'after' });
    expect(again.replayed).toBe(false);
    b.expectAlive([...before.ids, ...again.ids], [...messages, ...messages]);
    await deliverAll(b);
    expect(await b.violations()).toEqual([]);
  });
});

describe.skipIf(!present)('a Redis that hands over to its replica', () => {
  /** Asynchronous replication promises no more: what the replica had when it took over holds. */
  test('Failover under load: what had reached the replica holds, nothing is stuck, and the lost rest is of the last moment', async () => {
    const first = await startControlledRedis(['--repl-diskless-sync-delay', '0']);
    const second = await startControlledRedis([
      '--replicaof',
      '127.0.0.1',
      String(first.port),
      '--repl-diskless-sync-delay',
      '0',
    ]);
    const endpoint = await startSwitch(first.port);
    const behind = await redisesOn(second, endpoint.url);
    const b = new Bench(behind);
    try {
      await until('the replica follows', async () =>
        /master_link_status:up/.test(await second.raw.info('replication')),
      );
      const ledger = new Ledger();
      const stop = atWork(b, ledger);
      await until('they are at work', async () => ledger.acked.size > 100);
      const from = performance.now();
      await first.stop('SIGKILL');
      await second.raw.replicaof('NO', 'ONE');
      endpoint.pointTo(second.port);
      const acked = ledger.acked.size;
      await until('work goes on', async () => ledger.acked.size > acked + 50);
      await stop();
      b.now = Date.now() + 60_000;
      await sweepAll(b.store);
      await sweepAll(b.store);
      expect(await auditAll(b.store)).toEqual([]);
      const late = await settleRest(b);
      const lost = [...ledger.enqueued].filter(([id]) => !ledger.acked.has(id) && !late.has(id));
      const back = [...ledger.acked].filter(([id]) => late.has(id));
      console.log(`Failover: ${ledger.enqueued.size} enqueued, ${lost.length} lost, ${back.length} acked ones back`);
      for (const [, at] of [...lost, ...back]) expect(at).toBeGreaterThan(from - 1_000);
      const { lanes, leases, timers, ready } = await b.shard();
      expect({ lanes, leases, timers, ready }).toEqual({ lanes: {}, leases: {}, timers: {}, ready: {} });
    } finally {
      await behind.stop();
      await endpoint.close();
      await second.close();
      await first.close();
    }
  });
});

/** Takes and acks all that is left, dead letters aside. */
async function settleRest(b: Bench): Promise<Set<string>> {
  return (await deliverAll(b)).acked;
}
