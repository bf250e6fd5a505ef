// SD1 to SD5: each occurrence makes its message once, whoever dies, repeats, deploys or changes the schedule meanwhile.

import { describe, expect, test, vi } from 'vitest';
import * as z from 'zod/mini';
import { defineQueue, defineSchedule } from '../../src/index.ts';
import { newToken } from '../../src/message/ids.ts';
import { openSchedules, type ScheduleReport } from '../../src/schedules/admin.ts';
import { makeDefinition, ScheduleRequest } from '../../src/schedules/definition.ts';
import { features } from '../../src/schedules/features.ts';
import { fireSchedules } from '../../src/schedules/fire.ts';
import { readHeaderLine } from '../../src/schedules/record.ts';
import type { Definition } from '../../src/schedules/schedule.ts';
import { openScheduleStore } from '../../src/schedules/store.ts';
import { engineOn } from '../regressions/engines.ts';
import { auditWhole, type Bench, onEachRedis } from '../support/bench.ts';
import { allow, dyingRunner, firedOn, Killed, losingRunner, type TestWorker, workerOn } from '../support/schedules.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const work = defineQueue('work', { handler: () => {} });
const reports = defineQueue('reports', { kind: 'pull' });
const queues = [work, reports];

const asked = (request: object): Definition =>
  makeDefinition(ScheduleRequest.parse({ queue: 'work', body: 'hello', ...request }));

async function put(worker: TestWorker, id: string, request: object): Promise<ScheduleReport> {
  const report = await worker.admin.put(id, asked(request), allow);
  if (typeof report === 'string') throw new Error(report);
  return report;
}

async function reportOf(worker: TestWorker, id: string): Promise<ScheduleReport> {
  const report = await worker.admin.get(id, allow);
  if (typeof report === 'string') throw new Error(report);
  return report;
}

const occurrences = async (bench: Bench) => (await firedOn(bench)).map(({ occurrence }) => occurrence);
/** The first whole hour from now on. */
const nextHour = (bench: Bench) => (Math.floor(bench.now / HOUR) + 1) * HOUR;

