// Shards that come and go: what is stored goes where it belongs by then, once, whatever is lost on the way.
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { auditOn } from '../../src/engine/admin.ts';
import type { Engine } from '../../src/engine.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import type { MessageOptions } from '../../src/message/options.ts';
import { openRingsOn } from '../../src/rings/fleet-store.ts';
import { openRings } from '../../src/rings/store.ts';
import { openSchedulesOn } from '../../src/schedules/fleet-store.ts';
import { openScheduleStore } from '../../src/schedules/store.ts';
import { openShardAdmin, type ShardAdmin } from '../../src/shards/admin.ts';
import { auditFleet } from '../../src/shards/audit.ts';
import { features } from '../../src/shards/features.ts';
import { forwardHome } from '../../src/shards/forward.ts';
import { homeIn, makeInitialMap, writeMap } from '../../src/shards/map.ts';
import { openParcel, packOne } from '../../src/shards/parcel.ts';
import { findIdlePins, tendShards } from '../../src/shards/tend.ts';
import { parseCounters } from '../../src/stats/counters.ts';
import { openFleetStats } from '../../src/stats/fleet-store.ts';
import { openAdminStore } from '../../src/store/admin.ts';
import { enqueue } from '../../src/store/enqueue.ts';
import { putMap } from '../../src/store/map.ts';
import { splitMoved } from '../../src/store/moving.ts';
import { openTopicsOn } from '../../src/topics/fleet-store.ts';
import { openTopicStore } from '../../src/topics/store.ts';
import { openSourceCounters } from '../../src/webhooks/counters-store.ts';
import { openSourceCountersOn } from '../../src/webhooks/fleet-counters.ts';
import { drainFor } from '../regressions/engines.ts';
import { readShard } from '../support/shard.ts';
import { named, onShards, type Sharded } from '../support/sharded.ts';

const mapOf = (...names: string[]) =>
  makeInitialMap(names.map((name) => ({ name, weight: 1, state: 'active' as const })));
const [TWO, THREE] = [mapOf('t0', 't1'), mapOf('t0', 't1', 't2')];

/** A name whose home with two shards is this one, and with three t2. */
function moving(start: string, from: string, kind: 'q' | 's' | 't' | 'r' = 'q'): string {
  for (let i = 0; ; i++) {
    const name = `${start}${i}`;
    const place = `${kind}:${name}` as const;
    if (homeIn(TWO, place) === from && homeIn(THREE, place) === 't2') return name;
  }
}

const PLAIN = moving('plain', 't0');
const PULL = moving('pull', 't1');
const ORDERED = moving('ordered', 't0');
const LIMITED = moving('limited', 't1');
const GROUPED = 'grouped';
const handler = async () => {};
const QUEUES: AnyQueue[] = [
  defineQueue(PLAIN, { handler }),
  defineQueue(PULL, { kind: 'pull' }),
  defineQueue(ORDERED, { kind: 'pull', ordered: true }),
  defineQueue(LIMITED, { handler, limits: { concurrency: 2 } }),
  defineQueue(GROUPED, { kind: 'pull', partition: 'group' }),
];
const known = new Map(QUEUES.map((queue) => [queue.name, queue]));

/** Many calls to three shards each, on a machine that does other things too. */
vi.setConfig({ testTimeout: 90_000 });

const current = onShards(3);
let s: Sharded;
let engine: Engine;
let admin: ShardAdmin;

const adminOf = (by: Engine) => openShardAdmin({ fleet: by.fleet, queues: known, isClosing: () => false });
const tend = (by = engine) => tendShards({ fleet: by.fleet, queues: known, isClosing: () => false });
/** One that takes too long to decide leaves it to the next. */
async function tendUntilLifted(): Promise<void> {
  for (let ticks = 0; ticks < 20; ticks++) if ((await tend()).lifted > 0) return;
}
const fresh = () => s.engine(QUEUES);
const input = (queue: string, body: unknown, options: MessageOptions = {}) => ({
  queue: known.get(queue),
  body,
  options,
  path: '',
});

