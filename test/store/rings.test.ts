// What who rotates a ring may rely on: different items for each client, every item once in a turn, and nothing lost or doubled.
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FaultKind, seededFaults } from '../../src/dev/emulator/faults.ts';
import { startEmulator } from '../../src/dev/emulator/server.ts';
import { connect } from '../../src/redis/fetch.ts';
import { openShard } from '../../src/redis/shard.ts';
import { isRingItem, MAX_RING_ITEMS, openRing } from '../../src/rings/ring.ts';
import { openRings } from '../../src/rings/store.ts';
import { type Bench, onEachRedis, type Redises, startEmbedded, startServer } from '../support/bench.ts';
import { redisServerPresent } from '../support/redis-server.ts';

const sites = (count: number) => Array.from({ length: count }, (_, i) => `https://site${i}.example/`);
const ringsOf = (b: Bench) => openRings(b.opened());
/** The next to come first. */
const stored = async (b: Bench, ring = 'sites') =>
  (await b.redises.raw.lrange(`${b.root}ring:${ring}`, 0, -1)).reverse();

/** Counts of one turn: they add up to the ring's length. */
function countsOf(length: number): number[] {
  const counts: number[] = [];
  for (let left = length, i = 0; left > 0; left -= counts.at(-1) ?? 0, i++)
    counts.push(Math.min(left, [1, 7, 10, 250][i % 4] ?? 1));
  return counts;
}

