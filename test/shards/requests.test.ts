// Requests whose messages belong to several shards: accepted whole or not at all, each message once, whatever is lost on the way.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import { type Found, nameAt, onShards, type Sharded } from '../support/sharded.ts';
import { AT, inputTo, MAP, NAMES, PULLED } from '../support/three-shards.ts';

const [ORDERED, LIMITED] = [nameAt(MAP, 't1', 'ordered'), nameAt(MAP, 't1', 'limited')];
const QUEUES: AnyQueue[] = [
  ...PULLED,
  defineQueue(ORDERED, { kind: 'pull', ordered: true }),
  defineQueue(LIMITED, { kind: 'pull', limits: { group: { concurrency: 3 } } }),
];

const current = onShards(3);
let s: Sharded;
let engine: Engine;
beforeEach(() => {
  s = current();
  engine = s.engine(QUEUES);
});

const input = inputTo(QUEUES);
const key = (token: string) => ({ token, fingerprint: 'same', recognisedMs: 86_400_000 });
const short = ({ shard, id, queue, body }: Found) => ({ shard, id, queue, body });

/** Two for each shard, in turns. */
const mixed = () => [0, 1, 2, 0, 1, 2].map((at, i) => input(AT[at] as string, i));

/** Each message is at its home, once, under the id of its receipt. */
async function expectAll(receipts: { id: string; queue: string }[], count: number): Promise<void> {
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(count);
  const expected = receipts.map(({ id, queue }, body) => ({ shard: NAMES[AT.indexOf(queue)], id, queue, body }));
  const order = (a: { body: unknown }, b: { body: unknown }) => Number(a.body) - Number(b.body);
  expect((await s.messages()).map(short).toSorted(order)).toEqual(expected);
}

/** The machine may stand still for seconds. */
const SOON = { timeout: 10_000 };
/** What goes on behind the answers. */
const settled = () => expect.poll(() => s.parcels(), SOON).toEqual([]);

describe('a request over several shards', () => {
  test('is at each of them when it is answered, and leaves no parcel behind', async () => {
    const { receipts, replayed } = await engine.accept(mixed());
    expect(replayed).toBe(false);
    expect(receipts.map(({ state }) => state)).toEqual(Array(6).fill('ready'));
    await expectAll(receipts, 6);
    await settled();
    expect((await s.messages()).length).toBe(6);
  });

  test('takes two round trips, and one more behind the answer', async () => {
    await engine.accept([input(AT[0], 'first'), input(AT[1], 'scripts are known'), input(AT[2], 'now')]);
    await settled();
    s.calls.length = 0;
    await engine.accept(mixed());
    const beforeAnswer = s.calls.slice(0, 3).map(({ shard, command }) => [shard, command[0]]);
    expect(beforeAnswer[0]).toEqual(['t0', 'EVALSHA']);
    expect(beforeAnswer.slice(1).toSorted()).toEqual([
      ['t1', 'EVALSHA'],
      ['t2', 'EVALSHA'],
    ]);
    await settled();
    expect(s.calls.slice(3).map(({ shard }) => shard)).toEqual(['t0', 't0']); // two parcels are dropped
  });

  test('to one shard is one request, wherever that is', async () => {
    await engine.accept([input(AT[2], 'scripts are known')]);
    s.calls.length = 0;
    const { receipts } = await engine.accept([input(AT[2], 0), input(AT[2], 1)]);
    expect(s.calls.map(({ shard }) => shard)).toEqual(['t2']);
    expect(receipts.map(({ id }) => engine.fleet.hinted(id)?.identity.name)).toEqual(['t2', 't2']);
  });

  test('has ids that say where the messages are', async () => {
    const { receipts } = await engine.accept(mixed());
    const hinted = receipts.map(({ id }) => engine.fleet.hinted(id)?.identity.name);
    expect(hinted).toEqual(['t0', 't1', 't2', 't0', 't1', 't2']);
  });

  test('is answered with the same ids again, by whichever map', async () => {
    const first = await engine.accept(mixed(), key('again'));
    const second = await engine.accept(mixed(), key('again'));
    expect(second.replayed).toBe(true);
    expect(second.receipts).toEqual(first.receipts);
    // The coordinator moves, and two queues change places.
    await s.change(engine, () => ({
      pins: [
        { place: `q:${AT[0]}`, shard: 't2' },
        { place: `q:${AT[2]}`, shard: 't0' },
      ],
    }));
    for (const caller of [engine, s.engine(QUEUES)]) {
      const { receipts, replayed } = await caller.accept(mixed(), key('again'));
      expect(replayed).toBe(true);
      expect(receipts).toEqual(first.receipts);
    }
    await expectAll(first.receipts, 6);
  });

  test('that was of one shard is answered the same when its queues are on several', async () => {
    const both = () => [input(AT[0], 0), input(AT[0], 1)];
    const [first] = [await engine.accept(both(), key('one'))];
    await s.change(engine, () => ({ pins: [{ place: `q:${AT[0]}`, shard: 't1' }] }));
    expect((await engine.accept(both(), key('one'))).receipts).toEqual(first?.receipts);
    expect(await s.messages()).toHaveLength(2);
  });

  test('under a key that was used for another is refused', async () => {
    await engine.accept(mixed(), key('taken'));
    const other = engine.accept(mixed(), { ...key('taken'), fingerprint: 'other' });
    await expect(other).rejects.toThrow('this request token was used');
    expect(await s.messages()).toHaveLength(6);
  });

  test('is placed anew where a shard knows a newer map', async () => {
    await engine.accept(mixed());
    const other = s.engine(QUEUES);
    await s.change(other, () => ({ pins: [{ place: `q:${AT[0]}`, shard: 't1' }] }));
    const { receipts } = await engine.accept([input(AT[0], 'moved'), input(AT[2], 'stays')]);
    const found = await s.messages();
    const places = receipts.map(({ id }) => found.find((one) => one.id === id)?.shard);
    expect(places).toEqual(['t1', 't2']);
  });

  test('of many large messages goes in several parcels to a shard, and keeps their order', async () => {
    const large = Array.from({ length: 9 }, (_, i) => input(AT[1], `${i}`.repeat(200_000)));
    const { receipts } = await engine.accept([input(AT[0], 'first'), ...large]);
    await settled(); // a machine that is slow has forwarded a part of them when it answers
    const found = new Map((await s.messages('t1')).map(({ id, body }) => [id, body]));
    const firsts = receipts.slice(1).map(({ id }) => String(found.get(id)).slice(0, 1));
    expect(firsts.join('')).toBe('012345678');
    const lane = await s.redises.raw.lrange(`{${s.tags[1]}}:lane:5:${AT[1]}`, 0, -1);
    expect(lane.toReversed()).toEqual(receipts.slice(1).map(({ id }) => `1.${id}`));
  });
});