beforeEach(() => {
  s = current();
  engine = fresh();
  admin = adminOf(engine);
});

/** A deployment on t0 and t1, to whose settings t2 was added. */
async function beginOnTwo(): Promise<void> {
  for (const shard of engine.fleet.all.slice(0, 2)) await putMap(shard, writeMap(TWO), 1);
  await engine.fleet.ready();
  expect(engine.fleet.topology.stateOf('t2')).toBe('joining');
}

const bodiesAt = async (queue: string) => {
  const at: Record<string, unknown[]> = {};
  for (const { shard, body } of (await s.messages()).filter((message) => message.queue === queue)) {
    at[shard] = [...(at[shard] ?? []), body].toSorted();
  }
  return at;
};

async function evacuateAll(name: string, unpin = false): Promise<void> {
  for (let calls = 0; calls < 10; calls++) if (!(await admin.evacuate(name, unpin)).more) return;
}

describe('a shard that is added', () => {
  test('gets what is new of plain queues, and what waits stays where it is', async () => {
    await beginOnTwo();
    await engine.accept([input(PLAIN, 'old')]);
    await admin.activate('t2');
    await engine.accept([input(PLAIN, 'new')]);
    expect(await bodiesAt(PLAIN)).toEqual({ t0: ['old'], t2: ['new'] });
  });

  test('is known at once to those who had the map before', async () => {
    await beginOnTwo();
    const other = fresh();
    await other.accept([input(PLAIN, 'old')]);
    await admin.activate('t2');
    await other.accept([input(PLAIN, 'new')]);
    expect(await bodiesAt(PLAIN)).toEqual({ t0: ['old'], t2: ['new'] });
    expect(await s.parcels()).toEqual([]);
  });

  test.each([PULL, ORDERED, LIMITED])('gets %s when it is empty where it was', async (queue) => {
    await beginOnTwo();
    const from = homeIn(TWO, `q:${queue}`);
    await engine.accept([input(queue, 1)]);
    await admin.activate('t2');
    await engine.accept([input(queue, 2)]);
    await tend();
    await engine.accept([input(queue, 3)]);
    expect(await bodiesAt(queue)).toEqual({ [from]: [1, 2, 3] });
    const store = openAdminStore(named(engine, from));
    for (const { id } of await s.messages(from)) await store.cancel(id);
    await tendUntilLifted();
    await engine.accept([input(queue, 4)]);
    expect(await bodiesAt(queue)).toEqual({ t2: [4] });
  });

  test('gets groups when they are empty where they were, and new ones at once', async () => {
    await beginOnTwo();
    const groups = Array.from({ length: 12 }, (_, i) => `g${i}`);
    await engine.accept(groups.map((group) => input(GROUPED, group, { group })));
    const before = new Map((await s.messages()).map(({ body, shard }) => [body, shard]));
    await admin.activate('t2');
    await engine.accept(groups.map((group) => input(GROUPED, `${group} again`, { group })));
    for (const { body, shard } of await s.messages()) expect(shard).toBe(before.get(String(body).split(' ')[0]));
    const later = Array.from({ length: 12 }, (_, i) => `h${i}`);
    await engine.accept(later.map((group) => input(GROUPED, group, { group })));
    expect((await bodiesAt(GROUPED)).t2?.length).toBeGreaterThan(0);
  });

  test('gets schedules, topics and rings by a tick, whole', async () => {
    await beginOnTwo();
    const [schedule, topic, ring] = [moving('s', 't0', 's'), moving('t', 't1', 't'), moving('r', 't0', 'r')];
    const [t0, t1] = [named(engine, 't0'), named(engine, 't1')];
    const due = Date.now() + 3_600_000;
    const header = `${due} active api 7 0`;
    const change = { id: schedule, expected: '', header, error: '', lines: 'timing\npolicy\n{}', due, messages: [] };
    await openScheduleStore(t0).change([change]);
    await openTopicStore(t1).subscribe(topic, 'sub', '{"queue":"a"}');
    const items = Array.from({ length: 1_200 }, (_, i) => `item ${i}`);
    for (let i = 0; i < items.length; i += 400) await openRings(t0).add(ring, items.slice(i, i + 400));
    await admin.activate('t2');
    expect(engine.fleet.home(`s:${schedule}`)).toBe(t0);
    await tend();
    const t2 = named(engine, 't2');
    for (const place of [`s:${schedule}`, `t:${topic}`, `r:${ring}`] as const) {
      expect(engine.fleet.home(place).identity.name).toBe('t2');
    }
    const { schedules } = await openScheduleStore(t2).recall([{ id: schedule }]);
    expect(schedules[0]?.record).toBe(`${header}\n\ntiming\npolicy\n{}`);
    expect(Number(await s.redises.raw.zscore(t2.keys.timers, `s ${schedule}`))).toBe(due);
    expect(await openTopicStore(t2).read(topic)).toEqual({ subscriptions: new Map([['sub', '{"queue":"a"}']]) });
    expect(await openRings(t2).rotate(ring, 1_000)).toEqual(items.slice(0, 1_000));
    expect(await s.redises.raw.keys(`${t0.keys.root}ring*`)).toEqual([]);
    expect(await s.redises.raw.keys(`${t1.keys.root}topic*`)).toEqual([]);
    expect(await s.redises.raw.exists(t0.keys.schedules, t0.keys.timers)).toBe(0);
  });

  test('has what operators have set', async () => {
    await beginOnTwo();
    const t2 = named(engine, 't2');
    for (const shard of engine.fleet.all.slice(0, 2)) {
      await openAdminStore(shard).pause(PLAIN, '*');
      await openAdminStore(shard).limit(PLAIN, '*', { concurrency: ' c=3' });
    }
    await admin.activate('t2');
    expect(await openAdminStore(t2).count(PLAIN)).toMatchObject({ paused: true, limits: ' c=3' });
  });

  test('by two operators at once is added once', async () => {
    await beginOnTwo();
    const admins = [admin, adminOf(fresh()), adminOf(fresh())];
    await Promise.all(admins.map((one) => one.activate('t2')));
    const maps = await Promise.all(engine.fleet.all.map(({ keys }) => s.redises.raw.get(keys.map)));
    expect(new Set(maps).size).toBe(1);
    expect(maps[0]?.startsWith('2 ')).toBe(true);
  });

  test('while another is away is refused, and nothing is changed', async () => {
    await beginOnTwo();
    s.mishap = ({ shard }) => (shard === 't1' ? 'away' : undefined);
    await expect(admin.activate('t2')).rejects.toMatchObject({ code: 'unreachable', shard: 't1' });
    s.mishap = () => undefined;
    expect(await s.redises.raw.get(named(engine, 't0').keys.map)).toBe(writeMap(TWO));
  });
});