/** So many clients at once work off a list. */
async function atOnce<T>(clients: number, work: T[], each: (item: T) => Promise<void>): Promise<void> {
  const left = [...work];
  const client = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await each(item);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

onEachRedis('a ring', (bench) => {
  test('8 clients at once: in each full turn of a thousand items each comes exactly once', async () => {
    const rings = ringsOf(bench());
    const items = sites(1_000);
    await rings.add('sites', items);
    for (let turn = 0; turn < 3; turn++) {
      const seen: string[] = [];
      await atOnce(8, countsOf(1_000), async (count) => void seen.push(...(await rings.rotate('sites', count))));
      expect(seen.toSorted()).toEqual(items.toSorted());
    }
    expect(await stored(bench())).toEqual(items);
  });

  test('one call is what so many calls for one item are, and never gives an item twice', async () => {
    const rings = ringsOf(bench());
    await rings.add('sites', sites(250));
    await rings.add('twin', sites(250));
    for (const count of [1, 2, 200, 201, 250]) {
      const singles: string[] = [];
      for (let i = 0; i < count; i++) singles.push(...(await rings.rotate('twin', 1)));
      expect(await rings.rotate('sites', count)).toEqual(singles);
      expect(await stored(bench())).toEqual(await stored(bench(), 'twin'));
    }
    expect((await rings.rotate('sites', 1_000)).toSorted()).toEqual(sites(250).toSorted());
    expect(await rings.rotate('nowhere', 1)).toEqual([]);
    expect(await rings.rotate('nowhere', 10)).toEqual([]);
  }, 60_000);

  test('added items come behind those that are there; what is there already stays; added twice is added once', async () => {
    const rings = ringsOf(bench());
    expect(await rings.add('sites', ['a', 'b', 'a'])).toEqual({ added: 2, length: 2 });
    expect(await rings.rotate('sites', 1)).toEqual(['a']);
    for (const added of [1, 0]) expect(await rings.add('sites', ['a', 'c', 'b'])).toEqual({ added, length: 3 });
    expect(await rings.rotate('sites', 3)).toEqual(['b', 'a', 'c']);
    for (const removed of [1, 0]) expect(await rings.remove('sites', ['a', 'x'])).toEqual({ removed, length: 2 });
    expect(await rings.rotate('sites', 9)).toEqual(['b', 'c']);
  });

  test('any mix of rotate, add and remove leaves what a model says', async () => {
    const names = fc.subarray([...'abcdefghij'], { minLength: 1 });
    const moves = fc.array(
      fc.oneof(
        fc.record({ what: fc.constant('rotate' as const), count: fc.integer({ min: 1, max: 12 }) }),
        fc.record({ what: fc.constantFrom('add' as const, 'remove' as const), items: names }),
      ),
      { minLength: 5, maxLength: 30 },
    );
    const rings = ringsOf(bench());
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(moves, async (steps) => {
        const ring = `r${runs++}`;
        let model: string[] = [];
        for (const step of steps) {
          if (step.what === 'rotate') {
            const next = model.slice(0, step.count);
            model = [...model.slice(step.count), ...next];
            expect(await rings.rotate(ring, step.count)).toEqual(next);
          } else if (step.what === 'add') {
            const fresh = step.items.filter((item) => !model.includes(item));
            model.push(...fresh);
            expect(await rings.add(ring, step.items)).toEqual({ added: fresh.length, length: model.length });
          } else {
            const removed = step.items.filter((item) => model.includes(item)).length;
            model = model.filter((item) => !step.items.includes(item));
            expect(await rings.remove(ring, step.items)).toEqual({ removed, length: model.length });
          }
        }
        expect(await stored(bench(), ring)).toEqual(model);
        const listed = await bench().redises.raw.zscore(`${bench().root}rings`, ring);
        expect(listed !== null).toBe(model.length > 0);
      }),
      { numRuns: 25 },
    );
  });

  test('items that stay while others come and go miss no turn', async () => {
    const rings = ringsOf(bench());
    const [staying, leaving, coming] = [sites(200), ['x', 'y', 'z'], ['p', 'q']];
    await rings.add('sites', [...staying.slice(0, 100), ...leaving, ...staying.slice(100)]);
    const seen: string[] = [];
    const rotate = () =>
      atOnce(4, countsOf(203), async (count) => void seen.push(...(await rings.rotate('sites', count))));
    await Promise.all([rotate(), rings.remove('sites', leaving), rings.add('sites', coming)]);
    for (const site of staying) expect(seen).toContain(site);
    expect((await stored(bench())).toSorted()).toEqual([...staying, ...coming].toSorted());
  });

  test('the list of rings names those that have items, in pages; one that vanished by hand leaves it', async () => {
    const b = bench();
    const rings = ringsOf(b);
    for (const name of ['c', 'a', 'd', 'b', 'e']) await rings.add(name, ['1', '2']);
    await rings.remove('b', ['1', '2']);
    await rings.drop('e');
    await b.redises.raw.del(`${b.root}ring:d`);
    const first = await rings.list(2, '');
    expect(first).toEqual({
      rings: [
        { ring: 'a', length: 2 },
        { ring: 'c', length: 2 },
      ],
      cursor: 'c',
    });
    expect(await rings.list(2, 'c')).toEqual({ rings: [] });
    expect(await b.redises.raw.zrange(`${b.root}rings`, 0, -1)).toEqual(['a', 'c']);
    const { items, ...page } = await rings.page('a', 1, '');
    expect([items, page]).toEqual([['1'], { length: 2, cursor: '1' }]);
    expect(await rings.page('a', 1, '1')).toEqual({ length: 2, items: ['2'] });
    expect(await rings.page('nowhere', 10, '')).toEqual({ length: 0, items: [] });
  });

  test('a key of another type: refused, nothing changes, and the list goes on without it', async () => {
    const b = bench();
    const rings = ringsOf(b);
    await rings.add('sites', ['a']);
    await rings.add('odd', ['a']);
    await b.redises.raw.set(`${b.root}ring:odd`, 'text');
    for (const call of [
      () => rings.rotate('odd', 1),
      () => rings.rotate('odd', 2),
      () => rings.add('odd', ['b']),
      () => rings.remove('odd', ['a']),
      () => rings.page('odd', 1, ''),
      () => rings.drop('odd'),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'refused' });
    }
    expect(await b.redises.raw.get(`${b.root}ring:odd`)).toBe('text');
    expect(await rings.list(10, '')).toEqual({ rings: [{ ring: 'sites', length: 1 }] });
    await b.redises.raw.set(`${b.root}rings`, 'text');
    await expect(rings.add('sites', ['b'])).rejects.toMatchObject({ code: 'refused' });
    expect(await stored(b)).toEqual(['a']);
  });

  test('it costs 2 commands for one item, 4 for up to 200, 2 for all of them; 4 to add', async () => {
    const b = bench();
    const rings = ringsOf(b);
    await rings.add('sites', sites(300));
    await rings.rotate('sites', 1);
    const commands = async (work: () => Promise<unknown>) => (await b.cost(work)).commands;
    expect(await commands(() => rings.rotate('sites', 1))).toBe(2);
    expect(await commands(() => rings.rotate('sites', 200))).toBe(4);
    expect(await commands(() => rings.rotate('sites', 299))).toBe(5);
    expect(await commands(() => rings.rotate('sites', 300))).toBe(2);
    expect(await commands(() => rings.add('sites', ['x', 'y']))).toBe(5); // one of them reads the ring
    expect(await commands(() => rings.add('new', ['x', 'y']))).toBe(4);
    await rings.page('sites', 10, '');
    expect(await commands(() => rings.page('sites', 10, ''))).toBe(3);
  });
});

