// What many queues define is kept in Redis under its digest: calls say the digest, and whatever becomes of what is kept, each is decided
// as if it had brought all along.
import { expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { encodeDefinitions } from '../../src/queue/limits.ts';
import { openShard } from '../../src/redis/shard.ts';
import { audit } from '../../src/store/audit.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { idOf } from '../support/settling.ts';
import { checkingRunner } from '../support/touched.ts';

type Queue = Parameters<typeof encodeDefinitions>[0] extends Iterable<infer Each> ? Each : never;

const handler = () => {};
const push = (name: string, policy = ''): Queue => ({ name, pool: '*', policy, handler });
/** So many that what they say is too long for a call. */
const others = (count = 400): Queue[] => Array.from({ length: count }, (_, i) => push(`other-${i}`, 'c=7'));

interface Deployed {
  store: Store;
  /** Of each request: its bytes. */
  bytes: number[];
  /** Puts in doubt whether each request was answered, from then on. */
  lose: (at: number) => void;
}

/** A deployment of these queues. @param count of others beside them */
function deploy(b: Bench, queues: Queue[], count = 400, keeps = { letters: 100_000, ms: 2_592_000_000 }): Deployed {
  const all = [...queues, ...others(count)];
  const bytes: number[] = [];
  let losing = Number.POSITIVE_INFINITY;
  const direct = b.opened();
  const shard = openShard({
    prefix: b.prefix,
    clock: () => b.now,
    send: async (command) => {
      bytes.push(command.reduce((sum, word) => sum + word.length, 0));
      const answer = await direct.send(command);
      if (command[0]?.startsWith('EVAL') && losing-- === 0) throw new StorageError('unreachable', 'no answer');
      return answer;
    },
  });
  const { run } = checkingRunner(shard, (undeclared) => b.undeclared.add(undeclared));
  const store = openStore({ ...shard, run }, { queues: all, policies: encodeDefinitions(all, keeps) });
  return { store, bytes, lose: (at) => (losing = at) };
}

async function kept(b: Bench): Promise<string[]> {
  const names = Object.keys((await b.shard()).rest).filter((name) => name.startsWith('policies:'));
  return names.map((name) => b.root + name);
}

/** Ends a message of the bench. */
function acked(b: Bench, entries: string[]): void {
  for (const entry of entries) b.alive.delete(idOf(entry));
}

async function takeAll({ store }: Deployed, want = 10, lease = 'a'): Promise<string[]> {
  const answer = await store.sync({ lease, leaseMs: 30_000, held: 0, want, pools: ['*'], settlements: [] });
  return answer.taken.map(({ entry }) => entry);
}

async function ackAll(b: Bench, { store }: Deployed, entries: string[], lease = 'a'): Promise<string[]> {
  const settlements = entries.map((entry) => ({ entry, outcome: 'ack' as const }));
  const answer = await store.sync({ lease, leaseMs: 30_000, held: 0, want: 0, pools: ['*'], settlements });
  acked(b, entries);
  return answer.statuses;
}

onEachRedis(
  'what many queues define, in several parts',
  (bench) => {
    test('is put once, and then no call is longer than 8 KB', async () => {
      const b = bench();
      const mine = deploy(b, [push('mail', 'c=2')], 10_000);
      await b.enqueue(...[1, 2, 3].map((n) => b.message('mail', n)));
      expect(await takeAll(mine)).toHaveLength(2); // its limit
      expect(Math.max(...mine.bytes)).toBeGreaterThan(8_192);
      mine.bytes.length = 0;
      expect(await takeAll(mine, 10, 'b')).toEqual([]);
      await mine.store.sweep('*', { cursor: '0' });
      await audit(mine.store, '0', true);
      mine.bytes.length = 0;
      await takeAll(mine, 10, 'b');
      await mine.store.sweep('*', { cursor: '0' });
      await audit(mine.store, '0', true);
      expect(Math.max(...mine.bytes)).toBeLessThan(8_192);
      expect(mine.bytes).toHaveLength(3);
    });

    test('is put whatever answer is lost on the way, and the call has its effect once', async () => {
      const b = bench();
      for (let lost = 0; lost < 5; lost++) {
        await b.redises.raw.del(...(await kept(b)), `${b.root}none`);
        const mine = deploy(b, [push('mail', 'c=1')], 4_000);
        await b.enqueue(b.message('mail', `a${lost}`), b.message('mail', `b${lost}`));
        mine.lose(lost);
        const entries = await takeAll(mine);
        expect(entries).toHaveLength(1);
        mine.lose(Number.POSITIVE_INFINITY);
        await ackAll(b, mine, entries);
        await ackAll(b, mine, await takeAll(mine));
      }
    });
  },
  ['redis-server'],
);

onEachRedis(
  'what many queues define',
  (bench) => {
    test('costs two commands more where a call takes messages, and none where few queues say little', async () => {
      const b = bench();
      const cost = async (deployed: Deployed) => {
        await takeAll(deployed);
        await b.enqueue(b.message('mail', 1));
        const before = await b.redises.emulator.billed();
        const entries = await takeAll(deployed);
        const commands = (await b.redises.emulator.billed()) - before;
        await ackAll(b, deployed, entries);
        return commands;
      };
      const few = await cost(deploy(b, [push('mail', 'c=2')], 2));
      expect(await cost(deploy(b, [push('mail', 'c=2')]))).toBe(few + 2);
    });

    test.each(['is deleted', 'loses a queue', 'has another type', 'goes with the whole database'])(
      'and then %s: the next call puts it again, or brings it along',
      async (what) => {
        const b = bench();
        const mine = deploy(b, [push('mail', 'c=1')]);
        await takeAll(mine);
        const [key = ''] = await kept(b);
        if (what === 'is deleted' || what === 'loses a queue') await b.redises.raw.del(key);
        if (what === 'loses a queue') await b.redises.raw.hset(key, 'other-1', '* c=7'); // a part was put, and no more
        if (what === 'has another type') await b.redises.raw.set(key, 'x');
        if (what === 'goes with the whole database')
          await b.redises.raw.del(...(await b.redises.raw.keys(`${b.root}*`)));
        await b.enqueue(b.message('mail', 1), b.message('mail', 2), b.message('unknown', 3));
        const [first = '', ...more] = await takeAll(mine);
        expect(more).toEqual([]); // one of mail, and none that nobody knows
        expect(await ackAll(b, mine, [first])).toEqual(['acked']);
        expect(await takeAll(mine)).toHaveLength(1);
        if (what === 'has another type') await b.redises.raw.del(key); // nobody of ours wrote it
      },
    );

    test('where storage refuses to keep it, acks go through and limits hold', async () => {
      const b = bench();
      const before = deploy(b, [push('mail', 'c=1')]);
      await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      const entries = await takeAll(before);
      await b.redises.raw.del(...(await kept(b)));
      b.redises.refuse = () => ({ from: 1, times: Number.POSITIVE_INFINITY, keys: ['*policies:*'] });
      const mine = deploy(b, [push('mail', 'c=1')]);
      expect(await ackAll(b, mine, entries)).toEqual(['acked']);
      expect(await takeAll(mine)).toHaveLength(1);
      const calls = mine.bytes.length;
      expect(await takeAll(mine, 10, 'b')).toEqual([]);
      expect(mine.bytes.length - calls).toBe(1); // it does not try again each time
      b.redises.refuse = () => undefined;
    });

    test('of two versions side by side stands side by side, and each decides by its own', async () => {
      const b = bench();
      const one = deploy(b, [push('mail', 'c=1')]);
      const two = deploy(b, [push('mail', 'c=3')]);
      await b.enqueue(...[1, 2, 3, 4].map((n) => b.message('mail', n)));
      const entries = await takeAll(one);
      expect(entries).toHaveLength(1);
      await ackAll(b, one, entries);
      expect(await takeAll(two)).toHaveLength(3);
      expect(await kept(b)).toHaveLength(2);
    });

    test('stays as long as somebody sweeps with it, and a day longer', async () => {
      const b = bench();
      const mine = deploy(b, [push('mail')]);
      await takeAll(mine);
      const [key = ''] = await kept(b);
      const life = async () => b.redises.raw.pttl(key);
      expect(await life()).toBeGreaterThan(86_000_000);
      expect(await life()).toBeLessThanOrEqual(86_400_000);
      await b.redises.raw.pexpire(key, 1_000_000);
      await mine.store.sweep('*', { cursor: '0', note: true });
      expect(await life()).toBeGreaterThan(86_000_000);
    });

    test('a queue that is not named is left alone, and one that another deployment handles', async () => {
      const b = bench();
      const mine = deploy(b, [push('mail'), { ...push('elsewhere'), handler: undefined as never }]);
      await b.enqueue(...['elsewhere', 'unknown', 'mail'].map((queue) => b.message(queue, 1, { priority: 0 })));
      expect(await takeAll(mine)).toHaveLength(1);
    });

    test('a queue that became pull moves wherever its messages stand, and back', async () => {
      const b = bench();
      const failure = { kind: 'failed', text: 'x' } as const;
      const asPush = deploy(b, [push('mail')]);
      const asPull = deploy(b, [{ name: 'mail', pool: 'mail', policy: '' }]);
      const ids = await b.enqueue(
        ...[1, 2, 3].map((n) => b.message('mail', n)),
        b.message('mail', 4, { delayMs: 2_000 }),
      );
      const [first = ''] = await takeAll(asPush, 1);
      const settlements = [{ entry: first, outcome: 'retry' as const, delayMs: 2_000, failure }];
      await asPush.store.sync({ lease: 'a', leaseMs: 2_000, held: 0, want: 1, pools: ['*'], settlements });
      for (const id of ids) b.unordered.add(id);
      b.now += 2_000;
      await asPull.store.sweep('*', { cursor: '0' });
      const { taken } = await asPull.store.sync({
        lease: 'c',
        leaseMs: 9_000,
        held: 0,
        want: 9,
        pools: ['mail'],
        settlements: [],
      });
      expect(taken.map(({ entry }) => idOf(entry)).toSorted()).toEqual(ids.toSorted());
    });

    test('sweeps look at all of them by name, some in each, and mend what is wrong', async () => {
      const b = bench();
      const mine = deploy(b, [push('zz-mail')], 500, { letters: 100_000, ms: 1_000 });
      await b.enqueue(b.message('zz-mail', 1), b.message('other-77', 2));
      const [dead = ''] = await b.enqueue(b.message('other-99', 3));
      await b.take(3, 'x');
      await b.sync({
        lease: 'x',
        settlements: [{ entry: `1.${dead}`, outcome: 'dead', failure: { kind: 'failed', text: 'x' } }],
      });
      b.now += 40_000;
      await mine.store.sweep('*'); // gives back what expired
      for (const queue of ['zz-mail', 'other-77']) {
        await b.redises.raw.zrem(`${b.root}ready:*`, `5:${queue}`);
        await b.redises.raw.zadd(`${b.root}blocked:${queue}`, 1, `5:${queue}`);
      }
      const findings: string[] = [];
      for (let round = 0; round < 6; round++) {
        const swept = await mine.store.sweep('*', { cursor: '1', round }); // it names the keys that it finds by itself
        findings.push(...swept.findings.map(({ finding, name }) => `${finding} ${name}`));
      }
      expect(findings.toSorted()).toEqual([
        'blocked-lane 5:other-77',
        'blocked-lane 5:zz-mail',
        'letters-discarded other-99',
      ]);
      b.alive.delete(dead);
    });

    test('lanes of push queues age in each sweep, of a pull queue when it has its turn', async () => {
      const b = bench();
      const pull: Queue = { name: 'chat', pool: 'chat', policy: 'a=1000' };
      const mine = deploy(b, [push('mail', 'a=1000'), pull]);
      await b.enqueue(b.message('mail', 1), b.message('chat', 2, { pool: 'chat' }));
      b.now += 5_000;
      const score = async (pool: string, lane: string) =>
        Number(await b.redises.raw.zscore(`${b.root}ready:${pool}`, lane));
      await mine.store.sweep('*', { cursor: '0' });
      expect(await score('*', '5:mail')).toBeLessThan(2 ** 49);
      for (let round = 0; round < 5; round++) await mine.store.sweep('*', { cursor: '0', round });
      expect(await score('chat', '5:chat')).toBeLessThan(2 ** 49);
    });

    test('what left the code is remembered', async () => {
      const b = bench();
      await takeAll(deploy(b, [push('mail')]));
      await takeAll(deploy(b, [push('news')]));
      const names = (await b.adminStore().names()).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['mail', 'news', 'other-399']));
    });
  },
  ['the embedded Redis', 'redis-server'],
);