const callbacks = (queue: string): MessageOptions => ({ onSuccess: { queue, body: 'after' } });

/** One message is taken from its home, and fails. */
async function fail(by: Engine, queue: string, body: string, outcome: 'dead' | 'retry'): Promise<void> {
  const [receipt] = (await by.accept([input(queue, body, callbacks(PLAIN))])).receipts;
  const store = by.parts.openStore(by.fleet.home(`q:${queue}`));
  const pools = [known.get(queue)?.pool as string];
  const lease = { pools, lease: 'L', leaseMs: 60_000, held: 0 };
  await store.sync({ ...lease, want: 1, settlements: [] });
  const failure = { kind: 'failed', text: 'it did not work' } as const;
  const settlement = { entry: `1.${receipt?.id}`, outcome, failure, delayMs: 3_600_000 };
  const { statuses } = await store.sync({ ...lease, want: 0, settlements: [settlement] });
  expect(statuses).not.toEqual(['gone']);
}

/** Messages of each kind in each queue: ready, delayed, tried and delayed again, dead, with callbacks, with a dedup key. */
async function fill(by: Engine, filled = [PLAIN, PULL, LIMITED]): Promise<void> {
  for (const queue of filled) {
    await fail(by, queue, `${queue} dies`, 'dead');
    await fail(by, queue, `${queue} is tried`, 'retry');
  }
  for (const queue of filled) {
    await by.accept([
      input(queue, `${queue} waits`, { delay: '1h', ...callbacks(PULL) }),
      input(queue, `${queue} once`, { dedup: { key: 'k' } }),
      ...[0, 1, 2, 3].map((i) => input(queue, `${queue} ${i}`)),
    ]);
  }
  await fail(by, ORDERED, `${ORDERED} is tried`, 'retry');
  await by.accept([0, 1, 2].map((i) => input(ORDERED, `${ORDERED} ${i}`, { group: 'g' })));
  await by.accept([0, 1, 2].map((i) => input(GROUPED, `${GROUPED} ${i}`, { group: `g${i}` })));
}

