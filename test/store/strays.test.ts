// Messages that are in no list: a sweep looks for them by itself, a page at a time, and never takes for one what is in a list.
import { expect, test } from 'vitest';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { ANYBODYS } from '../../src/store/sweep.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { auditAll, deliverAll, sweepAll } from '../support/settling.ts';

const MINUTE_MS = 60_000;
const HOUR_TICKS = 60;
const ordered = { name: 'chat', pool: '*', policy: 'b' };

const storeOf = (b: Bench): Store =>
  openStore(
    b.opened(b.runner(), () => b.now),
    {
      queues: [{ name: 'mail', pool: '*' }, ordered],
      policies: encodeLimitedQueues([{ name: 'mail', pool: '*', policy: '' }, ordered]),
    },
  );

/** Cron ticks, a minute each: every one as a fresh isolate makes it. @returns what they found */
async function ticks(b: Bench, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    const { findings } = await storeOf(b).sweep('*', { cursor: ANYBODYS, note: true });
    found.push(...findings.map(({ finding, name }) => `${finding} ${name}`));
    b.now += MINUTE_MS;
  }
  return found.toSorted();
}

/** The tick that asks whether it is time for a look, and those until it has ended. */
async function hourly(b: Bench): Promise<string[]> {
  await b.redises.raw.hset(`${b.root}stats:totals`, '@', '0 59');
  const found = await ticks(b, 1);
  while ((await b.redises.raw.exists(`${b.root}strays`)) === 1) found.push(...(await ticks(b, 1)));
  return found.toSorted();
}

/** When the last one began is not known any more. */
const forget = (b: Bench) => b.redises.raw.hdel(`${b.root}stats:totals`, '&');

const strays = (ids: string[]) => ids.map((id) => `envelope-without-entry ${id}`).toSorted();

/** Lanes vanish, as they do where a key is evicted or another side of a failover wins. */
async function loseLanes(b: Bench): Promise<void> {
  const { lanes } = await b.shard();
  for (const lane of Object.keys(lanes)) {
    await b.redises.raw.del(`${b.root}lane:${lane}`);
    await b.redises.raw.zrem(`${b.root}ready:*`, lane);
  }
}