onEachRedis(
  'the largest ring',
  (bench) => {
    test('a full ring takes nothing, not even a part; 10,000 items of 1 KiB rotate, page by page and out again', async () => {
      const rings = ringsOf(bench());
      const items = Array.from({ length: MAX_RING_ITEMS }, (_, i) =>
        String(i).padEnd(1_024, '名'.repeat(100)).slice(0, 500).padStart(500, '.'),
      );
      for (let i = 0; i < MAX_RING_ITEMS; i += 1_000) await rings.add('sites', items.slice(i, i + 1_000));
      expect(await rings.add('sites', ['one', 'more'])).toBe('full');
      expect(await rings.add('sites', items.slice(0, 3))).toEqual({ added: 0, length: MAX_RING_ITEMS });
      const turn: string[] = [];
      for (let i = 0; i < MAX_RING_ITEMS; i += 1_000) turn.push(...(await rings.rotate('sites', 1_000)));
      expect(turn).toEqual(items);
      const { items: last, cursor } = await rings.page('sites', 1_000, '9000');
      expect([last, cursor]).toEqual([items.slice(9_000), undefined]);
      expect(await rings.remove('sites', items.slice(0, 1_000))).toEqual({ removed: 1_000, length: 9_000 });
      expect([await rings.drop('sites'), await rings.drop('sites')]).toEqual([9_000, 0]);
    }, 60_000);
  },
  ['redis-server'],
);

const lossy: Partial<Record<FaultKind, number>> = { 'drop-reply': 0.15, truncate: 0.05, reset: 0.1 };

describe.each([
  { name: 'the embedded Redis', start: startEmbedded, present: true },
  { name: 'redis-server', start: startServer, present: redisServerPresent() },
])('OP8 a ring whose answers are dropped, on $name', ({ start, present }) => {
  const seed = 42;
  const handedOut: string[][] = []; // by Redis, in its order, whether or not the answer arrived
  let faulty = true;
  let redises: Redises;
  beforeAll(async () => {
    const { faults } = seededFaults({ seed, rates: lossy });
    redises = await start({
      faults: (request) => (faulty ? faults(request) : undefined),
      observe: ({ command, result, error }) => {
        const isRotate = command[2] === '1' && command.length === 5 && command[3]?.endsWith('ring:sites');
        if (isRotate && error === undefined && Array.isArray(result)) handedOut.push(result as string[]);
      },
    });
  });
  afterAll(() => redises?.stop());

  test.skipIf(!present)(
    '50 clients: every item comes round, none is lost or doubled, a repeat skips only its own turn',
    async () => {
      const send = connect({ url: redises.emulator.url, token: 'local', timeoutMs: () => 5_000 });
      const rings = openRings(openShard({ send, prefix: 'lossy' }).within({ repeatAfterMs: [1, 5, 20, 50, 50] }));
      const items = sites(1_000);
      faulty = false;
      await rings.add('sites', items);
      faulty = true;
      const received: string[] = [];
      const calls = Array.from({ length: 300 }, () => 10);
      await atOnce(
        50,
        calls,
        async (count) => void received.push(...(await rings.rotate('sites', count).catch(() => []))),
      );
      faulty = false;
      const raw = await redises.raw.lrange('{lossy}:ring:sites', 0, -1);
      expect(raw.toSorted()).toEqual(items.toSorted());
      const lost = handedOut.flat().length - received.length;
      expect(lost).toBeGreaterThan(0); // or nothing was tested
      // Redis went round without a gap: what an answer lost was only that answer's.
      const round = handedOut.flat();
      expect(round).toEqual(round.map((_, i) => items[i % items.length]));
      expect(round.length).toBeGreaterThan(items.length);
      const turn: string[] = [];
      await atOnce(50, countsOf(1_000), async (count) => void turn.push(...(await rings.rotate('sites', count))));
      expect(turn.toSorted()).toEqual(items.toSorted());
    },
  );
});