/** All messages, each with its state, whatever shard it is on. */
async function standing() {
  const all: string[] = [];
  for (const shard of engine.fleet.all) {
    const store = openAdminStore(shard);
    for (const queue of known.keys()) {
      for (const state of ['ready', 'delayed', 'dead', 'leased'] as const) {
        const { messages } = await store.browse(queue, state, 100, '');
        for (const { entry, at, envelope, failures } of messages) {
          const id = entry.slice(entry.indexOf('.') + 1);
          const then = await s.redises.raw.lrange(shard.keys.callbacks(id), 0, -1);
          const due = state === 'ready' ? '' : at;
          all.push(JSON.stringify([queue, state, entry, due, envelope, failures, then]));
        }
      }
    }
  }
  return all.toSorted();
}

/** What is left of a shard but keys that nobody misses. */
const leftOf = async (name: string) => (await admin.verify(name)).left;

test('a group stays in order while the home of its queue moves, whoever sends', async () => {
  await beginOnTwo();
  const senders = [engine, fresh(), fresh()];
  const consumer = fresh();
  const received: unknown[] = [];
  const isLifted = () => consumer.fleet.topology.map.pins.length === 0 && consumer.fleet.topology.map.epoch > 1;
  let [sent, tended] = [0, 0];
  let isOver = false;
  const send = async () => {
    for (let later = 0; later < 6; ) {
      await senders[sent % 3]?.accept([input(ORDERED, sent, { group: 'g' })]);
      sent += 1;
      if (isLifted()) later += 1;
      // Now and then all is received, and somebody looks whether it is empty: the next ones come while it is decided.
      const looks = tended;
      while (sent % 3 === 0 && !isLifted() && (received.length < sent || tended === looks)) await setImmediate();
    }
    isOver = true;
  };
  const receiveAll = async () => {
    while (!isOver || received.length < sent) {
      const taken = { lease: 'L', queues: [ORDERED], max: 1, visibilityMs: 60_000 };
      const { messages } = await consumer.receive(taken);
      for (const { id, attempt, body } of messages) {
        received.push(body);
        await consumer.settle({ lease: 'L', settlements: [{ id, attempt, outcome: 'ack' }] });
      }
    }
  };
  const tendAll = async () => {
    for (; !isOver; tended++) await tend(consumer);
  };
  await admin.activate('t2');
  await consumer.fleet.topology.load(consumer.fleet.all);
  await Promise.all([send(), receiveAll(), tendAll()]);
  expect(received).toEqual(received.map((_, i) => i));
  const at = (await s.messages()).map(({ shard }) => shard);
  expect(at).toEqual([]);
  expect(consumer.fleet.topology.home(`q:${ORDERED}`)).toBe('t2');
});

