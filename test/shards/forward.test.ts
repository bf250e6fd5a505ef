// Forwarding while the map changes: nothing is stored by an old one, and what has an order goes where the rest of it is.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine.ts';
import { HeldBack } from '../../src/errors.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import { newToken } from '../../src/message/ids.ts';
import { forwardHome } from '../../src/shards/forward.ts';
import type { ShardMap } from '../../src/shards/map.ts';
import { isParcelLane, openParcel, packOne } from '../../src/shards/parcel.ts';
import { openPlacing } from '../../src/shards/placing.ts';
import { encodeRequest } from '../../src/store/encode-messages.ts';
import { nameAt, onShards, type Sharded } from '../support/sharded.ts';
import { MAP } from '../support/three-shards.ts';

const [PLAIN, ORDERED, LIMITED] = ['plain', 'ordered', 'limited'].map((start) => nameAt(MAP, 't1', start)) as [
  string,
  string,
  string,
];
const QUEUES: AnyQueue[] = [
  defineQueue(PLAIN, { kind: 'pull' }),
  defineQueue(ORDERED, { kind: 'pull', ordered: true }),
  defineQueue(LIMITED, { kind: 'pull', limits: { group: { concurrency: 3 } } }),
];
const known = new Map(QUEUES.map((queue) => [queue.name, queue]));

const current = onShards(3);
let s: Sharded;
let engine: Engine;
beforeEach(async () => {
  s = current();
  engine = s.engine(QUEUES);
  await engine.fleet.ready();
});

const message = (queue: string) => ({
  lane: `5:${queue}`,
  pool: queue,
  maxAttempts: 5,
  delayMs: 0,
  ttlMs: 0,
  json: JSON.stringify({ body: queue }),
});

/** As a drain that has taken this parcel forwards it. */
function forward(by: Engine, queue: string, id: string): Promise<boolean> {
  const { json } = packOne('t1', message(queue));
  return forwardHome(by.fleet, known, id, openParcel(id, (JSON.parse(json) as { body: unknown }).body));
}

const homesOf = async (queue: string) =>
  (await s.messages()).filter((each) => each.queue === queue).map(({ shard }) => shard);

const without = (name: string) => (map: ShardMap) => ({
  shards: map.shards.map((shard) => (shard.name === name ? { ...shard, state: 'gone' as const } : shard)),
});
const pinnedTo = (shard: string) => () => ({
  pins: QUEUES.map(({ name }) => ({ place: `q:${name}`, shard })),
});

describe('a parcel', () => {
  test('is stored at its shard, once', async () => {
    const id = newToken();
    expect(await forward(engine, PLAIN, id)).toBe(false); // a pull queue wakes no drain
    await forward(engine, PLAIN, id);
    expect(await homesOf(PLAIN)).toEqual(['t1']);
  });

  test('is not stored at a shard that is gone by an isolate that does not know it: it goes to the new home', async () => {
    const old = s.engine(QUEUES);
    await old.fleet.ready();
    await s.change(engine, without('t1'));
    await forward(old, PLAIN, newToken());
    expect(await homesOf(PLAIN)).toEqual([homeAfter(old, PLAIN)]);
    expect(homeAfter(old, PLAIN)).not.toBe('t1');
  });

  test.each([ORDERED, LIMITED])('of %s goes to the home that its queue has by now', async (queue) => {
    const old = s.engine(QUEUES);
    await old.fleet.ready();
    await s.change(engine, pinnedTo('t2'));
    const id = newToken();
    await forward(engine, queue, id);
    await forward(old, queue, id);
    expect(await homesOf(queue)).toEqual(['t2']);
  });

  test.each([ORDERED, LIMITED])('of %s that had arrived before its home moved stays there', async (queue) => {
    const id = newToken();
    await forward(engine, queue, id);
    const other = s.engine(QUEUES);
    await s.change(other, pinnedTo('t2'));
    await other.fleet.topology.load(other.fleet.all);
    for (const by of [other, engine, s.engine(QUEUES)]) await forward(by, queue, id);
    expect(await homesOf(queue)).toEqual(['t1']);
  });

  test('of a plain queue goes where it was sent: nothing of it counts on where the others are', async () => {
    await s.change(engine, pinnedTo('t2'));
    await forward(s.engine(QUEUES), PLAIN, newToken());
    expect(await homesOf(PLAIN)).toEqual(['t1']);
  });
});

