// Dead letters that are divided: with parts as with none, whoever looks at a queue's letters sees all of them, the oldest first.
import { expect, test } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import { type DeadLetterLimits, encodeDefinitions } from '../../src/queue/limits.ts';
import { openStore } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { divideAbove } from '../support/parts.ts';
import { type Scenario, syncs, tryAll } from '../support/refusing.ts';
import { auditAll, idOf } from '../support/settling.ts';

divideAbove(4); // so a record has two letters, and one that is about to be divided three

const DAY_MS = 86_400_000;
const FAILURE = { kind: 'refused', text: 'no' } as const;

function keep(b: Bench, keeps: DeadLetterLimits, policy = ''): void {
  const queues = [{ name: 'mail', pool: '*', policy, handler: () => {} }];
  const shard = b.opened(b.runner(), () => b.now);
  b.store = openStore(shard, { queues, policies: encodeDefinitions(queues, keeps) });
}

async function bury(b: Bench, entries: string[], lease: string): Promise<void> {
  const settlements = entries.map((entry) => ({ entry, outcome: 'dead' as const, failure: FAILURE }));
  await b.sync({ lease, settlements });
  b.now += 10;
}

/** So many die, one after the other, or some at once. @returns their ids */
async function die(b: Bench, count: number, options = {}, atOnce = 1): Promise<string[]> {
  const ids = await b.enqueue(...Array.from({ length: count }, (_, i) => b.message('mail', i, options)));
  for (let i = 0; i < count; i += atOnce) await bury(b, await b.take(atOnce, 'dies'), 'dies');
  return ids;
}

const numbers = async (b: Bench) => (await b.redises.raw.hget(`${b.root}parts`, 'dead:mail')) ?? '';

async function listed(b: Bench, limit = 3): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  do {
    const page = await b.adminStore().browse('mail', 'dead', limit, cursor);
    ids.push(...page.messages.map(({ entry }) => idOf(entry)));
    cursor = page.cursor;
  } while (cursor !== '');
  return ids;
}

/** Nothing of the letters is left. */
async function expectNone(b: Bench): Promise<void> {
  const { dead, deadParts, divided } = await b.shard();
  expect({ dead, deadParts, divided }).toEqual({ dead: {}, deadParts: [], divided: {} });
}

/** As where a part has just been divided off: no letter has died since. */
async function divided(b: Bench): Promise<string[]> {
  const ids = await die(b, 9, {}, 3);
  expect([await numbers(b), await b.redises.raw.exists(`${b.root}dead:mail`)]).toEqual(['1 2 3', 0]);
  return ids;
}