onEachRedis('schedules', (bench) => {
  describe('an occurrence', () => {
    test('makes one message, with the schedule and the occurrence in its headers, and the next one is known', async () => {
      const worker = workerOn(bench(), { queues });
      const due = nextHour(bench());
      expect((await put(worker, 'hourly', { every: '1h', body: { a: 1 } })).next).toEqual([
        due,
        due + HOUR,
        due + 2 * HOUR,
      ]);
      bench().now = due - 1;
      await worker.tick();
      expect(await firedOn(bench())).toEqual([]);
      bench().now = due;
      await worker.tick();
      await worker.tick();
      expect(await firedOn(bench())).toMatchObject([{ schedule: 'hourly', occurrence: due, body: { a: 1 } }]);
      expect(await reportOf(worker, 'hourly')).toMatchObject({
        lastAt: due,
        next: [due + HOUR, due + 2 * HOUR, due + 3 * HOUR],
      });
      expect((await bench().shard()).timers).toEqual({ 's hourly': due + HOUR });
    });

    test('stays due where a deployment has no schedules, and is fired by the next that has', async () => {
      const b = bench();
      const store = openScheduleStore(b.opened()); // by the clock of the server, as engines have it
      const known = { queues: new Map(queues.map((queue) => [queue.name, queue])), ids: new Set<string>() };
      // Of a day: by this clock a whole hour may come between what is due below and whoever fires it.
      await openSchedules(store, known).put('daily', asked({ every: '24h', queue: 'reports' }), allow);
      const header = readHeaderLine((await store.recall([{ id: 'daily' }])).schedules[0]?.record ?? '');
      const due = Date.now() - SECOND;
      const come = header.replace(/^\d+/, String(due));
      await store.change([{ id: 'daily', expected: header, header: come, error: '', lines: '', due, messages: [] }]);
      const hasCome = () => b.redises.raw.zadd(`${b.root}timers`, due, 's daily'); // who is given it has some seconds
      const without = engineOn(b, queues);
      for (const meet of [
        () => without.tick(),
        () => without.drainWoken(),
        () => without.receive({ lease: newToken(), queues: ['reports'], max: 1, visibilityMs: SECOND }),
      ]) {
        await meet();
        expect(readHeaderLine((await store.recall([{ id: 'daily' }])).schedules[0]?.record ?? '')).toBe(come);
        expect(Object.keys((await b.shard()).timers)).toEqual(['s daily']);
        await hasCome();
      }
      expect(await firedOn(b)).toEqual([]);
      await engineOn(b, queues, {}, features).tick();
      expect(await firedOn(b)).toMatchObject([{ schedule: 'daily', occurrence: due }]);
    });

    test('is met by a drain and by a consumer elsewhere as well as by a sweep', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'a', { every: '1h' });
      await put(worker, 'b', { every: '1h', queue: 'reports' });
      bench().now = nextHour(bench());
      const { now, schedules = [] } = await worker.plain.sync({
        lease: 'a',
        leaseMs: 1_000,
        held: 0,
        want: 1,
        pools: ['reports'],
        settlements: [],
      });
      expect(schedules.map(({ id }) => id).toSorted()).toEqual(['a', 'b']);
      expect(await fireSchedules(worker.store, worker.known, schedules, now, true)).toBe(true); // `work` is drained
      expect((await firedOn(bench())).map(({ schedule }) => schedule)).toEqual(['a', 'b']);
    });

    test.each(['before', 'after'] as const)(
      'SD1 killed %s each step of firing: one message all the same',
      async (when) => {
        await put(workerOn(bench(), { queues }), 'hourly', { every: '1h' });
        const expected: number[] = [];
        for (let step = 1; step <= 4; step++) {
          bench().now = nextHour(bench());
          expected.push(bench().now);
          const dying = workerOn(bench(), { queues, runner: dyingRunner(bench().runner(), step, when) });
          await dying.tick().catch((error) => expect(error).toBeInstanceOf(Killed));
          bench().now += 5 * SECOND; // what was handed out comes again
          await workerOn(bench(), { queues }).tick();
          expect(await occurrences(bench())).toEqual(expected);
        }
      },
    );

    test('SD1 every answer lost, every call sent again: one message', async () => {
      const worker = workerOn(bench(), { queues, runner: losingRunner(bench().runner()) });
      await put(worker, 'hourly', { every: '1h' });
      const due = nextHour(bench());
      bench().now = due;
      await worker.tick(); // handed out in an answer that was lost
      bench().now += 5 * SECOND;
      await worker.tick(); // and again
      await workerOn(bench(), { queues }).tick();
      bench().now += 5 * SECOND;
      await workerOn(bench(), { queues }).tick();
      expect(await occurrences(bench())).toEqual([due]);
    });

    test('costs 4 commands more where it is met, and 8 to fire with its message: here one less each, the clock is set by hand', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'hourly', { every: '1h' });
      await worker.tick(); // the server has the scripts from here on
      bench().now = nextHour(bench());
      let met: Awaited<ReturnType<typeof worker.plain.sweep>> | undefined;
      const meeting = await bench().cost(async () => {
        met = await worker.plain.sweep('*');
      });
      const fire = () => fireSchedules(worker.store, worker.known, met?.schedules ?? [], bench().now);
      const firing = await bench().cost(fire);
      await firedOn(bench());
      expect([meeting, firing]).toEqual([
        { commands: 7, requests: 1 },
        { commands: 7, requests: 1 },
      ]);
    });

    test('SD3 met by many: one message', async () => {
      await put(workerOn(bench(), { queues }), 'hourly', { every: '1h' });
      const due = nextHour(bench());
      bench().now = due;
      const met = [];
      for (let i = 0; i < 5; i++) {
        const worker = workerOn(bench(), { queues });
        met.push({ worker, swept: await worker.plain.sweep('*') });
        bench().now += 5 * SECOND;
      }
      expect(met.map(({ swept }) => swept.schedules?.length)).toEqual([1, 1, 1, 1, 1]);
      await Promise.all(
        met.map(({ worker, swept }) => fireSchedules(worker.store, worker.known, swept.schedules ?? [], bench().now)),
      );
      expect(await occurrences(bench())).toEqual([due]);
    });

    test('that nobody fires stands in nobody’s way: what is due behind it goes on', async () => {
      const worker = workerOn(bench(), { queues });
      for (let i = 0; i < 70; i++) await put(worker, `s${i}`, { every: '1h' });
      bench().now = nextHour(bench());
      const [id] = await bench().enqueue(bench().message('work', 1, { delayMs: 1 }));
      bench().now += 1;
      for (let i = 0; i < 3; i++) await worker.plain.sweep('*', { limit: 40 });
      expect((await bench().shard()).lanes).toEqual({ '5:work': [`1.${id}`] });
    });
  });

  describe('SD2 after three occurrences of downtime', () => {
    test.each([
      ['none', 0],
      ['one', 1],
      [{ all: 2 }, 2],
      [{ all: 10 }, 3],
    ])('the policy %j makes %d messages, and the next occurrence is on time', async (catchUp, count) => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'hourly', { every: '1h', catchUp });
      const first = nextHour(bench());
      bench().now = first + 2 * HOUR + 30 * MINUTE;
      await worker.tick();
      const missed = [first, first + HOUR, first + 2 * HOUR].slice(3 - count);
      expect(await occurrences(bench())).toEqual(missed);
      bench().now = first + 3 * HOUR;
      await worker.tick();
      expect(await occurrences(bench())).toEqual([...missed, first + 3 * HOUR]);
    });
  });

  describe('SD3 a schedule that is rewritten while it fires', () => {
    const rewritten: [string, object][] = [
      ['another body', { every: '1h', body: 'other' }],
      ['another time', { cron: '30 * * * *' }],
      ['another interval', { every: '7m' }],
    ];

    test.each(rewritten)('to %s, before: the occurrence is fired once, by the new definition', async (_, request) => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      const due = nextHour(bench());
      bench().now = due;
      const { schedules = [], now } = await worker.plain.sweep('*');
      await put(worker, 'x', request);
      await fireSchedules(worker.store, worker.known, schedules, now); // with what it had read
      expect(await occurrences(bench())).toEqual([]);
      bench().now += 5 * SECOND;
      await worker.tick();
      expect(await firedOn(bench())).toMatchObject([{ occurrence: due, body: 'body' in request ? 'other' : 'hello' }]);
    });

    test.each(rewritten)('to %s, after: the occurrence is fired once, by the old definition', async (_, request) => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      const due = nextHour(bench());
      bench().now = due;
      await worker.tick();
      const { next } = await put(worker, 'x', request);
      await worker.tick();
      expect(await firedOn(bench())).toMatchObject([{ occurrence: due, body: 'hello' }]);
      expect(next[0]).toBeGreaterThan(due);
    });

    test('removed, or paused: it is not fired', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      await put(worker, 'y', { every: '1h' });
      bench().now = nextHour(bench());
      const { schedules = [], now } = await worker.plain.sweep('*');
      expect(await worker.admin.remove('x', allow)).toBe('removed');
      await worker.admin.pause('y', allow);
      await fireSchedules(worker.store, worker.known, schedules, now);
      bench().now += 5 * SECOND;
      await worker.tick();
      expect(await occurrences(bench())).toEqual([]);
      expect((await bench().shard()).timers).toEqual({});
    });
  });

  describe('schedules in code', () => {
    const hourly = (body: string, options: object = { every: '1h' }) =>
      defineSchedule('hourly', { queue: work, body, ...(options as { every: string }) });

    test('SD4 are fired where deployments come more often than the interval, changed bodies or not', async () => {
      const first = nextHour(bench());
      for (let i = 0; i < 20; i++) {
        await workerOn(bench(), { queues, schedules: [hourly(`version ${i}`)] }).tick();
        bench().now += 7 * MINUTE;
      }
      expect(await occurrences(bench())).toEqual([first, first + HOUR]);
    });

    test('with another time are due by the new one from then on, and stay paused', async () => {
      const first = nextHour(bench());
      await workerOn(bench(), { queues, schedules: [hourly('a')] }).tick();
      const changed = workerOn(bench(), { queues, schedules: [hourly('a', { cron: '30 * * * *' })] });
      await changed.tick();
      expect((await reportOf(changed, 'hourly')).next[0]).toBe(
        first + HOUR / 2 - (first - bench().now > HOUR / 2 ? HOUR : 0),
      );
      await changed.admin.pause('hourly', allow);
      await workerOn(bench(), { queues, schedules: [hourly('b')] }).tick();
      expect(await reportOf(changed, 'hourly')).toMatchObject({ state: 'paused', next: [] });
    });

    test('that two versions have side by side, or one of them only, are fired once per occurrence', async () => {
      const old = workerOn(bench(), { queues, schedules: [hourly('old')] });
      const both = [
        workerOn(bench(), {
          queues,
          schedules: [defineSchedule('daily', { cron: '0 0 * * *', queue: work, body: 1 })],
        }),
        old,
        workerOn(bench(), { queues, schedules: [hourly('new')] }),
      ];
      await old.tick();
      const first = nextHour(bench());
      bench().now = first - 10 * MINUTE;
      while (bench().now < first + HOUR + 10 * MINUTE) {
        for (const worker of both) await worker.tick();
        bench().now += MINUTE;
      }
      expect(
        (await firedOn(bench())).filter(({ schedule }) => schedule === 'hourly').map(({ occurrence }) => occurrence),
      ).toEqual([first, first + HOUR]);
    });

    test('that storage has lost are registered again: all of them with the next tick, one of them within the hour', async () => {
      const { raw } = bench().redises;
      const daily = defineSchedule('daily', { cron: '0 0 * * *', queue: work, body: 1 });
      const worker = workerOn(bench(), { queues, schedules: [hourly('a'), daily] });
      const isRegistered = async () => (await worker.admin.get('daily', allow)) !== 'unknown';
      await worker.tick();
      await worker.tick();
      await raw.del(`${bench().root}schedules`);
      await worker.tick();
      expect(await isRegistered()).toBe(true);
      await worker.tick();
      await raw.hdel(`${bench().root}schedules`, 'daily');
      const lostAt = bench().now;
      for (; !(await isRegistered()) && bench().now <= lostAt + HOUR; bench().now += MINUTE) await worker.tick();
      expect(bench().now).toBeLessThanOrEqual(lostAt + HOUR);
      await firedOn(bench());
    });

    test('of a version that comes back are its own again, five minutes after those of the other', async () => {
      const earlier = workerOn(bench(), { queues, schedules: [hourly('earlier')] });
      const bad = workerOn(bench(), { queues, schedules: [hourly('bad')] });
      const body = async () => (await earlier.admin.input('hourly', allow)) as { body: unknown };
      for (const worker of [earlier, earlier, bad, bad]) await worker.tick();
      expect(await body()).toMatchObject({ body: 'bad' });
      bench().now += 5 * MINUTE - 1;
      await earlier.tick();
      expect(await body()).toMatchObject({ body: 'bad' });
      bench().now += 1;
      await earlier.tick();
      expect(await body()).toMatchObject({ body: 'earlier' });
      await firedOn(bench());
    });

    test('that the code has no more are not fired, and go when they are 15 minutes overdue', async () => {
      await workerOn(bench(), { queues, schedules: [hourly('a')] }).tick();
      const next = workerOn(bench(), { queues });
      bench().now = nextHour(bench());
      await next.tick();
      bench().now += 15 * MINUTE - 1;
      await next.tick();
      expect((await reportOf(next, 'hourly')).origin).toBe('code');
      bench().now += 5 * SECOND;
      await next.tick();
      expect(await next.admin.get('hourly', allow)).toBe('unknown');
      expect(await occurrences(bench())).toEqual([]);
      expect((await bench().shard()).timers).toEqual({});
    });

    test('are not changed over the API, but paused, resumed and run', async () => {
      const worker = workerOn(bench(), { queues, schedules: [hourly('a')] });
      await worker.tick();
      expect(await worker.admin.put('hourly', asked({ every: '1m' }), allow)).toBe('code');
      expect(await worker.admin.remove('hourly', allow)).toBe('code');
      expect(await worker.admin.pause('hourly', allow)).toMatchObject({ state: 'paused', origin: 'code' });
      expect(await worker.admin.input('hourly', allow)).toMatchObject({ body: 'a' });
    });
  });

  describe('SD5 an occurrence that goes wrong does not stop the next', () => {
    test('its message is a duplicate', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h', dedup: { key: 'same', window: '90m' } });
      const first = nextHour(bench());
      for (let i = 0; i < 3; i++) {
        bench().now = first + i * HOUR;
        await worker.tick();
      }
      expect(await occurrences(bench())).toEqual([first]); // keys end by the server's own clock
      expect(await reportOf(worker, 'x')).toMatchObject({
        lastAt: first + 2 * HOUR,
        next: [first + 3 * HOUR, first + 4 * HOUR, first + 5 * HOUR],
      });
    });

    test('its body does not fit the schema any more: the error is kept, and goes with the next that fits', async () => {
      await put(workerOn(bench(), { queues }), 'x', { every: '1h', body: { secret: 1 } });
      const strict = defineQueue('work', { schema: z.object({ secret: z.string() }), handler: () => {} });
      const worker = workerOn(bench(), { queues: [strict, reports] });
      const first = nextHour(bench());
      bench().now = first;
      await worker.tick();
      expect(await reportOf(worker, 'x')).toMatchObject({ lastError: 'body.secret: schema', state: 'active' });
      bench().now = first + HOUR;
      await workerOn(bench(), { queues }).tick();
      expect(await occurrences(bench())).toEqual([first + HOUR]);
      expect(await reportOf(worker, 'x')).not.toHaveProperty('lastError');
    });

    test('its schema throws', async () => {
      await put(workerOn(bench(), { queues }), 'x', { every: '1h' });
      const schema = z.string().check(() => {
        throw new Error('hello');
      });
      const worker = workerOn(bench(), { queues: [defineQueue('work', { schema, handler: () => {} })] });
      bench().now = nextHour(bench());
      await worker.tick();
      expect(await reportOf(worker, 'x')).toMatchObject({ lastError: 'body: its schema failed', state: 'active' });
    });

    test('its queue is unknown: another version may know it for 15 minutes, then the occurrence passes', async () => {
      await put(workerOn(bench(), { queues }), 'x', { every: '1h' });
      const worker = workerOn(bench(), { queues: [reports] });
      const first = nextHour(bench());
      bench().now = first;
      await worker.tick();
      bench().now += 5 * SECOND;
      await workerOn(bench(), { queues }).tick();
      expect(await occurrences(bench())).toEqual([first]);
      bench().now = first + HOUR;
      await worker.tick();
      bench().now += 15 * MINUTE;
      await worker.tick();
      expect(await reportOf(worker, 'x')).toMatchObject({ lastError: 'queue: unknown_queue', lastAt: first });
      bench().now = first + 2 * HOUR;
      await worker.tick(); // it is known by now that nobody knows it
      expect((await reportOf(worker, 'x')).next[0]).toBe(first + 3 * HOUR);
      bench().now = first + 3 * HOUR;
      await workerOn(bench(), { queues }).tick();
      expect(await occurrences(bench())).toEqual([first, first + 3 * HOUR]);
    });

    test('its message ends as a dead letter', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h', maxAttempts: 1 });
      const first = nextHour(bench());
      bench().now = first;
      await worker.tick();
      await firedOn(bench());
      const [entry = ''] = await bench().take(1);
      await bench().sync({ settlements: [{ entry, outcome: 'dead' }] });
      bench().now = first + HOUR;
      await worker.tick();
      expect(await occurrences(bench())).toEqual([first, first + HOUR]);
    });

    test('its record cannot be read: it is paused, says so, and the others go on', async () => {
      const worker = workerOn(bench(), { queues });
      for (const id of ['a', 'b', 'c']) await put(worker, id, { every: '1h' });
      const { raw } = bench().redises;
      const key = `${bench().root}schedules`;
      await raw.hset(key, 'b', `${(await raw.hget(key, 'b'))?.split('\n').slice(0, 3).join('\n')}\n{`);
      bench().now = nextHour(bench());
      const log = vi.spyOn(console, 'error').mockReturnValue();
      await worker.tick();
      const said = log.mock.calls.map(([line]) => JSON.parse(line));
      log.mockRestore();
      expect(said).toEqual([{ level: 'error', event: 'schedule b: paused, its stored form cannot be read' }]);
      expect((await firedOn(bench())).map(({ schedule }) => schedule)).toEqual(['a', 'c']);
      expect(await raw.hget(key, 'b')).toMatch(/^0 paused api \S+ 0\nits stored form cannot be read\n/);
      const onlyWork = (queue: string) => {
        if (queue !== 'work') throw new Error('not permitted');
      };
      await expect(worker.admin.remove('b', onlyWork)).rejects.toThrow('not permitted');
      await put(worker, 'b', { every: '1h' });
      bench().now = nextHour(bench());
      await worker.tick();
      expect((await firedOn(bench())).map(({ schedule }) => schedule)).toEqual(['a', 'c', 'a', 'b', 'c']); // put again, it is active
    });

    test('its timer is gone: the audit brings it back, and nothing is missed', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      await put(worker, 'y', { every: '1h' });
      await worker.admin.pause('y', allow); // a paused one has none
      await bench().redises.raw.del(`${bench().root}timers`);
      const due = nextHour(bench());
      expect(await auditWhole(worker.plain)).toEqual([{ finding: 'schedule-without-timer', name: 'x' }]);
      expect(await auditWhole(worker.plain)).toEqual([]);
      bench().now = due;
      await worker.tick();
      expect(await occurrences(bench())).toEqual([due]);
    });

    test('its record is gone: so is its timer', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      await bench().redises.raw.del(`${bench().root}schedules`);
      bench().now = nextHour(bench());
      await worker.tick();
      expect((await bench().shard()).timers).toEqual({});
    });

    test('the key of all schedules has a wrong type: messages go on, and occurrences wait until it is mended', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      const { raw } = bench().redises;
      await raw.del(`${bench().root}schedules`);
      await raw.set(`${bench().root}schedules`, 'text');
      const [id] = await bench().enqueue(bench().message('work', 1, { delayMs: 1 }));
      bench().now = nextHour(bench());
      await worker.tick();
      expect((await bench().shard()).lanes).toEqual({ '5:work': [`1.${id}`] });
      expect((await bench().shard()).timers).toEqual({ 's x': bench().now + MINUTE });
    });
  });

  describe('operators', () => {
    test('pause: occurrences pass; resume: the next one is the next from then', async () => {
      const worker = workerOn(bench(), { queues });
      await put(worker, 'x', { every: '1h' });
      const first = nextHour(bench());
      bench().now = first; // it has come, and is not fired yet
      for (let i = 0; i < 2; i++)
        expect(await worker.admin.pause('x', allow)).toMatchObject({ state: 'paused', next: [] });
      bench().now = first + 90 * MINUTE;
      await worker.tick();
      for (let i = 0; i < 2; i++)
        expect((await worker.admin.resume('x', allow)) as ScheduleReport).toMatchObject({ state: 'active' });
      bench().now = first + 2 * HOUR;
      await worker.tick();
      expect(await occurrences(bench())).toEqual([first + 2 * HOUR]);
    });

    test('every answer lost: what they ask for is done once, and said so', async () => {
      const worker = workerOn(bench(), { queues, runner: losingRunner(bench().runner()) });
      const report = await put(worker, 'x', { every: '1h' });
      expect(report).toMatchObject({ id: 'x', state: 'active' });
      expect(await worker.admin.pause('x', allow)).toMatchObject({ state: 'paused' });
      expect(await worker.admin.resume('x', allow)).toMatchObject({ state: 'active', next: report.next });
      expect(await worker.admin.remove('x', allow)).toBe('removed');
      expect(await worker.admin.remove('x', allow)).toBe('unknown');
    });

    test('list: all of them, page by page, but for those of queues they may not see', async () => {
      const worker = workerOn(bench(), { queues });
      for (let i = 0; i < 300; i++) await put(worker, `s${i}`, { every: '1h', queue: i % 3 ? 'work' : 'reports' });
      const found = new Set<string>();
      let cursor = '0';
      do {
        const page = await worker.admin.list((queue) => queue === 'work', 50, cursor);
        for (const { id } of page.schedules) found.add(id);
        cursor = page.cursor ?? '';
      } while (cursor !== '');
      expect(found).toEqual(new Set(Array.from({ length: 300 }, (_, i) => `s${i}`).filter((_, i) => i % 3)));
    });

    test('may not have more than 10,000', async () => {
      const worker = workerOn(bench(), { queues });
      const { raw } = bench().redises;
      const fields = Array.from({ length: 9_999 }, (_, i) => [`s${i}`, 'x']).flat();
      await raw.hset(`${bench().root}schedules`, ...fields);
      await put(worker, 'a', { every: '1h' });
      expect(await worker.admin.put('b', asked({ every: '1h' }), allow)).toBe('full');
      await put(worker, 'a', { every: '2h' });
      expect((await bench().shard()).timers).toHaveProperty('s a');
      expect((await bench().shard()).timers).not.toHaveProperty('s b');
    });
  });
});
