// Who is asked to start a drain: nothing that is ready, or due soon, waits for a tick while somebody could be asked.
import { expect, test } from 'vitest';
import type { PreparedMessage, StoredDedup } from '../../src/message/envelope.ts';
import { openScheduleStore } from '../../src/schedules/store.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import type { SyncRequest } from '../../src/store/sync.ts';
import { openTopicStore } from '../../src/topics/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const S = 1_000;
type Drain = NonNullable<SyncRequest['drain']>;

/** A sync of a drain that can sleep so long, and lives for handlers that take as long as they like. */
const drain = (b: Bench, lease: string, rest: Partial<Drain> = {}, want = 10) =>
  b.sync({ lease, want, drain: { ending: false, sleepMs: 12 * S, ...rest } });

/** Enqueues one. @returns whether its caller has to start a drain */
async function wakes(b: Bench, message: PreparedMessage, request: object = {}): Promise<boolean> {
  const { ids, wake, replayed, duplicates } = await b.store.enqueue({ messages: [message], ...request });
  if (!replayed && !duplicates.has(0)) b.expectAlive(ids, [message]);
  return wake;
}

/** Callbacks get their ids from storage: they are put on the books when they are there. */
async function account(b: Bench): Promise<void> {
  for (const id of Object.keys((await b.shard()).envelopes)) b.alive.add(id);
}

const awake = async (b: Bench) => (await b.shard()).rest.awake;
const nobodyIsAwake = (b: Bench) => b.redises.raw.del(`${b.root}awake`);

