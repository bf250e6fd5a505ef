// Lanes that are divided: with parts as with none, messages come out in order, and whoever looks at a lane sees all of it.
import { expect, test } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { divideAbove } from '../support/parts.ts';
import { enqueues, type Scenario, tryAll, type Undisturbed } from '../support/refusing.ts';
import { auditAll } from '../support/settling.ts';
import { emptyShard } from '../support/shard.ts';

divideAbove(4);

const LANE = 'lane:5:mail';

/** Enqueues so many, some at a time. @returns their ids, in order */
async function fill(b: Bench, count: number, atOnce = 3): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += atOnce) {
    const messages = Array.from({ length: Math.min(atOnce, count - from) }, (_, i) => b.message('mail', from + i));
    ids.push(...(await b.enqueue(...messages)));
    b.now += 1;
  }
  return ids;
}

/** How many parts the lane has. */
const parts = async (b: Bench) => ((await b.redises.raw.hget(`${b.root}parts`, LANE)) ?? '').split(' ').length;

async function drain(b: Bench, want: number, lease = 'd'): Promise<string[]> {
  const given: string[] = [];
  for (let tries = 0; tries < 100; tries++) {
    const taken = await b.take(want, lease);
    if (taken.length === 0) return given;
    given.push(...taken);
    await b.sync({ lease, held: 0, settlements: taken.map((entry) => ({ entry, outcome: 'ack' as const })) });
    expect(await b.violations()).toEqual([]);
  }
  throw new Error('it does not end');
}

const suite = (bench: () => Bench) => {
  test.each([1, 2, 5, 7, 100])('is taken in order, %i at a time, and nothing is left of it', async (want) => {
    const b = bench();
    const ids = await fill(b, 32);
    expect(await parts(b)).toBeGreaterThan(4);
    expect(await b.violations()).toEqual([]);
    expect(await drain(b, want)).toEqual(ids.map((id) => `1.${id}`));
    const { rest, ...shard } = await b.shard();
    expect(shard).toEqual((({ rest: _, ...empty }) => empty)(emptyShard()));
  });

  test('what comes back is next, before all parts, though the lane is divided again meanwhile', async () => {
    const b = bench();
    const ids = await fill(b, 20);
    const taken = await b.take(6, 'x');
    expect(taken).toEqual(ids.slice(0, 6).map((id) => `1.${id}`));
    const release = (entry: string) => ({ entry, outcome: 'release' as const });
    await b.sync({ lease: 'x', settlements: taken.slice(3).map(release) });
    ids.push(...(await fill(b, 9)));
    const nested = await b.redises.raw.hkeys(`${b.root}parts`);
    expect(nested.length).toBeGreaterThan(1);
    await b.sync({ lease: 'x', settlements: taken.slice(0, 3).map(release) });
    ids.push(...(await fill(b, 9)));
    expect(await b.violations()).toEqual([]);
    expect(await drain(b, 4)).toEqual(ids.map((id) => `1.${id}`));
    expect(await b.redises.raw.exists(`${b.root}parts`)).toBe(0);
  });

  test('what does not fit in an answer stays, across the ends of parts', async () => {
    const b = bench();
    const big = Array.from({ length: 18 }, (_, i) => b.message('mail', `${i % 10}`.repeat(250_000)));
    const ids: string[] = [];
    for (const message of big) ids.push(...(await b.enqueue(message)));
    const { taken } = await b.sync({ lease: 'x', want: 18 });
    expect(taken.length).toBeLessThan(18);
    expect(await b.violations()).toEqual([]);
    const rest = await drain(b, 3, 'y');
    expect([...taken.map(({ entry }) => entry), ...rest]).toEqual(ids.map((id) => `1.${id}`));
    await b.sync({ lease: 'x', settlements: taken.map(({ entry }) => ({ entry, outcome: 'ack' as const })) });
  });

  test('is counted, listed, and each message found and cancelled wherever it stands', async () => {
    const b = bench();
    const ids = await fill(b, 23);
    const admin = b.adminStore();
    expect(await admin.count('mail')).toMatchObject({ ready: { 5: 23 }, complete: true });
    const listed: string[] = [];
    let cursor = '';
    do {
      const page = await admin.browse('mail', 'ready', 5, cursor);
      listed.push(...page.messages.map(({ entry }) => entry));
      cursor = page.cursor;
    } while (cursor !== '');
    expect(listed).toEqual(ids.map((id) => `1.${id}`));
    for (const id of ids) expect((await admin.look(id)).state, id).toBe('ready');
    for (const id of ids.toSorted()) {
      expect(await admin.cancel(id)).toBe('ready');
      b.alive.delete(id);
      expect(await b.violations()).toEqual([]);
    }
    expect(await b.redises.raw.exists(`${b.root}parts`, `${b.root}${LANE}`)).toBe(0);
  });

  test('is purged, so many at a time', async () => {
    const b = bench();
    const ids = await fill(b, 2_300, 90);
    const steps: number[] = [];
    let cursor = '0';
    for (let more = true; more; ) {
      const step = await b.adminStore().purge('mail', ['ready'], cursor);
      steps.push(step.purged);
      ({ more, cursor } = step);
      for (const id of ids.splice(0, step.purged)) b.alive.delete(id);
      expect(await b.violations()).toEqual([]);
    }
    expect(steps).toEqual([1_000, 1_000, 300, 0]);
    expect(await b.redises.raw.exists(`${b.root}parts`, `${b.root}${LANE}`)).toBe(0);
  });

  test('whose mark, part or list of parts is lost is mended by the audit', async () => {
    const b = bench();
    const ids = await fill(b, 14);
    const raw = b.redises.raw;
    await raw.lrem(b.root + LANE, 0, '~');
    expect(await auditAll(b.store, true)).toEqual([`part-without-lane ${LANE}`]);
    expect(await b.violations()).toEqual([]);
    const numbers = (await raw.hget(`${b.root}parts`, LANE)) ?? '';
    await raw.hset(`${b.root}parts`, LANE, numbers.replace(/^\d+ /, ''));
    expect(await auditAll(b.store, true)).toEqual([expect.stringMatching(/^part-without-lane \d+:5:mail$/)]);
    expect(await b.violations()).toEqual([]);
    expect(await auditAll(b.store, true, true)).toEqual([]);
    expect(await drain(b, 4)).toEqual(ids.map((id) => `1.${id}`));
  });
};