describe('a shard that drains', () => {
  test('gets nothing new, and what it has goes as it is, each once', async () => {
    await engine.fleet.ready();
    await fill(engine);
    const before = await standing();
    expect(before.filter((message) => message.includes('"dead"')).length).toBe(3);
    await admin.drain('t2');
    await evacuateAll('t2', true);
    expect(await standing()).toEqual(before);
    expect(await leftOf('t2')).toEqual({});
    expect((await s.messages('t2')).length).toBe(0);
    expect(await s.parcels()).toEqual([]);
    await admin.forget('t2', false);
    expect(engine.fleet.topology.stateOf('t2')).toBe('gone');
    await engine.accept([input(PLAIN, 'new')]);
  });

  test('forwards its parcels as a drain does: what they hold has waited as long as they, and one that is too old stays', async () => {
    await engine.fleet.ready();
    const put = (to: string, delayMs: number) => {
      const message = { lane: `5:${PULL}`, pool: PULL, maxAttempts: 3, delayMs, ttlMs: 0, json: '{"body":"late"}' };
      return enqueue(named(engine, 't1'), { messages: [packOne(to, message)] });
    };
    s.aheadMs = -10_000;
    await put('t0', 60_000);
    s.aheadMs = -8 * 86_400_000;
    await put('t2', 0);
    s.aheadMs = 0;
    await admin.drain('t1');
    await admin.evacuate('t1', false);
    const [due] = Object.values((await readShard(s.redises.raw, `{${s.tags[0]}}:`)).timers);
    expect((due as number) - Date.now()).toBeLessThanOrEqual(50_000);
    expect([await bodiesAt(PULL), await s.parcels('t1')]).toEqual([{ t0: ['late'] }, [expect.anything()]]);
  });

  test('and so do its schedules, topics, rings and figures', async () => {
    await engine.fleet.ready();
    const [t0, t2] = [named(engine, 't0'), named(engine, 't2')];
    const [schedule, topic, ring] = [moving('s', 't0', 's'), moving('t', 't1', 't'), moving('r', 't0', 'r')];
    const header = `${Date.now() + 3_600_000} active api 7 0`;
    const change = { id: schedule, expected: '', header, error: '', lines: 'a\nb\n{}', due: 1, messages: [] };
    await openScheduleStore(t2).change([{ ...change, due: Date.now() + 3_600_000 }]);
    await openTopicStore(t2).subscribe(topic, 'sub', '{}');
    await openRings(t2).add(ring, ['a', 'b', 'c']);
    await openSourceCounters(t2).add(new Map([['github accepted', 3]]));
    await openSourceCounters(t0).add(new Map([['github accepted', 4]]));
    await fail(engine, PLAIN, 'dies', 'dead');
    const stats = openFleetStats(engine.fleet);
    const told = async () => parseCounters((await stats.totals([PLAIN])).texts[0] ?? '');
    const before = await told();
    expect(before.dead).toBe(1);
    await admin.drain('t2');
    await evacuateAll('t2', true);
    expect(await leftOf('t2')).toEqual({});
    expect((await openSchedulesOn(engine.fleet).recall([{ id: schedule }])).schedules).toHaveLength(1);
    expect((await openTopicsOn(engine.fleet).read(topic)).subscriptions.size).toBe(1);
    expect((await openRingsOn(engine.fleet).page(ring, 9, '')).items).toEqual(['a', 'b', 'c']);
    expect(await openSourceCountersOn(engine.fleet).read()).toEqual(new Map([['github accepted', 7]]));
    expect(await told()).toEqual(before);
    await admin.forget('t2', false);
    expect(await told()).toEqual(before);
  });

  const many = async (count: number) => {
    await engine.fleet.ready();
    const bodies = Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < count; i += 500)
      await engine.accept(bodies.slice(i, i + 500).map((body) => input(PLAIN, body)));
    await admin.drain('t2');
    return bodies;
  };

  test('sends a lane in its order, in several parcels', async () => {
    const bodies = await many(1_200);
    expect(await admin.evacuate('t2', false)).toMatchObject({ moved: 1_200, more: false });
    const home = engine.fleet.home(`q:${PLAIN}`);
    const read: unknown[] = [];
    for (let cursor = ''; ; ) {
      const page = await openAdminStore(home).browse(PLAIN, 'ready', 500, cursor);
      for (const { envelope } of page.messages) read.push(JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
      cursor = page.cursor;
      if (cursor === '') break;
    }
    expect(read).toEqual(bodies);
  });

  test('has one parcel at most on its way to each shard, and what follows stays until that has arrived', async () => {
    await many(1_200);
    const home = engine.fleet.home(`q:${PLAIN}`);
    s.mishap = ({ shard, command }) => (shard === home.identity.name && command.length > 1_000 ? 'down' : undefined);
    await expect(admin.evacuate('t2', false)).rejects.toMatchObject({ code: 'unreachable', shard: home.identity.name });
    expect(await s.parcels()).toHaveLength(1);
    expect(await s.messages('t2')).toHaveLength(700);
    s.mishap = () => undefined;
    await evacuateAll('t2');
    expect([(await s.messages(home.identity.name)).length, (await s.messages()).length]).toEqual([1_200, 1_200]);
  });

  test('is emptied by isolates that die after more and more calls, before or after the last was made: nothing is lost, nothing is twice', async () => {
    await engine.fleet.ready();
    await fill(engine, [PLAIN]);
    const before = await standing();
    const ids = (await s.messages()).map(({ id }) => id).toSorted();
    let isEmpty = false;
    let deaths = 0;
    for (let lives = 1; !isEmpty; lives += lives < 10 ? 1 : 3) {
      let count = 0;
      s.mishap = () => {
        count += 1;
        if (count < lives) return undefined;
        return count === lives && lives % 2 === 0 ? 'lost' : 'away';
      };
      // Its calls are not repeated: it is gone before.
      const { forwarding: fleet } = fresh().parts.shards;
      const dying = openShardAdmin({ fleet, queues: known, isClosing: () => false });
      try {
        await dying.drain('t2');
        isEmpty = !(await dying.evacuate('t2', true)).more;
      } catch (error) {
        expect(error).toMatchObject({ code: 'unreachable' });
        deaths += 1;
      }
      s.mishap = () => undefined;
      expect(await idsWithThoseOnTheWay()).toEqual(ids);
    }
    expect(deaths).toBeGreaterThan(15);
    await engine.fleet.topology.load(engine.fleet.all);
    await admin.evacuate('t2', true);
    expect(await standing()).toEqual(before);
    expect(await leftOf('t2')).toEqual({});
  });
});