describe('a request in which the order of a message matters is accepted where that belongs', () => {
  const dedup = { key: 'k', mode: 'replace' } as const;
  const cases = [
    { what: 'its queue is ordered', at: () => input(ORDERED, 'first') },
    { what: 'its queue has limits', at: () => input(LIMITED, 'first') },
    { what: 'it has a dedup key', at: () => input(AT[1], 'first', { dedup }) },
  ].flatMap((each) =>
    [undefined, key('k')].map((named) => ({ ...each, named, how: named ? 'with a key' : 'without' })),
  );

  test.each(cases)('$what, $how', async ({ at, named }) => {
    await engine.fleet.ready();
    s.mishap = ({ shard }) => (shard === 't1' ? undefined : 'down');
    const request = () => [input(AT[0], 'before'), input(AT[2], 'too'), at()];
    const { receipts } = await engine.accept(request(), named);
    expect(receipts.map(({ state }) => state)).toEqual(['accepted', 'accepted', 'ready']);
    s.mishap = () => undefined;
    // Whatever its caller sends there next comes behind it.
    expect((await s.messages()).map(short)).toMatchObject([{ shard: 't1', id: receipts[2]?.id, body: 'first' }]);
    if (!named) return;
    const again = await s.engine(QUEUES).accept(request(), named);
    expect(again.receipts.map(({ id }) => id)).toEqual(receipts.map(({ id }) => id));
    expect(await s.messages()).toHaveLength(3);
  });
});

describe('whatever is lost', () => {
  /** Each call of a request over three shards, and what becomes of it. */
  const cases = [
    ...[0, 1, 2, 3, 4].map((at) => ({ at, mishap: 'lost' as const })),
    ...[0, 1, 3].map((at) => ({ at, mishap: 'away' as const })),
  ];

  test.each(cases)(
    'call $at ($mishap once): each message is there once, and a repeat is told the same',
    async ({ at, mishap }) => {
      await engine.accept(
        [input(AT[0], 'x'), input(AT[1], 'x'), input(AT[2], 'x')].map((each) => ({ ...each, body: 'x' })),
      );
      await settled();
      const before = new Set((await s.messages()).map(({ id }) => id));
      let count = 0;
      s.mishap = () => (count++ === at ? mishap : undefined);
      const { receipts } = await engine.accept(mixed(), key('once'));
      await expect.poll(() => count, SOON).toBeGreaterThanOrEqual(5);
      s.mishap = () => undefined;
      const again = await engine.accept(mixed(), key('once'));
      expect(again.receipts.map(({ id }) => id)).toEqual(receipts.map(({ id }) => id));
      const own = (await s.messages()).filter(({ id }) => !before.has(id));
      expect(own.map(({ id }) => id).toSorted()).toEqual(receipts.map(({ id }) => id).toSorted());
    },
  );

  test.each([0, 1, 2, 3])(
    'an isolate that dies after %i calls: nothing, or all of it when it is repeated',
    async (lives) => {
      await engine.fleet.ready();
      let count = 0;
      s.mishap = () => (count++ >= lives ? 'away' : undefined);
      const dying = await engine.accept(mixed(), key('dies')).catch((error: unknown) => error);
      s.mishap = () => undefined;
      if (lives === 0) expect(dying).toMatchObject({ code: 'unreachable' });
      if (lives === 0) expect(await s.messages()).toEqual([]);
      const other = s.engine(QUEUES);
      const { receipts, replayed } = await other.accept(mixed(), key('dies'));
      expect(replayed).toBe(lives > 0);
      await expectAll(receipts, 6);
    },
  );

  test('a shard is away: the request is accepted, and what is for it waits in a parcel', async () => {
    await engine.fleet.ready();
    s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
    const { receipts, wake } = await engine.accept(mixed());
    expect(receipts.map(({ state }) => state)).toEqual(['ready', 'accepted', 'ready', 'ready', 'accepted', 'ready']);
    expect(wake).toBe(true); // somebody has to forward it
    await expect.poll(async () => (await s.parcels()).map(({ shard }) => shard), SOON).toEqual(['t0']);
    expect((await s.messages()).map(({ body }) => body).toSorted()).toEqual([0, 2, 3, 5]);
  });

  test('the shard that would accept it is away: nothing of it is anywhere', async () => {
    await engine.fleet.ready();
    s.mishap = ({ shard }) => (shard === 't0' ? 'down' : undefined);
    await expect(engine.accept(mixed())).rejects.toMatchObject({ code: 'unreachable', shard: 't0' });
    expect(await s.messages()).toEqual([]);
    expect(await s.parcels()).toEqual([]);
  });
});

