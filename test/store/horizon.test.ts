// How urgent the first message is that a sync leaves: by it a drain of several shards takes the most urgent of them all first.
import { expect, test } from 'vitest';
import type { SyncAnswer, SyncRequest } from '../../src/store/sync.ts';
import { Bench, onEachRedis } from '../support/bench.ts';

const drain = { ending: false, sleepMs: 0, lifeMs: 60_000, asksHorizon: true };
const ask = (b: Bench, request: Partial<SyncRequest> = {}): Promise<SyncAnswer> => b.sync({ drain, ...request });
const horizon = async (b: Bench, request?: Partial<SyncRequest>) => (await ask(b, request)).horizon;
const bodies = ({ taken }: SyncAnswer) =>
  taken.map(({ envelope }) => JSON.parse(envelope.replace(/^[^\n]*\n/, '')).body);

/** Another deployment handles the queue `theirs`, and deliveries of `slow` take two minutes. */
const deploy = (b: Bench) =>
  b.deploy(
    { name: 'mail', pool: '*', policy: 'c=2' },
    { name: 'theirs', pool: '*', policy: '-' },
    { name: 'slow', pool: '*', policy: 't=120000' },
    { name: 'aging', pool: '*', policy: 'a=1000' },
  );

onEachRedis('the horizon of a sync', (bench) => {
  test('is the priority of the first lane behind what it took, and none where nothing is left', async () => {
    const b = bench();
    expect(await ask(b)).not.toHaveProperty('horizon');
    await b.enqueue(
      b.message('mail', 'a', { priority: 9 }),
      b.message('mail', 'b', { priority: 0 }),
      b.message('news', 'c', { priority: 0 }),
      b.message('news', 'd', { priority: 4 }),
    );
    expect(await horizon(b)).toBe(0);
    expect(await horizon(b, { want: 1 })).toBe(0);
    expect(await horizon(b, { want: 1, held: 1 })).toBe(4);
    expect(await horizon(b, { want: 1, held: 2 })).toBe(9);
    expect(await ask(b, { want: 1, held: 3 })).not.toHaveProperty('horizon');
    expect(await ask(b, { want: 1, held: 4 })).not.toHaveProperty('horizon');
  });

  test('is told by a sync that only settles, of what it gives back or makes ready too', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1, { priority: 3 }), b.message('news', 2, { priority: 6 }));
    const [entry = ''] = await b.take(1);
    expect(await horizon(b, { held: 1 })).toBe(6);
    expect(await horizon(b, { settlements: [{ entry, outcome: 'release' }] })).toBe(3);
    expect(await horizon(b, { lease: 'lost', held: 5, want: 1 })).toBe(3);
    await b.enqueue(b.message('mail', 3, { priority: 1, delayMs: 1_000 }));
    b.now += 1_000;
    expect(await horizon(b)).toBe(1);
  });

  test('is that of the most urgent of its pools', async () => {
    const b = bench();
    await b.enqueue(b.message('a', 1, { pool: 'a', priority: 7 }), b.message('b', 2, { pool: 'b', priority: 2 }));
    expect(await horizon(b, { pools: ['a', 'b', 'c'] })).toBe(2);
    expect(await horizon(b, { pools: ['a'] })).toBe(7);
    expect(await horizon(b)).toBeUndefined();
  });

  test('counts a lane that waited for too long among the most urgent', async () => {
    const b = bench();
    deploy(b);
    await b.enqueue(b.message('aging', 1, { priority: 8 }), b.message('news', 2, { priority: 2 }));
    expect(await horizon(b)).toBe(2);
    b.now += 1_000;
    await b.store.sweep('*');
    expect(await horizon(b)).toBe(0);
    expect(bodies(await ask(b, { want: 1 }))).toEqual([1]);
  });

  test('passes over what this drain is never given, however many lanes that is', async () => {
    const b = bench();
    deploy(b);
    await b.enqueue(...Array.from({ length: 250 }, (_, i) => b.message('theirs', i, { priority: 0, group: `g${i}` })));
    await b.enqueue(b.message('slow', 'slow', { priority: 1 }));
    expect(await horizon(b)).toBeUndefined();
    await b.enqueue(b.message('news', 'mine', { priority: 5 }));
    const answer = await ask(b);
    expect(answer.horizon).toBe(5);
    expect(answer.left).toBeUndefined(); // it takes nothing: whether it would leave anything is not asked
    const taken = await ask(b, { want: 3 });
    expect(bodies(taken)).toEqual(['mine']);
    expect(taken.horizon).toBeUndefined();
    expect(await horizon(b, { drain: { ...drain, lifeMs: 150_000 }, held: 1 })).toBe(1);
  });

  test('counts paused lanes and those over a limit until a take meets them', async () => {
    const b = bench();
    deploy(b);
    await b.enqueue(
      b.message('chat', 'paused', { priority: 0 }),
      ...[1, 2, 3].map((n) => b.message('mail', n, { priority: 1, group: `g${n}` })),
      b.message('news', 'open', { priority: 6 }),
      b.message('news', 'open too', { priority: 6 }),
    );
    await b.adminStore().pause('chat', '*');
    expect(await horizon(b)).toBe(0);
    const first = await ask(b, { want: 1 });
    expect([bodies(first), first.horizon]).toEqual([[1], 1]);
    const second = await ask(b, { want: 2, held: 1 });
    expect([bodies(second), second.horizon]).toEqual([[2, 'open'], 6]);
    expect(await horizon(b, { held: 3 })).toBe(6);
  });

  test('costs one command, none where all was taken or nobody asks, and changes nothing else of the answer', async () => {
    const costOf = async (want: number, asksHorizon: boolean) => {
      const b = new Bench(bench().redises);
      await b.enqueue(b.message('mail', 1), b.message('news', 2));
      let answer: Partial<SyncAnswer> = {};
      const { commands } = await b.cost(async () => {
        answer = await b.sync({ want, drain: { ...drain, asksHorizon } });
      });
      const { taken, horizon: told, ...rest } = answer;
      return { commands, rest: { ...rest, taken: taken?.length } };
    };
    await costOf(1, true); // loads the script
    for (const [want, more] of [
      [0, 1],
      [1, 1],
      [5, 0],
    ] as const) {
      const [plain, asked] = [await costOf(want, false), await costOf(want, true)];
      expect(asked).toEqual({ commands: plain.commands + more, rest: plain.rest });
    }
  });

  test('is told also where what the queues define is kept under a digest, and where an index has a wrong type it is none', async () => {
    const b = bench();
    await b.redises.raw.set(`${b.root}ready:*`, 'wrong');
    expect(await ask(b)).not.toHaveProperty('horizon');
    await b.redises.raw.del(`${b.root}ready:*`);
    const many = Array.from({ length: 400 }, (_, i) => ({ name: `other-${i}`, pool: '*', policy: 'c=7' }));
    b.deploy(...many, { name: 'theirs', pool: '*', policy: '-' });
    await b.enqueue(b.message('theirs', 1, { priority: 0 }), b.message('other-7', 2, { priority: 3 }));
    expect(await horizon(b)).toBe(3);
    expect(Object.keys((await b.shard()).rest)).toContainEqual(expect.stringMatching(/^policies:/));
  });
});