describe('a parcel to a shard that is gone', () => {
  const OTHERS = [nameAt(MAP, 't1', 'first'), nameAt(MAP, 't1', 'second')] as const;
  const pinned = (first: string, second: string) => (map: ShardMap) => ({
    ...without('t1')(map),
    pins: [first, second].map((shard, i) => ({ place: `q:${OTHERS[i]}` as const, shard })),
  });
  const parcel = () => ({ to: 't1', args: encodeRequest(OTHERS.map(message), 'base'), count: 2 });
  const found = async () => (await s.messages()).map(({ shard, id, queue }) => [shard, id, queue]);

  test('is placed anew message by message: what a first try has placed is not placed again by another map', async () => {
    await s.change(engine, pinned('t0', 't2'));
    const [first, then] = [s.engine(QUEUES), s.engine(QUEUES)];
    s.mishap = ({ command }) => (command.includes(`5:${OTHERS[1]}`) ? 'down' : undefined);
    const id = newToken();
    await expect(forwardHome(first.fleet, known, id, parcel())).rejects.toMatchObject({ code: 'unreachable' });
    expect(await found()).toEqual([['t0', 'base-0', OTHERS[0]]]);
    s.mishap = () => undefined;
    await s.change(then, pinned('t2', 't0'));
    for (const by of [s.engine(QUEUES), then]) await forwardHome(by.fleet, known, id, parcel());
    expect(await found()).toEqual([
      ['t0', 'base-0', OTHERS[0]],
      ['t0', 'base-1', OTHERS[1]],
    ]);
  });

  test('is not placed anew by a version that does not know each shard that may have it already', async () => {
    await s.change(engine, pinned('t2', 't0'));
    const id = newToken();
    await forwardHome(s.engine(QUEUES).fleet, known, id, parcel());
    await s.change(s.engine(QUEUES), pinned('t0', 't0'));
    const old = s.engine(QUEUES, {}, { tags: 2 });
    await expect(forwardHome(old.fleet, known, id, parcel())).rejects.toThrow(HeldBack);
    expect((await found()).map(([shard]) => shard).toSorted()).toEqual(['t0', 't2']);
  });
});

test('what has an order or limits is a parcel even where it stays, for it may move before it is stored', () => {
  const placing = openPlacing(engine.fleet.topology, known);
  const placed = (queue: string, shard: string) => placing.placeFrom(message(queue), shard, 'token').message.lane;
  expect(placed(PLAIN, 't1')).toBe(`5:${PLAIN}`);
  expect(isParcelLane(placed(ORDERED, 't1'))).toBe(true);
  expect(isParcelLane(placed(LIMITED, 't1'))).toBe(true);
  expect(isParcelLane(placed(PLAIN, 't0'))).toBe(true);
});

const homeAfter = (by: Engine, queue: string) => by.fleet.topology.home(`q:${queue}`);

test('what a parcel holds has waited as long as the parcel: of delays and times to live so much is over', () => {
  const message = { lane: '5:work', pool: 'work', maxAttempts: 3, delayMs: 5_000, ttlMs: 8_000, json: '{"body":1}' };
  const { body } = JSON.parse(packOne('t1', message).json);
  const timesAt = (ageMs: number) => openParcel('id', body, ageMs).args.slice(3, 6);
  expect([timesAt(0), timesAt(3_000), timesAt(60_000)]).toEqual([
    ['5000', '0', '8000'],
    ['2000', '0', '5000'],
    ['0', '0', '1'],
  ]);
});