onEachRedis('a look for messages in no list', (bench) => {
  test('comes by itself within an hour, and mends each kind of loss, once', async () => {
    const b = bench();
    const [ready = '', held = '', failed = ''] = await b.enqueue(
      b.message('mail', 'ready', { priority: 1 }),
      b.message('mail', 'held', { priority: 2 }),
      b.message('mail', 'failed', { priority: 3 }),
    );
    const [delayed = ''] = await b.enqueue(b.message('mail', 'delayed', { delayMs: 9 * 3_600_000 }));
    const [dead = ''] = await b.enqueue(b.message('mail', 'dead', { priority: 0 }));
    const failure = { kind: 'failed' as const, text: 'x' };
    await b.take(1, 'a');
    await b.sync({ settlements: [{ entry: `1.${dead}`, outcome: 'dead', failure }] });
    for (const id of [ready, held, failed]) expect(await b.take(1, id)).toEqual([`1.${id}`]);
    await b.sync({ lease: ready, settlements: [{ entry: `1.${ready}`, outcome: 'release' }] });
    await b.sync({
      lease: failed,
      settlements: [{ entry: `1.${failed}`, outcome: 'retry', delayMs: 9 * 3_600_000, failure }],
    });
    await loseLanes(b);
    await b.redises.raw.del(`${b.root}timers`, `${b.root}dead:mail`, `${b.root}lease:${held}`);
    expect(await ticks(b, HOUR_TICKS)).toEqual(strays([ready, held, failed, delayed, dead]));
    for (const id of b.alive) b.unordered.add(id);
    expect(await auditAll(b.store, false, true)).toEqual([]);
    const { given } = await deliverAll(b);
    expect([...given.values()]).toEqual([1, 1, 1, 1, 1]);
  });

  test('finds what a split brain leaves: the lists of one side, the envelopes of both', async () => {
    const b = bench();
    const { raw } = b.redises;
    await b.enqueue(...Array.from({ length: 3 }, (_, i) => b.message('mail', i)));
    const lane = `${b.root}lane:5:mail`;
    const [entries, timers] = [await raw.lrange(lane, 0, -1), `${b.root}timers`];
    const other = await b.enqueue(
      ...Array.from({ length: 3 }, (_, i) => b.message('mail', i)),
      b.message('mail', 'later', { delayMs: 3_600_000 }),
    );
    await raw.del(lane, timers);
    await raw.rpush(lane, ...entries);
    expect(await hourly(b)).toEqual(strays(other));
    for (const id of other) b.unordered.add(id);
    const { given } = await deliverAll(b);
    expect(given.size).toBe(7);
  });

  test('takes nothing for lost that is in a list, in whatever state, though its failures are lost too', async () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: '*', policy: '' }, ordered);
    const failure = { kind: 'failed' as const, text: 'x' };
    const settle = async (outcome: 'retry' | 'dead', more: object = {}, queue = 'mail') => {
      const [id = ''] = await b.enqueue(b.message(queue, outcome, { priority: 0, group: `${b.alive.size}` }));
      const [entry = ''] = await b.take(1, id);
      await b.sync({ lease: id, settlements: [{ entry, outcome, failure, ...more }] });
      b.unordered.add(id);
      return id;
    };
    const later = { delayMs: 9 * 3_600_000 };
    for (const queue of ['mail', 'chat']) {
      await settle('retry', later, queue);
      await settle('dead', {}, queue);
    }
    const redriven = await settle('dead');
    await b.adminStore().redrive('mail', [redriven], '*');
    await settle('retry', { delayMs: 0 });
    await sweepAll(b.store);
    await b.enqueue(b.message('mail', 'waits'), b.message('mail', 'later', later));
    const [hurried = ''] = await b.enqueue(b.message('mail', 'held', { priority: 0, group: 'held' }));
    await b.sync({ lease: 'long', want: 1, leaseMs: 9 * 3_600_000 });
    expect((await b.shard()).leases.long).toEqual([expect.stringContaining(hurried.slice(0, 5))]);
    const { failures } = await b.shard();
    for (const keeps of [true, false]) {
      for (const id of keeps ? [] : Object.keys(failures)) await b.redises.raw.del(`${b.root}failures:${id}`);
      await forget(b);
      expect(await hourly(b)).toEqual([]);
    }
    for (const [id, lines] of Object.entries(failures)) await b.redises.raw.set(`${b.root}failures:${id}`, lines);
  });

  test('takes nothing for lost that a lease holds which has lost its timer', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(b.message('mail', 1));
    await b.take(1, 'a');
    await b.redises.raw.zrem(`${b.root}timers`, 'l a');
    expect(await hourly(b)).toEqual(['lease-without-timer a']);
    await sweepAll(b.store);
    expect(await b.take(5, 'b')).toEqual([`2.${id}`]);
  });

  test('comes a day after the last, and within an hour after storage has refused a write', async () => {
    const b = bench();
    const began = async () => Number(await b.redises.raw.hget(`${b.root}stats:totals`, '&'));
    const first = b.now;
    await hourly(b);
    await hourly(b);
    expect(await began()).toBe(first);

    await b.enqueue(b.message('mail', 'now'));
    b.redises.refuse = () => ({ from: 1, times: 1_000, keys: [`${b.root}lease:*`] });
    expect(await b.sync({ want: 5 })).toMatchObject({ taken: [], refused: { code: 'refused' } });
    delete b.redises.refuse;
    expect(await began()).toBe(0);
    const second = b.now;
    await hourly(b);
    expect(await began()).toBe(second);

    b.now = second + 23 * 3_600_000;
    await hourly(b);
    expect(await began()).toBe(second);
    b.now = second + 24 * 3_600_000;
    await hourly(b);
    expect(await began()).toBe(second + 24 * 3_600_000);
  });

  test.each(['an enqueue', 'a sweep', 'a redrive'])('comes soon after %s was refused a write', async (what) => {
    const b = bench();
    const failure = { kind: 'failed' as const, text: 'x' };
    const [dead = ''] = await b.enqueue(b.message('mail', 'dead'));
    await b.enqueue(b.message('mail', 'later', { delayMs: 1_000 }));
    await b.take(1);
    await b.sync({ settlements: [{ entry: `1.${dead}`, outcome: 'dead', failure }] });
    await hourly(b);
    const calls: Record<string, () => Promise<unknown>> = {
      'an enqueue': () => b.store.enqueue({ messages: [b.message('mail', 'more')] }),
      'a sweep': () => b.store.sweep('*'),
      'a redrive': () => b.adminStore().redrive('mail', [dead], '*'),
    };
    b.now += 2_000;
    b.redises.refuse = () => ({ from: 1, times: 1_000, keys: [`${b.root}lane:*`] });
    await calls[what]?.().catch(() => {});
    delete b.redises.refuse;
    expect(await b.redises.raw.hget(`${b.root}stats:totals`, '&')).toBeNull();
  });

  test('goes on where it stood, a bounded step in each tick, and ends', async () => {
    const b = bench();
    const messages = Array.from({ length: 1_000 }, (_, i) => b.message('mail', i, { group: `g${i % 3}` }));
    const ids = await b.enqueue(...messages);
    for (const id of ids) b.unordered.add(id);
    const look = async () => {
      const found: string[][] = [];
      const costs: number[] = [];
      await forget(b);
      await b.redises.raw.hset(`${b.root}stats:totals`, '@', '0 59');
      do {
        const { commands } = await b.cost(async () => found.push(await ticks(b, 1)));
        costs.push(commands);
      } while ((await b.redises.raw.exists(`${b.root}strays`)) === 1);
      return { found, costs };
    };
    const well = await look();
    const total = well.costs.reduce((sum, commands) => sum + commands, 0);
    console.log(`1,000 messages that are well: ${well.costs.length} ticks, ${total} commands: ${well.costs}`);
    expect(well.found.flat()).toEqual([]);
    expect(well.costs.length).toBeGreaterThan(4);
    expect(Math.max(...well.costs)).toBeLessThanOrEqual(60);

    await b.redises.raw.del(`${b.root}lane:5:mail/g1`);
    await b.redises.raw.zrem(`${b.root}ready:*`, '5:mail/g1');
    const lossy = await look();
    console.log(`of them 333 lost: ${lossy.costs.length} ticks, at most ${Math.max(...lossy.costs)} commands`);
    expect(Math.max(...lossy.found.map(({ length }) => length))).toBeLessThanOrEqual(50);
    expect(lossy.found.flat().length).toBeGreaterThan(300);
    // Cursors of the embedded Redis are places: what moves up meanwhile is passed over, and found by the next look.
    const again = await look();
    expect([...lossy.found, ...again.found].flat().toSorted()).toEqual(strays(ids.filter((_, i) => i % 3 === 1)));
    expect(await auditAll(b.store, false, true)).toEqual([]);
  }, 60_000);

  test('by twenty sweeps at once mends nothing twice', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 40 }, (_, i) => b.message('mail', i)));
    await loseLanes(b);
    const sweeps = Array.from({ length: 20 }, () => storeOf(b).sweep('*', { cursor: '0', round: 59 }));
    const found = (await Promise.all(sweeps)).flatMap(({ findings }) => findings.map(({ name }) => name));
    expect([...found, ...(await hourly(b)).map((said) => said.split(' ')[1])].toSorted()).toEqual(ids.toSorted());
    for (const id of ids) b.unordered.add(id);
  });

  test('says nothing of a message whose lane is too long to be read', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(b.message('mail', 'x'));
    const lane = `${b.root}lane:5:mail`;
    for (let i = 0; i < 41; i++) await b.redises.raw.lpush(lane, ...Array.from({ length: 500 }, () => 'filler'));
    await b.redises.raw.lrem(lane, -1, `1.${id}`);
    expect(await hourly(b)).not.toContain(`envelope-without-entry ${id}`);
    await b.redises.raw.ltrim(lane, 0, 100);
    await forget(b);
    expect(await hourly(b)).toContain(`envelope-without-entry ${id}`);
    await b.redises.raw.lrem(lane, 0, 'filler');
  });

  test('ends, and stops nothing else, where a key that it needs has a wrong type', async () => {
    const b = bench();
    const [id = ''] = await b.enqueue(b.message('mail', 1));
    await loseLanes(b);
    await b.redises.raw.set(`${b.root}dead:mail`, 'x');
    expect(await hourly(b)).toContain('not-inspected strays');
    await b.redises.raw.del(`${b.root}dead:mail`);
    await forget(b);
    expect(await hourly(b)).toEqual(strays([id]));
  });

  test('costs an idle system a command an hour, and two more a day', async () => {
    const b = bench();
    await hourly(b);
    const tick = async (place: string) => {
      await b.redises.raw.hset(`${b.root}stats:totals`, '@', place);
      return (await b.cost(() => ticks(b, 1))).commands;
    };
    const [other, asks] = [await tick('0 0'), await tick('0 59')];
    await forget(b);
    // An hourly tick asks whether queues have old letters besides, and notes where it stands: that the others do too where one page does not
    // hold all keys, and a page of this Redis may have those of other tests on it.
    const looks = await tick('0 59');
    expect([2, 3]).toContain(asks - other);
    expect(looks - asks).toBe(2);
    await hourly(b);
  });
});