test.skipIf(!redisServerPresent())(
  'ST8 a user limited to the keys of the shard runs every script of rings',
  async () => {
    const redises = await startServer();
    const limitedTo = redises.raw as Redis;
    await limitedTo.call('ACL', 'SETUSER', 'sluice', 'on', '>pw', '~{shard}:*', '+@all', '-@dangerous', '+info');
    const { host, port } = limitedTo.options;
    const emulator = await startEmulator({ url: `redis://sluice:pw@${host}:${port}`, token: 't' });
    const send = connect({ url: emulator.url, token: 't', timeoutMs: () => 5_000 });
    const rings = openRings(openShard({ send, prefix: 'shard' }));
    expect(await rings.add('sites', ['a', 'b', 'c'])).toEqual({ added: 3, length: 3 });
    expect([await rings.rotate('sites', 1), await rings.rotate('sites', 2)]).toEqual([['a'], ['b', 'c']]);
    expect(await rings.remove('sites', ['a'])).toEqual({ removed: 1, length: 2 });
    expect((await rings.page('sites', 5, '')).items).toEqual(['b', 'c']);
    expect((await rings.list(5, '')).rings).toEqual([{ ring: 'sites', length: 2 }]);
    expect(await rings.drop('sites')).toBe(2);
    const elsewhere = openRings(openShard({ send, prefix: 'other' }));
    await expect(elsewhere.rotate('sites', 1)).rejects.toMatchObject({ reason: 'NOPERM' });
    await emulator.close();
    await redises.stop();
  },
);

describe('in code', () => {
  const untouched = openRing({} as Parameters<typeof openRing>[0], 'sites'); // whatever reaches storage throws a TypeError

  test('what is out of bounds is refused before anything is sent, with what is wrong', async () => {
    expect(() => openRing({} as Parameters<typeof openRing>[0], 'a b')).toThrow(/ring's name/);
    for (const count of [0, 1_001, 1.5, Number.NaN])
      await expect(untouched.rotate(count)).rejects.toThrow(/count must be/);
    await expect(untouched.add([])).rejects.toThrow(/number of items/);
    await expect(untouched.add(['a', 'b\nc'])).rejects.toThrow(/^items\[1\] must be text/);
    await expect(untouched.remove(sites(1_001))).rejects.toThrow(/number of items/);
    await expect(untouched.items(1_001)).rejects.toThrow(/limit must be/);
    await expect(untouched.items(1, '-1')).rejects.toThrow(/cursor must be/);
  });

  test('a full ring is an error, so that nobody takes it for done', async () => {
    const full = openRing({ add: async () => 'full' } as unknown as Parameters<typeof openRing>[0], 'sites');
    await expect(full.add(['a'])).rejects.toThrow(/more than 10000 items/);
  });

  test('an item is a line of 1 to 1,024 bytes', () => {
    expect(['a', ' ', 'https://ä.example/?q=名', 'x'.repeat(1_024)].map(isRingItem)).toEqual([true, true, true, true]);
    expect(['', 'a\0', 'a\nb', '\u0085', '\ud800', 'x'.repeat(1_025), '名'.repeat(342)].some(isRingItem)).toBe(false);
  });
});