onEachRedis('a lane that is divided', suite, ['the embedded Redis', 'redis-server']);

/** It alone, and it and all behind it. */
const eachWrite = ({ writes }: Undisturbed) =>
  writes.flatMap((write, i): [string, Refusal][] => [
    [`${i + 1}. ${write}`, { from: i + 1 }],
    [`from ${i + 1}. ${write}`, { from: i + 1, times: Number.POSITIVE_INFINITY }],
  ]);

const onReal = (bench: () => Bench) => {
  test('at each refused write: all messages are in one place, and come out in order', async () => {
    const scenario: Scenario = {
      name: 'divided again',
      prepare: async (b) => {
        for (const name of ['a', 'b', 'c'])
          await b.enqueue(...['x', 'y', 'z'].map((end) => b.message('mail', name + end)));
      },
      call: enqueues((b) => ['1', '2', '3', '4', '5'].map((name) => b.message('mail', name))),
      whole: true,
    };
    const faults = await tryAll(bench().redises, scenario, eachWrite);
    expect(faults).toEqual([]);
  });

  test('at each refused write where something came back to its head: what was divided before stays behind it, in order', async () => {
    const scenario: Scenario = {
      name: 'divided while its head has no mark',
      prepare: async (b) => {
        for (const name of ['a', 'b', 'c', 'd'])
          await b.enqueue(...['x', 'y', 'z'].map((end) => b.message('mail', name + end)));
        const taken = await b.take(2, 'back');
        const settlements = taken.map((entry) => ({ entry, outcome: 'release' as const }));
        await b.sync({ lease: 'back', settlements });
      },
      call: enqueues((b) => ['1', '2', '3', '4', '5'].map((name) => b.message('mail', name))),
      whole: true,
    };
    const faults = await tryAll(bench().redises, scenario, eachWrite);
    expect(faults).toEqual([]);
  });

  test('and has parts that none leads to: where storage refuses the mark they are found again by the next sweep', async () => {
    const b = bench();
    const ids = await fill(b, 14);
    const numbers = ((await b.redises.raw.hget(`${b.root}parts`, LANE)) ?? '').split(' ');
    expect(numbers.length).toBeGreaterThan(1);
    await b.redises.raw.lrem(b.root + LANE, 0, '~');
    await b.redises.raw.hdel(`${b.root}parts`, LANE);
    b.redises.refuse = () => ({ from: 1, times: Number.POSITIVE_INFINITY });
    await auditAll(b.store, true).catch(() => {});
    b.redises.refuse = undefined as never;
    expect(await b.redises.raw.exists(`${b.root}parts`)).toBe(0);
    await auditAll(b.store, true);
    expect(((await b.redises.raw.hget(`${b.root}parts`, LANE)) ?? '').split(' ')).toEqual(numbers);
    expect(await b.violations()).toEqual([]);
    expect(await drain(b, 4)).toEqual(ids.map((id) => `1.${id}`));
  });
};

onEachRedis('a lane that is divided', onReal, ['redis-server']);