describe('the audit', () => {
  const audit = (now = Date.now()) =>
    auditFleet({ fleet: engine.fleet, queues: known, isClosing: () => false }, now, findIdlePins);
  const later = () => audit(Date.now() + 600_000);

  test('tells of a queue with limits or an order that is on two shards, and not while it is moved', async () => {
    await beginOnTwo();
    await engine.accept([input(PLAIN, 1, { delay: '1h' }), input(LIMITED, 2), input(PULL, 3)]);
    await admin.activate('t2');
    await engine.accept([input(PLAIN, 4)]);
    expect(await audit()).toEqual([]); // what counts on its home is held there, and a plain queue may be on many
    for (const shard of engine.fleet.all) await openAdminStore(shard).limit(PLAIN, '*', { concurrency: ' c=3' });
    expect(await audit()).toEqual([{ finding: 'misplaced-queue', name: PLAIN, shard: 't0', messages: 1 }]);
    await admin.drain('t0');
    expect(await audit()).toEqual([]);
  });

  test('tells of a pin that nothing holds, once ticks should have lifted it', async () => {
    await beginOnTwo();
    await engine.accept([input(ORDERED, 1), input(PULL, 2)]);
    await admin.activate('t2');
    const [, pulled] = (await s.messages()).toSorted((one, other) => Number(one.body) - Number(other.body));
    await openAdminStore(named(engine, 't1')).cancel(pulled?.id as string);
    expect(await audit()).toEqual([]);
    const idle = (await later()).filter(({ finding }) => finding === 'pin-without-messages');
    expect(idle).toContainEqual({ finding: 'pin-without-messages', name: PULL, shard: 't1' });
    expect(idle.map(({ name }) => name)).not.toContain(ORDERED);
    await s.change(engine, () => ({ changedAt: 0 }));
    const { findings } = await auditOn(s.engine(QUEUES, { features }), { repair: false, deep: false, cursor: '' });
    expect(findings.filter(({ finding }) => finding === 'pin-without-messages')).toEqual(idle);
    await tendUntilLifted();
    expect(await later()).toEqual([]);
  });
});

