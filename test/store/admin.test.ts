// What an operator may rely on: cancel says where the message was, pause lets nothing out, a redrive moves once.
import { expect, test } from 'vitest';
import type { State } from '../../src/store/admin-messages.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

onEachRedis(
  'cancelling',
  (bench) => {
    const cancel = async (b: Bench, id = '') => {
      const was = await b.adminStore().cancel(id);
      if (was !== 'gone') b.alive.delete(id);
      return was;
    };

    test('OP3 a message that is ready: it is gone at once, and an emptied lane leaves the index', async () => {
      const b = bench();
      const [first, second] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      expect([await cancel(b, first), await cancel(b, second), await cancel(b, second)]).toEqual([
        'ready',
        'ready',
        'gone',
      ]);
      const { lanes, ready, envelopes } = await b.shard();
      expect({ lanes, ready, envelopes }).toEqual({ lanes: {}, ready: {}, envelopes: {} });
    });

    test('OP3 a message that is delayed, for the first time or after a failure', async () => {
      const b = bench();
      const [fresh] = await b.enqueue(b.message('mail', 1, { delayMs: 1_000 }));
      const [failed] = await b.enqueue(b.message('mail', 2));
      const [entry = ''] = await b.take(1);
      await b.sync({
        settlements: [{ entry, outcome: 'retry', delayMs: 500, failure: { kind: 'failed', text: '7 8 x' } }],
      });
      expect([await cancel(b, fresh), await cancel(b, failed)]).toEqual(['delayed', 'delayed']);
      const { timers, envelopes, failures } = await b.shard();
      expect({ timers, envelopes, failures }).toEqual({ timers: {}, envelopes: {}, failures: {} });
    });

    test('OP3 a dead letter', async () => {
      const b = bench();
      const [id] = await b.enqueue(b.message('mail', 1));
      const [entry = ''] = await b.take(1);
      await b.sync({ settlements: [{ entry, outcome: 'dead' }] });
      expect(await cancel(b, id)).toBe('dead');
      expect((await b.shard()).dead).toEqual({});
    });

    test.each(['retry', 'release', 'dead', 'ack'] as const)(
      'a message that is leased: what its consumer says then (%s) leaves nothing',
      async (outcome) => {
        const b = bench();
        const [id] = await b.enqueue(b.message('mail', 1));
        const [entry = ''] = await b.take(1);
        expect([await cancel(b, id), await cancel(b, id)]).toEqual(['leased', 'leased']);
        const { statuses } = await b.sync({ settlements: [{ entry, outcome }] });
        expect(statuses).toEqual(['gone']);
        const { envelopes, failures, leases, timers } = await b.shard();
        expect({ envelopes, failures, leases, timers }).toEqual({
          envelopes: {},
          failures: {},
          leases: {},
          timers: {},
        });
      },
    );

    test('a message that is leased by a consumer which dies: the sweep drops it', async () => {
      const b = bench();
      const [id] = await b.enqueue(b.message('mail', 1));
      await b.take(1);
      await cancel(b, id);
      b.now += 30_000;
      expect(await b.store.sweep('*')).toMatchObject({ requeued: 0, dead: 0 });
      const { envelopes, lanes, dead } = await b.shard();
      expect({ envelopes, lanes, dead }).toEqual({ envelopes: {}, lanes: {}, dead: {} });
    });

    test('a message in the middle of a very long lane: it is never given out', async () => {
      const b = bench();
      const ids: string[] = [];
      for (let i = 0; i < 21; i++)
        ids.push(...(await b.enqueue(...Array.from({ length: 1_000 }, (_, n) => b.message('mail', n)))));
      const middle = ids[10_500];
      expect(await cancel(b, middle)).toBe('unseen');
      const taken: string[] = [];
      for (let lease = 0; taken.length < ids.length - 1 && lease < 43; lease++)
        taken.push(...(await b.take(500, `l${lease}`)));
      expect(taken).toEqual(ids.filter((id) => id !== middle).map((id) => `1.${id}`));
    }, 60_000);
  },
  ['the embedded Redis', 'redis-server'],
);

