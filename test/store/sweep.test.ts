// What a sweep promises: what a dead consumer held comes back once, first, and whoever held it has lost it.
import { expect, test } from 'vitest';
import { onEachRedis } from '../support/bench.ts';

onEachRedis('sweeping', (bench) => {
  test('nothing due: it says when the next timer is, and whether there is work', async () => {
    const b = bench();
    expect(await b.store.sweep('*')).toEqual({
      now: b.now,
      fired: 0,
      requeued: 0,
      dead: 0,
      ready: false,
      cursor: '',
      round: 0,
      findings: [],
      notedAt: 0,
    });
    await b.enqueue(b.message('mail', 1), b.message('mail', 2, { delayMs: 700 }));
    expect(await b.store.sweep('*')).toMatchObject({ nextDue: b.now + 700, fired: 0, ready: true });
  });

  test('SW7 a live lease is left alone at 99 % of its time, an expired one is requeued in order at the head', async () => {
    const b = bench();
    const ids = await b.enqueue(...[1, 2, 3, 4].map((n) => b.message('mail', n)));
    await b.take(3);
    b.now += 29_700;
    expect(await b.store.sweep('*')).toMatchObject({ fired: 0, requeued: 0 });
    b.now += 300;
    expect(await b.store.sweep('*')).toMatchObject({ fired: 1, requeued: 3, dead: 0 });
    expect(await b.take(4, 'b')).toEqual([...ids.slice(0, 3).map((id) => `2.${id}`), `1.${ids[3]}`]);
  });

  test('SC1 SC2 a consumer whose lease was swept settles nothing and is told so', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1, 'slow');
    b.now += 30_000;
    await b.store.sweep('*');
    const [again = ''] = await b.take(1, 'other');
    const before = await b.shard();
    for (const outcome of ['ack', 'retry', 'dead', 'release'] as const) {
      const answer = await b.sync({ lease: 'slow', settlements: [{ entry, outcome }] });
      expect(answer.statuses).toEqual(['stale']);
      expect(await b.shard()).toEqual(before);
    }
    expect(again).toBe(`2.${id}`);
    expect((await b.sync({ lease: 'other', settlements: [{ entry: again, outcome: 'ack' }] })).statuses).toEqual([
      'acked',
    ]);
    expect((await b.sync({ lease: 'slow', settlements: [{ entry, outcome: 'retry' }] })).statuses).toEqual(['gone']);
  });

  test('SC4 a consumer that holds more than its swept lease is told that the lease is lost and gets nothing', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    await b.take(1, 'slow');
    b.now += 30_000;
    await b.store.sweep('*');
    const answer = await b.sync({ lease: 'slow', held: 1, want: 5 });
    expect(answer).toMatchObject({ lost: true, taken: [] });
  });

  test('late, but before any sweep, a consumer keeps what it holds', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    const [entry = ''] = await b.take(1);
    b.now += 60_000;
    expect((await b.sync({ settlements: [{ entry, outcome: 'ack' }] })).statuses).toEqual(['acked']);
  });

  test('another sync requeues an expired lease as a sweep does', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    await b.take(1, 'dead');
    b.now += 30_000;
    expect(await b.take(1, 'alive')).toEqual([`2.${id}`]);
  });

  test('SW8 CR3 a lapse after the last attempt is a dead letter whose history tells crash from failure', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1, { maxAttempts: 2 }));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'retry', failure: { kind: 'failed', text: 'Error: x' } }] });
    b.now += 1;
    expect(await b.take(1)).toEqual([`2.${id}`]);
    b.now += 30_000;
    expect(await b.store.sweep('*')).toMatchObject({ requeued: 0, dead: 1 });
    const shard = await b.shard();
    expect(Object.keys(shard.dead.mail ?? {})).toEqual([`2.${id}`]);
    expect(shard.failures[id ?? '']?.split('\n').map((line) => line.split(' ')[2])).toEqual([
      'failed',
      'lease_expired',
    ]);
  });

  test('SW2 twenty sweeps at once requeue each of a thousand entries once', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 1_000 }, (_, n) => b.message('mail', n)));
    for (let i = 0; i < 20; i++) await b.take(50, `lease${i}`);
    b.now += 30_000;
    const sweeps = await Promise.all(Array.from({ length: 20 }, () => b.store.sweep('*', { limit: 100 })));
    expect(sweeps.reduce((sum, { requeued }) => sum + requeued, 0)).toBe(1_000);
    const lane = (await b.shard()).lanes['5:mail'] ?? [];
    expect(lane.toSorted()).toEqual(ids.map((id) => `2.${id}`).toSorted());
  });

  test('SW10 a sweep is bounded: what is left fires with the next', async () => {
    const b = bench();
    await b.enqueue(...Array.from({ length: 300 }, (_, n) => b.message('mail', n, { delayMs: 1_000 })));
    b.now += 1_000;
    const fired: number[] = [];
    for (let i = 0; i < 4; i++) fired.push((await b.store.sweep('*', { limit: 100 })).fired);
    expect(fired).toEqual([100, 100, 100, 0]);
  });

  test('SW4 an entry in an expired lease whose envelope vanished becomes a dead letter, and the sweep goes on', async () => {
    const b = bench();
    const [gone, there] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
    await b.take(2);
    await b.redises.raw.del(`${b.root}m:${gone}`);
    b.now += 30_000;
    expect(await b.store.sweep('*')).toMatchObject({ requeued: 1, dead: 1 });
    const shard = await b.shard();
    expect(shard.dead).toEqual({ '-': { [`1.${gone}`]: b.now } });
    expect(shard.lanes).toEqual({ '5:mail': [`2.${there}`] });
  });

  test('SW6 a timer that cannot be read is put off and stops no other', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1, { delayMs: 10 }));
    await b.redises.raw.zadd(`${b.root}timers`, b.now, 'm nonsense', b.now, 'x of a newer version');
    b.now += 10;
    expect(await b.store.sweep('*')).toMatchObject({ fired: 3 }); // one fired, two put off
    const { timers, lanes } = await b.shard();
    expect(lanes).toEqual({ '5:mail': [`1.${id}`] });
    expect(timers).toEqual({ 'm nonsense': b.now + 60_000, 'x of a newer version': b.now + 60_000 });
    await b.redises.raw.del(`${b.root}timers`);
  });

  test('SW9 retried messages that come due together stand at the head in the order in which they are due', async () => {
    const b = bench();
    const ids = await b.enqueue(...[1, 2, 3].map((n) => b.message('mail', n)));
    const held = await b.take(3);
    const settlements = held.map((entry, i) => ({ entry, outcome: 'retry' as const, delayMs: 300 - 100 * i }));
    await b.sync({ settlements });
    const [fresh] = await b.enqueue(b.message('mail', 4));
    b.now += 300;
    expect(await b.take(4)).toEqual([...ids.toReversed().map((id) => `2.${id}`), `1.${fresh}`]);
  });
});