describe('what is told of a shard', () => {
  test('counts what is only delayed, though no sweep has met its queue', async () => {
    await engine.fleet.ready();
    await engine.accept([input(PLAIN, 1, { delay: '1h' }), input(PLAIN, 2, { delay: '1h' })]);
    await admin.drain('t2');
    const told = async () => (await admin.list()).shards.map(({ has }) => has?.delayed);
    expect(await told()).toEqual([0, 0, 2]);
    expect(await admin.evacuate('t2', false)).toMatchObject({ moved: 2, more: false });
    expect((await told())[2]).toBe(0);
  });

  test('names the queues that stay, and where they go', async () => {
    await beginOnTwo();
    const place = moving(`${GROUPED}/a%20`, 't0');
    const group = decodeURIComponent(place.slice(GROUPED.length + 1));
    await engine.accept([input(ORDERED, 1), input(GROUPED, 2, { group })]);
    await admin.activate('t2');
    await tendUntilLifted();
    const { held } = await admin.list();
    expect(held).toEqual(
      expect.arrayContaining([
        { queue: ORDERED, shard: 't0', home: 't2' },
        { queue: `${GROUPED}/${group}`, shard: 't0', home: 't2' },
      ]),
    );
    expect(held.map(({ queue }) => queue)).not.toContain(PULL); // a tick saw that it is empty
  });

  test('says that it is empty whatever indexes and marks it has still, and how many of its messages another has too', async () => {
    await engine.fleet.ready();
    await engine.accept([input(PLAIN, 1), input(PLAIN, 2)]);
    const { keys } = named(engine, 't2');
    await admin.drain('t2');
    const id = (await s.messages('t2'))[0]?.id as string;
    const envelope = (await s.redises.raw.get(keys.message(id))) as string;
    await s.redises.raw.set(named(engine, 't0').keys.message(id), envelope);
    expect(await admin.verify('t2')).toMatchObject({ isEmpty: false, twice: 1, left: { m: 2, lane: 1 } });
    await evacuateAll('t2', true);
    await s.redises.raw.zadd(keys.ready('*'), -1, '!'); // a pool that has settings
    await s.redises.raw.zadd(keys.timers, Date.now(), `q * ${LIMITED}`); // the next period of a rate
    await s.redises.raw.set(`${keys.root}commands:2026-11`, '1 1');
    expect(await admin.verify('t2')).toEqual({ shard: 't2', isEmpty: true, left: {}, parcels: 0, twice: 0 });
  });

  test('names, where it is lost, all queues that may have had messages there, though it drained already', async () => {
    await engine.fleet.ready();
    await admin.drain('t2');
    s.mishap = ({ shard }) => (shard === 't2' ? 'away' : undefined);
    const { queues = [] } = await admin.forget('t2', true);
    expect(queues.toSorted()).toEqual([GROUPED, LIMITED, ORDERED, PLAIN, PULL].toSorted());
    await expect(admin.drain('t0')).resolves.toBeUndefined();
    const others = await admin.forget('t0', true).then(({ queues: named = [] }) => named.length);
    expect(others).toBeGreaterThan(0);
  });
});