onEachRedis(
  'pausing',
  (bench) => {
    test('LF6 nothing of the queue goes out, everything else does, and all of it after resume, in order', async () => {
      const b = bench();
      const held = await b.enqueue(b.message('mail', 1, { priority: 0 }), b.message('mail', 2, { priority: 0 }));
      await b.adminStore().pause('mail', '*');
      const more = await b.enqueue(
        b.message('mail', 3, { priority: 0 }),
        b.message('mail', 4, { priority: 0, group: 'g' }),
      );
      const [other] = await b.enqueue(b.message('news', 5));
      expect(await b.take(10)).toEqual([`1.${other}`]);
      expect((await b.shard()).blocked).toEqual({ mail: expect.arrayContaining(['0:mail', '0:mail/g']) });
      await b.adminStore().resume('mail', '*');
      const taken = await b.take(10, 'b');
      expect(taken.toSorted()).toEqual([...held, ...more].map((id) => `1.${id}`).toSorted());
      expect(taken.filter((entry) => entry !== `1.${more[1]}`)).toEqual([...held, more[0]].map((id) => `1.${id}`));
      expect(await b.take(1, 'c')).toEqual([]);
      const { blocked, config, ready } = await b.shard();
      expect({ blocked, config, ready }).toEqual({ blocked: {}, config: {}, ready: {} });
    });

    test('LF6 what is retried, swept, due or redriven meanwhile waits too', async () => {
      const b = bench();
      const [retried = '', lapsed = '', dead = ''] = await b.enqueue(...[1, 2, 3].map((n) => b.message('mail', n)));
      const [due] = await b.enqueue(b.message('mail', 4, { delayMs: 1_000 }));
      const entries = await b.take(3);
      await b.sync({
        held: 1,
        settlements: [
          { entry: entries[0] ?? '', outcome: 'retry', delayMs: 500 },
          { entry: entries[2] ?? '', outcome: 'dead' },
        ],
      });
      await b.adminStore().pause('mail', '*');
      b.now += 30_000;
      await b.store.sweep('*');
      expect(await b.adminStore().redrive('mail', [dead])).toEqual(['redriven']);
      b.unordered.add(dead);
      expect(await b.take(10, 'b')).toEqual([]);
      await b.adminStore().resume('mail', '*');
      const after = [`2.${lapsed}`, `2.${retried}`, `1.${due}`, `1r.${dead}`];
      expect((await b.take(10, 'c')).toSorted()).toEqual(after.toSorted());
    });

    test('pause and resume may be repeated, and a resume of what was never paused does nothing', async () => {
      const b = bench();
      const [id] = await b.enqueue(b.message('mail', 1));
      const adminStore = b.adminStore();
      await adminStore.resume('mail', '*');
      for (const _ of ['first', 'replayed']) await adminStore.pause('mail', '*');
      expect(await b.take(1)).toEqual([]);
      for (const _ of ['first', 'replayed']) await adminStore.resume('mail', '*');
      expect(await b.take(1)).toEqual([`1.${id}`]);
      for (const _ of ['first', 'replayed']) await adminStore.pause('mail', '*');
      await adminStore.resume('mail', '*');
      await adminStore.pause('mail', '*');
      await b.enqueue(b.message('mail', 2));
      expect(await b.take(1, 'b')).toEqual([]);
    });

    test('a paused queue of three thousand groups is blocked in bounded steps and comes back whole', async () => {
      const b = bench();
      await b.adminStore().pause('mail', '*');
      for (let i = 0; i < 3; i++) {
        await b.enqueue(
          ...Array.from({ length: 1_000 }, (_, n) => b.message('mail', n, { group: `g${i * 1_000 + n}` })),
        );
      }
      const [other] = await b.enqueue(b.message('news', 1, { priority: 9 }));
      const taken: string[] = [];
      for (let i = 0; i < 3; i++) taken.push(...(await b.take(10, `a${i}`)));
      expect(taken).toEqual([`1.${other}`]);
      await b.adminStore().resume('mail', '*');
      let back = 0;
      for (let i = 0; i < 40 && back < 3_000; i++) back += (await b.take(200, `b${i}`)).length;
      expect(back).toBe(3_000);
    }, 60_000);
  },
  ['the embedded Redis', 'redis-server'],
);