onEachRedis(
  'dead letters that are divided',
  (bench) => {
    test('are listed in order, counted, grouped and found, wherever they are', async () => {
      const b = bench();
      const ids = [...(await divided(b)), ...(await die(b, 2))];
      const admin = b.adminStore();
      for (const limit of [1, 4, 11]) expect(await listed(b, limit), `${limit}`).toEqual(ids);
      expect(await admin.count('mail')).toMatchObject({ dead: 11, complete: true });
      const many = await admin.countAll(['mail', ...Array.from({ length: 199 }, (_, i) => `q${i}`)]);
      expect(many[0]?.dead).toBe(11);
      for (const limit of [1, 4, 50]) {
        const { dead, causes } = await admin.causes('mail', limit);
        expect([dead, causes.map(({ id }) => id)]).toEqual([11, ids.slice(-limit)]);
      }
      for (const id of ids) expect((await admin.look(id)).state, id).toBe('dead');
      expect(await auditAll(b.store, false, true)).toEqual([]);
    });

    test('are letters of a queue that storage alone knows', async () => {
      const b = bench();
      await divided(b);
      await b.redises.raw.del(`${b.root}stats:totals`, `${b.root}stats`);
      expect(await b.adminStore().names(['mail', 'none'])).toEqual([{ name: 'mail', pool: '*' }]);
      expect(await b.adminStore().count('mail')).toMatchObject({ dead: 9, complete: true });
    });

    test('are cancelled one by one, and nothing is left of them', async () => {
      const b = bench();
      for (const id of (await divided(b)).toSorted().concat(await die(b, 1))) {
        expect(await b.adminStore().cancel(id)).toBe('dead');
        b.alive.delete(id);
        expect(await b.violations()).toEqual([]);
      }
      await expectNone(b);
    });

    test('are redriven, die again, and are redriven again', async () => {
      const b = bench();
      const ids = await divided(b);
      const admin = b.adminStore();
      const some = [ids[4], ids[0], ids[8]] as string[];
      expect(await admin.redrive('mail', [...some, 'none', some[0] as string])).toEqual([
        ...['redriven', 'redriven', 'redriven', 'gone', 'redriven'],
      ]);
      const again = await b.take(5, 'again');
      expect(again).toEqual(some.map((id) => `1r.${id}`));
      await bury(b, again, 'again');
      expect(await listed(b)).toEqual([...ids.filter((id) => !some.includes(id)), ...some]);
      expect(await admin.redrive('mail', await listed(b))).toEqual(ids.map(() => 'redriven'));
      expect(await admin.redrive('mail', ids)).toEqual(ids.map(() => 'gone'));
      await expectNone(b);
      expect((await b.take(20)).length).toBe(9);
    });

    test('are purged', async () => {
      const b = bench();
      for (const id of await divided(b)) b.alive.delete(id);
      expect((await b.adminStore().purge('mail', ['dead'], '0')).purged).toBe(9);
      await expectNone(b);
    });

    test('go where they are more than are kept, the oldest first', async () => {
      const b = bench();
      keep(b, { letters: 5, ms: DAY_MS });
      const ids = await die(b, 14);
      for (const id of ids.slice(0, 9)) b.alive.delete(id);
      expect(await listed(b)).toEqual(ids.slice(9));
      expect(Object.keys((await b.shard()).failures).toSorted()).toEqual(ids.slice(9).toSorted());
    });

    test('go where they are older than they are kept, though the clock steps back', async () => {
      const b = bench();
      keep(b, { letters: 100, ms: DAY_MS });
      const old = await divided(b);
      b.now -= 5_000;
      const back = await die(b, 3);
      b.now += DAY_MS + 10_000;
      for (let hour = 0; hour < 9 && (await numbers(b)) !== ''; hour++)
        await b.store.sweep('*', { cursor: '0', round: 59 });
      await b.store.sweep('*', { cursor: '0', round: 59 });
      for (const id of [...old, ...back]) b.alive.delete(id);
      await expectNone(b);
    });

    test('that hold their groups back stay, and their slots are counted', async () => {
      const b = bench();
      keep(b, { letters: 3, ms: DAY_MS }, 'b');
      const held: string[] = [];
      for (const group of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) held.push(...(await die(b, 1, { group })));
      expect(await listed(b)).toEqual(held);
      expect((await numbers(b)).split(' ').length).toBeGreaterThan(1);
      expect(await auditAll(b.store, false, true)).toEqual([]);
      await b.redises.raw.del(`${b.root}inflight`);
      await b.redises.raw.hset(`${b.root}inflight`, 'mail/a', 5);
      await b.store.sweep('*', { cursor: '0' });
      expect(await b.violations()).toEqual([]);
      expect(await b.adminStore().redrive('mail', held.slice(0, 6))).toEqual(held.slice(0, 6).map(() => 'redriven'));
      expect((await b.shard()).inflight).toEqual({ 'mail/g': 1 });
    });

    test('are found by an audit where the list of parts is lost, or parts are', async () => {
      const b = bench();
      const ids = await divided(b);
      await b.redises.raw.hdel(`${b.root}parts`, 'dead:mail');
      const found = ['1', '2', '3'].map((number) => `part-without-lane dead:mail:${number}`);
      expect(await auditAll(b.store, true)).toEqual(found);
      expect(await listed(b)).toEqual(ids);
      const first = ids.slice(0, 3);
      await b.redises.raw.del(...['1', '2', '3'].map((number) => `${b.root}dead:mail:${number}`));
      expect(await auditAll(b.store, true)).toEqual(['part-without-entries dead:mail']);
      expect((await auditAll(b.store, true, true)).toSorted()).toEqual(
        ids.map((id) => `envelope-without-entry ${id}`).toSorted(),
      );
      expect(first.length).toBe(3);
      expect((await b.take(20)).length).toBe(9);
    });
  },
  ['the embedded Redis', 'redis-server'],
);

onEachRedis(
  'dead letters that are divided while storage refuses',
  (bench) => {
    test('at each refused write: every letter is in one place, and is found', async () => {
      const scenario: Scenario = {
        name: 'letters are divided',
        prepare: async (b) => {
          await b.enqueue(...['a', 'b', 'c', 'd'].map((name) => b.message('mail', name)));
          await bury(b, await b.take(2, 'x'), 'x');
          await b.take(2);
        },
        call: syncs({
          settle: [
            ['c', 'dead'],
            ['d', 'dead'],
          ],
        }),
      };
      const refusals = (writes: string[]) =>
        writes.flatMap((write, i): [string, Refusal][] => [
          [`${i + 1}. ${write}`, { from: i + 1 }],
          [`from ${i + 1}. ${write}`, { from: i + 1, times: Number.POSITIVE_INFINITY }],
        ]);
      expect(await tryAll(bench().redises, scenario, ({ writes }) => refusals(writes))).toEqual([]);
      for (const commands of [['RENAME'], ['HSET']])
        expect(
          await tryAll(bench().redises, scenario, () => [
            [`all ${commands}`, { from: 1, times: Number.POSITIVE_INFINITY, commands }],
          ]),
        ).toEqual([]);
    });
  },
  ['redis-server'],
);
