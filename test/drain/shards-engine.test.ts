// Ticks and drains of a deployment on several shards: what they cost, what stops where one is away, and what an isolate remembers of it.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openKeptOutcomes } from '../../src/drain/unsettled.ts';
import { openGroups } from '../../src/engine/groups.ts';
import type { Engine } from '../../src/engine.ts';
import { StorageError } from '../../src/errors.ts';
import { defineQueue } from '../../src/index.ts';
import { openBreaker } from '../../src/redis/breaker.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import { makeInitialMap, parseMap } from '../../src/shards/map.ts';
import { readMap } from '../../src/store/map.ts';
import type { SyncAnswer, SyncRequest } from '../../src/store/sync.ts';
import { Bench } from '../support/bench.ts';
import { nameAt, named, onShards } from '../support/sharded.ts';
import { MAP, NAMES } from '../support/three-shards.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A queue at home on each shard, and what of them was handled. */
function working() {
  const handled: string[] = [];
  const queues = NAMES.map((shard) =>
    defineQueue(nameAt(MAP, shard, 'work'), { handler: ({ body }) => void handled.push(String(body)) }),
  );
  const inputs = NAMES.map((body, i) => ({ queue: queues[i], body, options: {}, path: '' }));
  return { queues, inputs, handled };
}

describe('a deployment on three shards', () => {
  const current = onShards(3);

  test('ticks side by side, where nothing is to be done with one request and five commands for each', async () => {
    const s = current();
    const engine = s.engine(working().queues);
    for (let i = 0; i < 3; i++) await engine.tick(); // the scripts are known, and that cron runs is noted
    const fresh = s.engine(working().queues, { clock: undefined });
    await fresh.fleet.ready(); // the map, which an isolate reads once
    s.calls.length = 0;
    const asked = s.redises.emulator.requests();
    const answered: number[] = [];
    s.mishap = () => {
      answered.push(s.redises.emulator.requests() - asked);
      return undefined;
    };
    const cost = await new Bench(s.redises).cost(() => fresh.tick());
    expect(cost).toEqual({ commands: 15, requests: 3 });
    expect(s.calls.map(({ shard }) => shard).toSorted()).toEqual(NAMES);
    expect(answered).toEqual([0, 0, 0]); // each left before another had arrived
  });

  test('serves two of them where one is away, tells it at the end of its tick, and all when it is back', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const s = current();
    const { queues, inputs, handled } = working();
    const engine = s.engine(queues);
    for (const input of inputs) await engine.enqueue([input]);
    s.mishap = ({ shard }) => (shard === 't1' ? 'away' : undefined);
    let now = Date.now(); // of the breaker: until it is told otherwise no time passes
    vi.spyOn(Date, 'now').mockImplementation(() => now);
    await expect(engine.tick()).rejects.toMatchObject({ code: 'unreachable', shard: 't1' });
    expect(handled.toSorted()).toEqual(['t0', 't2']);
    // From here on it is left alone: whoever needs it is told at once, and nobody who needs another is.
    s.calls.length = 0;
    await expect(engine.enqueue([inputs[1] as (typeof inputs)[0]])).rejects.toMatchObject({ shard: 't1' });
    expect(s.calls.filter(({ shard }) => shard === 't1')).toEqual([]);
    await engine.enqueue([inputs[0] as (typeof inputs)[0]]);
    s.mishap = () => undefined;
    await expect(engine.tick()).rejects.toMatchObject({ shard: 't1' });
    expect(handled.toSorted()).toEqual(['t0', 't0', 't2']);
    now += 10_000;
    expect((await engine.tick()).drain).toMatchObject({ acked: 1 });
    expect(handled.toSorted()).toEqual(['t0', 't0', 't1', 't2']);
    expect(await s.messages()).toEqual([]);
  });

  test('gives a shard the map that it has missed, and reads a newer one that a sweep has met', async () => {
    const s = current();
    const engine = s.engine([]);
    await engine.fleet.ready();
    const old = named(engine, 't2');
    const missed = (await readMap(old)) as string;
    const other = s.engine([]);
    const { epoch } = await s.change(other, ({ changedAt }) => ({ changedAt: changedAt + 1 }));
    await old.send(['SET', `${old.keys.root}map`, missed]);
    await old.send(['HSET', `${old.keys.root}stats:totals`, '^', '1']);
    await engine.tick();
    expect(engine.fleet.topology.map.epoch).toBe(epoch);
    expect(parseMap((await readMap(old)) as string).epoch).toBe(epoch);
  });
});