onEachRedis(
  'redriving',
  (bench) => {
    const bury = async (b: Bench, count: number, outcome: 'dead' | 'retry' = 'dead') => {
      const ids = await b.enqueue(...Array.from({ length: count }, (_, n) => b.message('mail', n, { maxAttempts: 1 })));
      const entries = await b.take(count);
      await b.sync({
        settlements: entries.map((entry) => ({ entry, outcome, failure: { kind: 'failed' as const, text: 'x' } })),
      });
      for (const id of ids) b.unordered.add(id);
      return ids;
    };

    test('a dead letter comes back with attempt 1, behind what waits, and its failures stay until it is acked', async () => {
      const b = bench();
      const [id = ''] = await bury(b, 1, 'retry');
      const [waiting] = await b.enqueue(b.message('mail', 'waiting'));
      expect(await b.adminStore().redrive('mail', [id])).toEqual(['redriven']);
      expect((await b.shard()).failures[id]).toMatch(/^1 \d+ failed x$/);
      const [first, second = ''] = await b.take(2);
      expect([first, second]).toEqual([`1.${waiting}`, `1r.${id}`]);
      expect((await b.sync({ held: 1, settlements: [{ entry: second, outcome: 'ack' }] })).statuses).toEqual(['acked']);
      expect((await b.shard()).failures).toEqual({});
    });

    test('OP1 repeated, each moves once; what is not dead, or has no envelope, is told', async () => {
      const b = bench();
      const ids = await bury(b, 5);
      await b.redises.raw.del(`${b.root}m:${ids[4]}`);
      await b.redises.raw.set(`${b.root}failures:${ids[4]}`, '1 0 missing x');
      const asked = [...ids, 'nobody'];
      expect(await b.adminStore().redrive('mail', asked)).toEqual([...Array(4).fill('redriven'), 'missing', 'gone']);
      const before = await b.shard();
      expect(await b.adminStore().redrive('mail', asked)).toEqual([...Array(4).fill('gone'), 'missing', 'gone']);
      expect(await b.shard()).toEqual(before);
      expect(await b.take(10)).toEqual(ids.slice(0, 4).map((id) => `1r.${id}`));
    });

    test('one that dies again can be redriven again', async () => {
      const b = bench();
      const [id = ''] = await bury(b, 1);
      for (let i = 0; i < 3; i++) {
        expect(await b.adminStore().redrive('mail', [id])).toEqual(['redriven']);
        expect(await b.take(1)).toEqual([`1r.${id}`]);
        await b.sync({
          settlements: [{ entry: `1r.${id}`, outcome: 'dead', failure: { kind: 'refused', text: 'no' } }],
        });
      }
      expect(Object.keys((await b.shard()).dead.mail ?? {})).toEqual([`1r.${id}`]);
    });
  },
  ['the embedded Redis', 'redis-server'],
);

onEachRedis(
  'purging',
  (bench) => {
    test('OP2 what is leased stays with its consumer, whose late ack leaves no key; everything else goes', async () => {
      const b = bench();
      const [leased] = await b.enqueue(b.message('mail', 1));
      const [entry = ''] = await b.take(1);
      const gone = await b.enqueue(
        b.message('mail', 2),
        b.message('mail', 3, { group: 'g' }),
        b.message('mail', 4, { delayMs: 900 }),
      );
      const [other] = await b.enqueue(b.message('news', 5));
      const purge = () => b.adminStore().purge('mail', ['ready', 'delayed', 'dead'], '0');
      expect(await purge()).toMatchObject({ purged: 3 });
      expect(await purge()).toMatchObject({ purged: 0, more: false });
      for (const id of gone) b.alive.delete(id);
      expect(Object.keys((await b.shard()).envelopes).toSorted()).toEqual([leased, other].toSorted());
      expect((await b.sync({ settlements: [{ entry, outcome: 'ack' }] })).statuses).toEqual(['acked']);
      expect(await b.take(5)).toEqual([`1.${other}`]);
    });
  },
  ['the embedded Redis', 'redis-server'],
);

onEachRedis(
  'browsing',
  (bench) => {
    /** The bodies on each page. */
    const pagesOf = async (b: Bench, state: State, limit: number) => {
      const pages: unknown[][] = [];
      let cursor = '';
      do {
        const page = await b.adminStore().browse('mail', state, limit, cursor);
        pages.push(page.messages.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n'))).body));
        cursor = page.cursor;
      } while (cursor !== '');
      return pages;
    };
    test.each([
      [1, [[1], [2], [3], [4], [5], []]],
      [2, [[1, 2], [3, 4], [5]]],
      [3, [[1, 2], [3, 4], [5]]],
    ])('what is ready, %i to a page: lane by lane, also where a page ends with its lane', async (limit, pages) => {
      const b = bench();
      await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      await b.enqueue(b.message('mail', 3, { group: 'g' }), b.message('mail', 4, { group: 'g' }));
      await b.enqueue(b.message('news', 'other'), b.message('mail', 5, { group: 'h' }));
      expect(await pagesOf(b, 'ready', limit)).toEqual(pages);
    });

    test.each([
      [1, [[1], [2], [3], [4], []]],
      [2, [[1, 2], [3, 4], []]],
      [3, [[1, 2, 3], [4]]],
      [4, [[1, 2, 3, 4], []]],
      [5, [[1, 2, 3, 4]]],
    ])('what is delayed, or dead, %i to a page: by its time', async (limit, pages) => {
      const b = bench();
      await b.enqueue(...[1, 2, 3, 4].map((n) => b.message('mail', n, { delayMs: 10 * n })));
      await b.enqueue(b.message('news', 'other', { delayMs: 25 }));
      expect(await pagesOf(b, 'delayed', limit)).toEqual(pages);
      b.now += 60;
      await b.store.sweep('*');
      for (const _ of [1, 2, 3, 4, 5]) {
        const [entry = ''] = await b.take(1);
        await b.sync({ settlements: [{ entry, outcome: 'dead', failure: { kind: 'failed', text: 'x' } }] });
        b.now += 1;
      }
      expect(await pagesOf(b, 'dead', limit)).toEqual(pages);
    });
  },
  ['the embedded Redis', 'redis-server'],
);
