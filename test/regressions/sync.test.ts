// Syncs that once lost, stranded or held up what they met: versions side by side, what is at its end, what is no entry.
import { expect, test } from 'vitest';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { deliverAll, idOf } from '../support/settling.ts';

const overdue = { name: 'mail', pool: '*', policy: 'a=1000' };

/** What is expired by now is on the books no more: it is dead. */
const expire = (b: Bench, ids: string[]) => {
  for (const id of ids) b.unordered.add(id);
};

onEachRedis('a sync', (bench) => {
  test('of a version without the longest wait that another one promises loses nothing of a lane that was promoted', async () => {
    const b = bench();
    b.deploy(overdue);
    const ids = await b.enqueue(...Array.from({ length: 60 }, (_, i) => b.message('mail', i, { group: `g${i % 5}` })));
    b.now += 5_000;
    await b.store.sweep('*');
    b.deploy();
    const taken: string[] = [];
    for (let more = true; more; ) {
      const some = await b.take(10, 'a', { held: taken.length });
      taken.push(...some.map(idOf));
      more = some.length > 0;
    }
    expect(taken.toSorted()).toEqual(ids.toSorted());
  });

  test('that finds what is expired at the head goes on to what is not, in one call', async () => {
    const b = bench();
    expire(b, await b.enqueue(...Array.from({ length: 80 }, (_, i) => b.message('mail', i, { ttlMs: 500 }))));
    const [live = ''] = await b.enqueue(b.message('mail', 'live'));
    b.now += 700;
    const { taken, unseen } = await b.sync({ want: 10, drain: { ending: false, sleepMs: 60_000 } });
    expect(taken.map(({ entry }) => idOf(entry))).toEqual([live]);
    expect(unseen).toBe(false);
    expect(Object.keys((await b.shard()).dead.mail ?? {})).toHaveLength(80);
  });

  test('that meets more at its end than one call buries says that there is more', async () => {
    const b = bench();
    expire(b, await b.enqueue(...Array.from({ length: 250 }, (_, i) => b.message('mail', i, { ttlMs: 500 }))));
    const [live = ''] = await b.enqueue(b.message('mail', 'live'));
    b.now += 700;
    let calls = 0;
    let taken: string[] = [];
    for (let more = true; more && taken.length === 0; calls++) {
      const answer = await b.sync({ want: 10, drain: { ending: false, sleepMs: 60_000 } });
      taken = answer.taken.map(({ entry }) => idOf(entry));
      more = answer.unseen;
    }
    expect(taken).toEqual([live]);
    expect(calls).toBeLessThanOrEqual(3); // a hundred in each
  });

  test('whose rate is small gives it to the living: what is buried takes nothing of it', async () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: '*', policy: 'r=10/1000' });
    expire(b, await b.enqueue(...Array.from({ length: 95 }, (_, i) => b.message('mail', i, { ttlMs: 100 }))));
    const live = await b.enqueue(...Array.from({ length: 30 }, (_, i) => b.message('mail', i)));
    const given: number[] = [];
    for (let second = 0; second < 3; second++) {
      b.now += 1_000;
      let held = 0;
      for (let more = true; more; ) {
        const answer = await b.sync({ lease: `s${second}`, want: 50, held });
        held += answer.taken.length;
        more = answer.unseen || answer.taken.length > 0;
      }
      given.push(held);
    }
    expect(given).toEqual([10, 10, 10]);
    expect(live).toHaveLength(30);
  });

  test('that buries what expired takes what follows on that, or says that it is there', async () => {
    const b = bench();
    const callbacks = [{ on: 'dead' as const, message: b.message('support', 'please') }];
    const [id = ''] = await b.enqueue(b.message('mail', 1, { ttlMs: 100, callbacks }));
    b.unordered.add(id);
    b.now += 200;
    const first = await b.sync({ want: 10, drain: { ending: false, sleepMs: 60_000 } });
    const then = first.unseen ? (await b.sync({ want: 10, held: first.taken.length })).taken : [];
    const taken = [...first.taken, ...then].map(({ entry }) => idOf(entry));
    expect(taken).toEqual([expect.stringMatching(`^${id}-dead1-`)]);
    b.alive.add(taken[0] ?? '');
  });

  test('that buries what expired looks again when the delayed callback of that is due', async () => {
    const b = bench();
    const callbacks = [{ on: 'dead' as const, message: b.message('support', 'please', { delayMs: 2_000 }) }];
    const [id = ''] = await b.enqueue(b.message('mail', 1, { ttlMs: 100, callbacks }));
    b.unordered.add(id);
    b.now += 200;
    const { nextDue } = await b.sync({ want: 10, drain: { ending: false, sleepMs: 60_000 } });
    expect(nextDue).toBe(b.now + 2_000);
    const [delayed = ''] = Object.keys((await b.shard()).timers).flatMap(
      (member) => /^m .* 1\.(\S+)$/.exec(member)?.[1] ?? [],
    );
    b.alive.add(delayed);
    b.unordered.add(delayed);
  });

  test.each(['nonsense', 'a b c', '7', '.x', ''])(
    'that meets %j in a lane, which is no entry, gives out its neighbours',
    async (text) => {
      const b = bench();
      const ids = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      await b.redises.raw.rpush(`${b.root}lane:5:mail`, text);
      ids.push(...(await b.enqueue(b.message('mail', 3))));
      expect((await b.take(10)).map(idOf)).toEqual(ids);
      await b.sync({ settlements: ids.map((id) => ({ entry: `1.${id}`, outcome: 'ack' as const })) });
      for (const key of ['dead:mail', `failures:${text.slice(text.indexOf('.') + 1)}`])
        await b.redises.raw.del(b.root + key);
    },
  );

  test('whose message has callbacks that were cut short: it ends, and others go on', async () => {
    const b = bench();
    const callbacks = [{ on: 'dead' as const, message: b.message('support', 'please') }];
    const [id = ''] = await b.enqueue(b.message('mail', 1, { maxAttempts: 1, callbacks }));
    await b.take(1, 'crashed', { leaseMs: 1_000 });
    await b.redises.raw.rpop(`${b.root}callbacks:${id}`);
    const [fine = ''] = await b.enqueue(b.message('mail', 2));
    b.now += 1_000;
    expect((await b.store.sweep('*')).dead).toBe(1);
    expect(await b.take(5)).toEqual([`1.${fine}`]);
  });

  test('that empties a lane which waited for too long leaves no empty lane in the index', async () => {
    const b = bench();
    b.deploy(overdue);
    const six = Array.from({ length: 6 }, (_, i) => b.message('mail', i, { group: 'a' }));
    await b.enqueue(...six, b.message('mail', 'one', { group: 'b' }));
    b.now += 5_000;
    await b.store.sweep('*');
    expect(await b.take(10)).toHaveLength(7);
    expect((await b.shard()).ready).toEqual({});
    await deliverAll(b);
  });
});