describe('a deployment on five shards where connections are limited', () => {
  const current = onShards(5);

  test('serves a part of them in the invocation of a tick, and has another begun for those where work is left', async () => {
    const s = current();
    const map = makeInitialMap(s.names.map((name) => ({ name, weight: 1, state: 'active' as const })));
    const handled: string[] = [];
    const queues = s.names.map((shard) =>
      defineQueue(nameAt(map, shard, 'part'), { handler: ({ body }) => void handled.push(String(body)) }),
    );
    const started: number[] = [];
    const start = async (place: number) => started.push(place) > 0;
    const drainers = { wake: async () => false, start, placeOf: () => undefined, behind: () => undefined };
    const enqueue = async (engine: Engine) => {
      for (const [i, queue] of queues.entries()) {
        await engine.enqueue([{ queue, body: s.names[i], options: {}, path: '' }]);
      }
    };
    const resident = s.engine(queues);
    await enqueue(resident);
    await resident.tick(); // one loop over all; from here on the scripts are known
    expect(handled.splice(0).toSorted()).toEqual(s.names);
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' });
    const engine = s.engine(queues, { drainers });
    await enqueue(engine);
    await engine.tick();
    const first = handled.toSorted();
    expect(first).toEqual(['t0', 't2', 't4']);
    expect(started).toHaveLength(1);
    const works: Promise<unknown>[] = [];
    const caller = {
      invocation: new Invocation(),
      context: { waitUntil: (work: Promise<unknown>) => void works.push(work) },
    };
    engine.under(caller).beginDrain(started[0] as number);
    await Promise.all(works);
    expect(handled.toSorted()).toEqual(s.names);
    expect([...new Set(handled)]).toHaveLength(5);
    await engine.tick();
    expect(started).toHaveLength(1); // nothing is left: nobody is begun
  });
});

describe('the breaker of a shard', () => {
  const failing = (breaker: ReturnType<typeof openBreaker>) =>
    breaker.guard(async () => {
      const error = new StorageError('unreachable', 'away');
      breaker.note(error);
      throw error;
    });

  test('opens where a call and its repetition found nothing, lets one try in a moment, and closes at an answer', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const breaker = openBreaker('b');
    let calls = 0;
    const call = async () => {
      calls += 1;
      breaker.note();
      return 'answer';
    };
    await expect(failing(breaker)).rejects.toThrow();
    expect(await breaker.guard(call)).toBe('answer'); // one that got lost says nothing
    for (let i = 0; i < 2; i++) await expect(failing(breaker)).rejects.toThrow();
    await expect(breaker.guard(call)).rejects.toMatchObject({ code: 'unreachable', shard: 'b', afterMs: 250 });
    expect(await breaker.guard(call, () => true)).toBe('answer'); // who insists is let through, and it is closed again
    expect(await breaker.guard(call)).toBe('answer');
    for (let i = 0; i < 2; i++) await expect(failing(breaker)).rejects.toThrow();
    vi.setSystemTime(Date.now() + 10_000);
    calls = 0;
    const never = breaker.guard(() => new Promise<never>(() => {})); // the platform has ended whoever tries
    await expect(breaker.guard(call)).rejects.toMatchObject({ shard: 'b' });
    vi.setSystemTime(Date.now() + 10_000);
    expect([await breaker.guard(call), await breaker.guard(call), calls]).toEqual(['answer', 'answer', 2]);
    void never;
  });

  test('is open for longer the longer nothing comes, and for ten seconds at most', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const breaker = openBreaker('b');
    await expect(failing(breaker)).rejects.toThrow();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      await expect(failing(breaker)).rejects.toThrow('away');
      const { afterMs } = (await breaker.guard(async () => undefined).catch((error: unknown) => error)) as StorageError;
      waits.push(afterMs);
      vi.setSystemTime(Date.now() + afterMs);
    }
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  test('takes an answer of any kind for one: a refusal too', async () => {
    const breaker = openBreaker('b');
    await expect(failing(breaker)).rejects.toThrow();
    breaker.note(new StorageError('refused', 'full'));
    await expect(failing(breaker)).rejects.toThrow();
    expect(breaker.isOpen()).toBe(false);
  });
});

test('outcomes that could not be settled are kept for their shard: one that is away keeps none of another', async () => {
  const kept = openKeptOutcomes();
  const settled: string[] = [];
  const on = (name: string, isAway: boolean) => {
    const sync = async ({ lease, settlements }: SyncRequest) => {
      if (isAway) throw new StorageError('unreachable', 'away');
      settled.push(`${name} ${lease} ${settlements.map(({ entry }) => entry).join(' ')}`);
      return { now: 0, statuses: settlements.map(() => 'acked') } as unknown as SyncAnswer;
    };
    return { name, store: { sync } as never };
  };
  for (const shard of ['a', 'b'])
    kept.keep({ shard, lease: `of ${shard}`, settlements: [{ entry: '1.x', outcome: 'ack' }] });
  await expect(kept.settle(on('a', true))).rejects.toThrow(StorageError);
  await kept.settle(on('b', false));
  expect(settled).toEqual(['b of b 1.x']);
  await kept.settle(on('a', false));
  await kept.settle(on('a', false));
  expect(settled).toEqual(['b of b 1.x', 'a of a 1.x']);
});

describe('groups of shards', () => {
  const shards = Array.from({ length: 9 }, (_, i) => i);

  test('are of four at most where connections are limited, and each place is of one group', () => {
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' });
    const groups = openGroups(9, true);
    const members = Array.from({ length: groups.count }, (_, group) => groups.membersOf(group, shards));
    expect(members.flat().toSorted((a, b) => a - b)).toEqual(shards);
    expect(Math.max(...members.map(({ length }) => length))).toBeLessThanOrEqual(4);
    for (let place = 0; place < 32; place++) {
      expect(groups.placeIn(groups.ofPlace(place), groups.withinGroup(place))).toBe(place);
    }
    for (const [shard] of shards.entries()) expect(members[groups.ofPlace(shard)]).toContain(shard);
    expect([openGroups(4, true).count, openGroups(9, false).count]).toEqual([1, 1]);
  });

  test('are one where a process stays', () => expect(openGroups(9, true).count).toBe(1));
});