describe('a version of the deployment that has no token for the new shard', () => {
  test('goes on with what it knows, and is refused what it does not', async () => {
    await beginOnTwo();
    const old = s.engine(QUEUES, {}, { tags: 2 });
    await old.accept([input(PLAIN, 'old')]);
    await admin.activate('t2');
    await expect(old.accept([input(PLAIN, 'new')])).rejects.toMatchObject({ code: 'unreachable', shard: 't2' });
    await old.accept([input(PULL, 'held where it was'), input(PLAIN, 'on its way')]);
    expect(await bodiesAt(PLAIN)).toEqual({ t0: ['old'] });
    expect(await s.parcels()).toHaveLength(1);
    for (const { id, body, shard } of await s.parcels()) {
      await forwardHome(engine.fleet, known, id, openParcel(id, body));
      await openAdminStore(named(engine, shard)).cancel(id);
    }
    expect(await bodiesAt(PLAIN)).toEqual({ t0: ['old'], t2: ['on its way'] });
    expect(await bodiesAt(PULL)).toEqual({ t1: ['held where it was'] });
  });

  test('leaves a parcel for it as it is, and it is forwarded by one that has', async () => {
    await beginOnTwo();
    const old = s.engine(QUEUES, {}, { tags: 2 });
    await old.fleet.ready(); // by its map there is no such shard
    await admin.activate('t2');
    const message = { lane: `5:${PULL}`, pool: PULL, maxAttempts: 3, delayMs: 0, ttlMs: 0, json: '{"body":"waits"}' };
    await enqueue(named(engine, 't0'), { messages: [packOne('t2', message)] });
    const [before] = await s.parcels();
    await drainFor(old, 20_000, { sleepsMs: 0 });
    expect([await s.parcels(), await s.messages()]).toEqual([[before], []]);
    const { failures, timers } = await readShard(s.redises.raw, `{${s.tags[0]}}:`);
    expect([failures, Object.keys(timers)]).toEqual([{}, [expect.stringMatching(`0:>/t2 1.${before?.id}$`)]]); // no attempt
    s.aheadMs = 60_000;
    await fresh().sweep();
    await drainFor(fresh(), 20_000, { sleepsMs: 0 });
    expect(await s.messages()).toMatchObject([{ shard: 't2', id: before?.id, body: 'waits' }]);
    expect(await s.parcels()).toEqual([]);
  });

  test('evacuates nothing, and sends away nothing that it could not forward', async () => {
    await beginOnTwo();
    const schedule = moving('schedule', 't0', 's');
    const due = Date.now() + 3_600_000;
    const change = { id: schedule, expected: '', header: `${due} active api 7 0`, error: '', due, messages: [] };
    await openScheduleStore(named(engine, 't0')).change([{ ...change, lines: 'timing\npolicy\n{}' }]);
    await admin.activate('t2');
    const old = s.engine(QUEUES, {}, { tags: 2 });
    await expect(tend(old)).rejects.toMatchObject({ code: 'unreachable', shard: 't2' });
    expect(await s.parcels()).toEqual([]);
    await admin.drain('t1');
    await expect(adminOf(old).evacuate('t1', false)).rejects.toThrow(
      'the settings of this deployment have no shard t2',
    );
  });
});

/** Of all messages, wherever they are, a parcel among that. One that has arrived, and whose parcel is there still, counts once. */
async function idsWithThoseOnTheWay(): Promise<string[]> {
  const found = (await s.messages()).map(({ id }) => id);
  expect(new Set(found).size).toBe(found.length);
  const moved = (await s.parcels()).flatMap(({ id, body }) =>
    splitMoved(openParcel(id, body).args).flatMap(([kind, own]) => (kind === 'm' ? [own as string] : [])),
  );
  return [...new Set([...found, ...moved])].toSorted();
}