describe('dedup keys', () => {
  const once = (queue: string, body: unknown, mode: 'drop' | 'replace' = 'drop') =>
    input(queue, body, { dedup: { key: 'the same', mode } });

  test('are known on the shard of their queue, and told by the receipt', async () => {
    const first = await engine.accept([input(AT[0], 'x'), once(AT[1], 'first')]);
    const dropped = await engine.accept([input(AT[0], 'x'), once(AT[1], 'second')]);
    expect(dropped.receipts[1]).toEqual({
      id: first.receipts[1]?.id,
      queue: AT[1],
      state: 'duplicate',
      duplicate: true,
    });
    const replaced = await engine.accept([input(AT[0], 'x'), input(AT[1], 'y'), once(AT[1], 'third', 'replace')]);
    expect(replaced.receipts[2]).toMatchObject({ id: first.receipts[1]?.id, state: 'duplicate', replaced: true });
    expect((await s.messages('t1')).map(({ body }) => body).toSorted()).toEqual(['third', 'y']);
  });

  test('are told to a repeat too', async () => {
    await engine.accept([once(AT[1], 'first'), once(AT[0], 'first')]);
    const request = () => [input(AT[2], 'x'), once(AT[0], 'second'), once(AT[1], 'second')];
    const told = await engine.accept(request(), key('twice'));
    expect(told.receipts.map(({ state }) => state)).toEqual(['ready', 'duplicate', 'duplicate']);
    expect((await engine.accept(request(), key('twice'))).receipts).toEqual(told.receipts);
  });

  test('are known though their queue has moved', async () => {
    const [first] = (await engine.accept([once(AT[1], 'first')])).receipts;
    await s.change(engine, () => ({ pins: [{ place: `q:${AT[1]}`, shard: 't2' }] }));
    const { receipts } = await engine.accept([once(AT[1], 'second'), input(AT[1], 'new')]);
    expect(receipts[0]).toMatchObject({ id: first?.id, state: 'duplicate' });
    const [added] = await s.messages('t2');
    expect(added).toMatchObject({ body: 'new', id: receipts[1]?.id });
  });
});

describe('a queue that is anywhere', () => {
  test('keeps a request together, and spreads requests', async () => {
    const at = new Set<string>();
    // By chance: that one of three is left out of so many does not happen.
    for (let i = 0; i < 12 || (i < 100 && at.size < NAMES.length); i++) {
      const { receipts } = await engine.accept([input('anywhere', i), input('anywhere', i)]);
      const homes = receipts.map(({ id }) => engine.fleet.hinted(id)?.identity.name as string);
      expect(new Set(homes).size).toBe(1);
      at.add(homes[0] as string);
    }
    expect([...at].toSorted()).toEqual(NAMES);
  });

  test('leaves out a shard that does not answer, but for requests with a key', async () => {
    await engine.fleet.ready();
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const atT1 = keys.find((token) => engine.fleet.home(`q:anywhere#${token}`).identity.name === 't1') as string;
    s.mishap = ({ shard }) => (shard === 't1' ? 'away' : undefined);
    const keyed = () => engine.accept([input('anywhere', 'keyed')], key(atT1));
    await expect(keyed()).rejects.toMatchObject({ code: 'unreachable', shard: 't1' });
    for (let i = 0; i < 50; i++) await engine.accept([input('anywhere', i)]); // a third of them would belong there
    await expect(keyed()).rejects.toMatchObject({ code: 'unreachable', shard: 't1' });
    const places = new Set((await s.messages()).map(({ shard }) => shard));
    expect([...places].toSorted()).toEqual(['t0', 't2']);
  });

  test('is placed by the key of a request: a repeat finds it', async () => {
    const first = await engine.accept([input('anywhere', 1)], key('k'));
    const again = await s.engine(QUEUES).accept([input('anywhere', 1)], key('k'));
    expect(again).toMatchObject({ replayed: true, receipts: first.receipts });
  });
});