onEachRedis('a delayed message wakes a drain', (bench) => {
  test('where the one that sleeps has to end before it is due', async () => {
    const b = bench();
    expect(await wakes(b, b.message('mail', 1, { delayMs: 9 * S }))).toBe(true);
    expect((await drain(b, 'sleeper', { sleepMs: 10 * S })).nextDue).toBe(b.now + 9 * S);
    expect(await wakes(b, b.message('mail', 2, { delayMs: 10 * S }))).toBe(false); // it is there until then
    expect(await wakes(b, b.message('mail', 3, { delayMs: 11 * S }))).toBe(true);
  });

  test('where the one that sleeps takes messages until then, but does not live for its handler', async () => {
    const b = bench();
    await wakes(b, b.message('mail', 1, { delayMs: 4 * S }));
    await drain(b, 'sleeper', { lifeMs: 20 * S });
    const wake = { withinMs: 12 * S, needsMs: 15 * S };
    expect(await wakes(b, b.message('mail', 2, { delayMs: 5 * S }), { wake })).toBe(false);
    expect(await wakes(b, b.message('mail', 3, { delayMs: 6 * S }), { wake })).toBe(true);
  });

  test('up to the delay that it can sleep for; and for such a delay it sleeps, and nobody else has to', async () => {
    const b = bench();
    const wake = { withinMs: 12 * S, needsMs: 15 * S };
    expect(await wakes(b, b.message('mail', 1, { delayMs: 12 * S + 1 }), { wake })).toBe(false);
    expect(await wakes(b, b.message('mail', 2, { delayMs: 12 * S }), { wake })).toBe(true);
    b.now += 50; // it begins a moment later, and has as much longer to be there
    const { nextDue } = await drain(b, 'woken', { sleepMs: 12 * S, lifeMs: 27 * S });
    expect(nextDue).toBe(b.now - 50 + 12 * S);
    expect((await b.shard()).rest.sleeper).toBe(`${nextDue} woken ${b.now + 12 * S} ${b.now + 27 * S}`);
    expect(await wakes(b, b.message('mail', 3, { delayMs: 12 * S }), { wake })).toBe(false);
  });

  test('when it is put off by another that takes its place, as when it came', async () => {
    const b = bench();
    const dedup: StoredDedup = { digest: 'key', windowMs: 5 * S, mode: 'debounce', release: false };
    const keyed = (body: number) => b.message('mail', body, { dedup, delayMs: 5 * S });
    expect(await wakes(b, keyed(1))).toBe(true);
    await drain(b, 'sleeper', { sleepMs: 6 * S });
    b.now += 4 * S;
    expect(await wakes(b, keyed(2))).toBe(true); // due 3 s after the sleeper's end
  });

  test('that sleeps, is that of a schedule', async () => {
    const b = bench();
    const schedules = openScheduleStore(b.opened(b.runner(), () => b.now));
    const fire = async (id: string, delayMs: number) => {
      const change = {
        id,
        expected: '',
        header: `${b.now} active code r 0`,
        error: '',
        lines: 'a\nb\nc',
        due: b.now + 3_600 * S,
      };
      const { wake } = await schedules.change([{ ...change, messages: [b.message('mail', 1, { delayMs })] }], true);
      await account(b);
      return wake;
    };
    expect([await fire('late', 60 * S), await fire('soon', 3 * S), await fire('another', 3 * S)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

onEachRedis('an enqueue', (bench) => {
  test('of a caller that cannot start a drain leaves that to the next', async () => {
    const b = bench();
    expect(await wakes(b, b.message('mail', 1), { wake: false })).toBe(false);
    expect(await awake(b)).toBeUndefined();
    expect(await wakes(b, b.message('mail', 2, { delayMs: S }), { wake: false })).toBe(false);
    expect(await wakes(b, b.message('mail', 3))).toBe(true);
  });

  test('that is repeated when whoever was asked has gone asks again, and not while another is awake', async () => {
    const b = bench();
    const request = { token: 'key', fingerprint: 'f' };
    expect(await wakes(b, b.message('mail', 1), request)).toBe(true);
    await nobodyIsAwake(b); // its time is over
    expect(await wakes(b, b.message('mail', 1), request)).toBe(true);
    await b.redises.raw.set(`${b.root}awake`, 'another');
    expect(await wakes(b, b.message('mail', 1), request)).toBe(false);
    await nobodyIsAwake(b);
    expect(await wakes(b, b.message('mail', 1), { ...request, wake: false })).toBe(false);
  });

  test('of a publication that is repeated, the same', async () => {
    const b = bench();
    const topics = openTopicStore(b.opened());
    await topics.subscribe('invoices', 'one', '{}');
    await wakes(b, b.message('mail', 1), { token: 'key', fingerprint: 'f', note: 'one:mail' });
    const repeated = async () => (await topics.read('invoices', 'key')).applied?.wake;
    expect(await repeated()).toBe(true);
    await nobodyIsAwake(b);
    expect(await repeated()).toBe(true);
    await b.redises.raw.set(`${b.root}awake`, 'another');
    expect(await repeated()).toBe(false);
  });
});

onEachRedis('a consumer elsewhere is asked to start a drain', (bench) => {
  const settle = (b: Bench, settlements: Settlement[]) => b.sync({ lease: 'consumer', pools: ['pulled'], settlements });

  async function held(b: Bench, rest: Partial<PreparedMessage>): Promise<string> {
    await b.enqueue(b.message('pulled', 1, { pool: 'pulled', ...rest }));
    return (await b.take(1, 'consumer', { pools: ['pulled'] }))[0] ?? '';
  }

  test.each([
    ['done', 0],
    ['dead', 0],
    ['done', 3 * S],
    ['dead', 3 * S],
  ] as const)(
    'where something follows when its message is %s, %i ms later; and again where that answer was lost',
    async (on, delayMs) => {
      const b = bench();
      const entry = await held(b, { callbacks: [{ on, message: b.message('mail', 'follows', { delayMs }) }] });
      const settlement: Settlement =
        on === 'done' ? { entry, outcome: 'ack', result: 'null' } : { entry, outcome: 'dead' };
      expect((await settle(b, [settlement])).wake).toBe(true);
      expect((await settle(b, [settlement])).wake).toBe(true);
      await account(b);
      await drain(b, 'drain', {}, 0);
      await nobodyIsAwake(b);
      expect((await settle(b, [settlement])).wake).toBe(false); // there is nothing of it any more
    },
  );

  test('where what follows is due later than a drain would sleep for: it is not', async () => {
    const b = bench();
    const entry = await held(b, {
      callbacks: [{ on: 'done', message: b.message('mail', 'late', { delayMs: 60 * S }) }],
    });
    expect((await settle(b, [{ entry, outcome: 'ack', result: 'null' }])).wake).toBe(false);
    await account(b);
  });

  test('where it meets what was delayed, or held by a drain that died', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('mail', 2, { delayMs: 60 * S }));
    const [lost = ''] = await b.take(1, 'gone', { leaseMs: 30 * S });
    await nobodyIsAwake(b);
    const look = async () => (await b.sync({ lease: 'consumer', want: 1, pools: ['pulled'] })).wake;
    expect(await look()).toBe(false);
    b.now += 30 * S;
    expect(await look()).toBe(true);
    expect((await drain(b, 'drain')).taken.map(({ entry }) => entry)).toEqual([`2${lost.slice(1)}`]);
    b.now += 30 * S;
    await nobodyIsAwake(b);
    expect(await look()).toBe(true);
  });

  test('where its message had a slot of what is a push queue by now', async () => {
    const b = bench();
    b.deploy({ name: 'mail', pool: '*', policy: 'c=1' });
    await b.enqueue(b.message('mail', 1, { group: 'a' }), b.message('mail', 2, { group: 'b' }));
    const [entry = ''] = await b.take(1, 'consumer'); // as one that took it when the queue was pulled
    expect((await drain(b, 'drain')).taken).toEqual([]);
    expect((await settle(b, [{ entry, outcome: 'ack' }])).wake).toBe(true);
    expect((await drain(b, 'drain')).taken).toHaveLength(1);
  });
});

onEachRedis('a drain whose handlers are all busy', (bench) => {
  test('lets new work wake another; of several such one does so in a while', async () => {
    const b = bench();
    await b.enqueue(...[1, 2, 3].map((n) => b.message('mail', n)));
    const busy = (lease: string) => drain(b, lease, { busy: true }, 0);
    await drain(b, 'a', {}, 1);
    expect(await awake(b)).toBe('a');
    expect((await busy('a')).left).toBe(0); // there is more, and nobody was woken for it
    expect(await awake(b)).toBeUndefined();
    expect(await wakes(b, b.message('mail', 'urgent', { priority: 0 }))).toBe(true);
    await drain(b, 'b', {}, 1);
    expect((await busy('b')).left).toBeUndefined(); // or each that comes would bring the next
    expect(await awake(b)).toBe('b');
    await b.redises.raw.del(`${b.root}busy`); // the while is over
    await busy('b');
    expect(await awake(b)).toBeUndefined();
  });

  test('or that is about to end, says whether work is left', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1, { delayMs: S }));
    const end = async () => (await drain(b, 'a', { ending: true }, 0)).left;
    expect(await end()).toBeUndefined();
    b.now += S;
    expect(await end()).toBe(0);
  });
});

onEachRedis('a drain that lives shorter than a delivery may take', (bench) => {
  const queue = (name: string, timeoutMs: number) => ({ name, pool: '*', policy: '', timeoutMs });

  test('takes nothing of that queue, strictly by priority what it can, and says what it leaves', async () => {
    const b = bench();
    b.deploy(queue('slow', 90 * S), queue('quick', 5 * S));
    const [slow] = await b.enqueue(b.message('slow', 1, { priority: 0 }));
    const [later, first] = await b.enqueue(
      b.message('quick', 2, { priority: 7 }),
      b.message('common', 3, { priority: 3 }),
    );
    const before = await b.shard();
    expect((await drain(b, 'short', { lifeMs: 4 * S })).left).toBe(5 * S);
    const { awake, ...rest } = before.rest;
    expect(awake).toBeDefined();
    expect(await b.shard()).toEqual({ ...before, rest }); // new work wakes one that lives longer
    const some = await drain(b, 'woken', { lifeMs: 20 * S });
    expect(some.taken.map(({ entry }) => entry)).toEqual([`1.${first}`, `1.${later}`]);
    expect([some.left, some.unseen]).toEqual([90 * S, false]);
    const all = await drain(b, 'cron', { lifeMs: 120 * S });
    expect(all.taken.map(({ entry }) => entry)).toEqual([`1.${slow}`]);
    expect(all.left).toBeUndefined();
  });

  test('a queue without a timeout of its own has 15 s', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    expect((await drain(b, 'short', { lifeMs: 15 * S - 1 })).left).toBe(15 * S);
    expect((await drain(b, 'long', { lifeMs: 15 * S })).taken).toHaveLength(1);
  });

  test('finds what it can take behind hundreds of such lanes, and does not ask for ever behind thousands', async () => {
    const b = bench();
    b.deploy(queue('slow', 90 * S));
    const slow = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => b.message('slow', i, { priority: 0, group: `g${from + i}` }));
    await b.enqueue(...slow(0, 700));
    const [quick] = await b.enqueue(b.message('quick', 1));
    const { taken, unseen } = await drain(b, 'woken', { lifeMs: 20 * S });
    expect([taken.map(({ entry }) => entry), unseen]).toEqual([[`1.${quick}`], false]);
    for (let from = 700; from < 2_500; from += 900) await b.enqueue(...slow(from, 900));
    await b.enqueue(b.message('quick', 2));
    const out = await drain(b, 'another', { lifeMs: 20 * S });
    expect([out.taken, out.unseen, out.left]).toEqual([[], false, 90 * S]); // it waits for a drain that takes all
    const cost = await b.cost(() => drain(b, 'another', { lifeMs: 20 * S }));
    expect(cost.commands).toBeLessThan(20);
  });

  test('gives back what it lost in transit and has no time for: it comes with the next sync all the same', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    await drain(b, 'woken', { lifeMs: 20 * S }); // its answer is lost
    const { taken } = await drain(b, 'woken', { lifeMs: S });
    expect(taken.map(({ entry }) => entry)).toEqual([`1.${id}`]);
  });
});
