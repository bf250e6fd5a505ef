// Drainers: Durable Objects that drain, where the binding DRAINER is there. No tick of cron but where it is said.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Alarms, Drainer, type Watch } from '../../src/drain/drainer.ts';
import type { Drainers } from '../../src/drain/drainers.ts';
import { StorageError } from '../../src/errors.ts';
import { constant, defineQueue, type QueueOptions } from '../../src/index.ts';
import { acked } from '../regressions/engines.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { deploymentOn } from '../support/deployment.ts';
import { openObjects } from '../support/objects.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { eventually } from '../support/worker.ts';

const HERE = ['redis-server'];
const ON_TIME_MS = 1_000;

/** An object whose drains end when the test says so. */
function objectOf(next?: Drainers) {
  let alarmAt: number | null = null;
  const sets: number[] = [];
  const alarms: Alarms = {
    getAlarm: async () => alarmAt,
    async setAlarm(at) {
      alarmAt = at;
      sets.push(at);
    },
  };
  const rounds: (PromiseWithResolvers<{ isFruitful: boolean; againInMs: number }> & { watch: Watch })[] = [];
  const drain = (watch: Watch) => {
    const round = { ...Promise.withResolvers<{ isFruitful: boolean; againInMs: number }>(), watch };
    rounds.push(round);
    return round.promise;
  };
  const drainer = new Drainer({ alarms, drain, next });
  const ring = () => {
    alarmAt = null; // as the platform has it while an alarm runs
    return drainer.alarm();
  };
  return { drainer, ring, sets, rounds, alarmAt: () => alarmAt };
}

const NOTHING = { isFruitful: false, againInMs: Number.POSITIVE_INFINITY };

describe('a drainer', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] })); // the instants of alarms are seen to the ms
  afterEach(() => void vi.useRealTimers());

  test('keeps the earliest alarm of those that are asked for, and sets none where nothing is to come', async () => {
    const { drainer, ring, sets, rounds, alarmAt } = objectOf();
    const now = Date.now();
    for (const at of [now + 5_000, now + 1_000, now + 9_000]) expect(await drainer.wake(at)).toBe(true);
    expect(sets).toEqual([now + 5_000, now + 1_000]);
    const ringing = ring();
    rounds[0]?.resolve(NOTHING);
    await ringing;
    expect([sets.length, alarmAt()]).toEqual([2, null]);
  });

  test('after its drain has the next alarm at once where work is left, or for what is due', async () => {
    for (const againInMs of [0, 7_000]) {
      const { ring, rounds, alarmAt } = objectOf();
      const before = Date.now();
      const ringing = ring();
      rounds[0]?.resolve({ isFruitful: true, againInMs });
      await ringing;
      const begun = (alarmAt() ?? 0) - againInMs;
      expect([begun >= before, begun <= Date.now()]).toEqual([true, true]);
    }
  });

  test('that is woken while it drains looks again at once, and writes nothing; a second alarm is one more wake', async () => {
    const { drainer, ring, sets, rounds } = objectOf();
    const ringing = ring();
    expect(await drainer.wake()).toBe(true); // its first look is still to come
    const look = vi.fn(() => true);
    Object.assign(rounds[0]?.watch.attention ?? {}, { look });
    expect(await drainer.wake()).toBe(true);
    await ring();
    expect([rounds.length, look.mock.calls.length, sets]).toEqual([1, 2, []]);
    rounds[0]?.resolve(NOTHING);
    await ringing;
    expect(sets).toEqual([]);
  });

  test('that is too busy passes a wake on to the next; where that is too, it says so, and drains again at its end', async () => {
    const wake = vi.fn(async () => true);
    const { drainer, ring, sets, rounds } = objectOf({ wake, behind: () => undefined, placeOf: () => undefined });
    const ringing = ring();
    Object.assign(rounds[0]?.watch.attention ?? {}, { look: () => false });
    expect([await drainer.wake(42), wake.mock.calls]).toEqual([true, [[42]]]);
    rounds[0]?.watch.onBusy();
    expect(wake).toHaveBeenCalledTimes(2);
    wake.mockResolvedValue(false);
    const now = Date.now();
    expect([await drainer.wake(now), sets]).toEqual([false, []]);
    rounds[0]?.resolve(NOTHING);
    await ringing;
    expect(sets).toEqual([now]);
  });

  test.each<[string, () => Promise<never> | Promise<{ isFruitful: boolean; againInMs: number }>]>([
    ['storage does not answer', () => Promise.reject(new StorageError('unreachable', 'connection refused'))],
    ['nothing comes of it', async () => ({ isFruitful: false, againInMs: 0 })],
  ])('where %s waits twice as long each time, a minute at most, until a drain is fruitful', async (_, outcome) => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const { ring, rounds, alarmAt } = objectOf();
    const waitAfter = async (ended: ReturnType<typeof outcome>) => {
      const ringing = ring();
      rounds.at(-1)?.resolve(ended);
      await ringing;
      return Math.round(((alarmAt() ?? 0) - Date.now()) / 100) / 10;
    };
    const waits: number[] = [];
    for (let i = 0; i < 9; i += 1) waits.push(await waitAfter(outcome()));
    expect(waits).toEqual([0.5, 1, 2, 4, 8, 16, 32, 60, 60]);
    await waitAfter(Promise.resolve({ isFruitful: true, againInMs: 0 }));
    expect(await waitAfter(outcome())).toBe(0.5);
    vi.restoreAllMocks();
  });

  test('that another drain starts while it drains sets no alarm, and knows of it until its place is given back', async () => {
    const { drainer, ring, sets, rounds, alarmAt } = objectOf();
    const starts = () => rounds.at(-1)?.watch.starts();
    expect(await drainer.start()).toBe(true);
    expect(sets).toHaveLength(1);
    const first = ring();
    expect(starts()).toBe(1);
    expect(await drainer.start()).toBe(true);
    expect([starts(), sets.length, alarmAt()]).toEqual([2, 1, null]);
    rounds[0]?.resolve({ isFruitful: true, againInMs: 0 });
    await first;
    const second = ring(); // it goes on with what is left, at its place
    expect(starts()).toBe(2);
    rounds[1]?.resolve(NOTHING);
    await second;
    void ring();
    expect(starts()).toBe(0);
    rounds[2]?.resolve(NOTHING);
  });

  test('that another drain starts at the place that it has just given back begins anew', async () => {
    const { drainer, ring, rounds, alarmAt } = objectOf();
    await drainer.start();
    const first = ring();
    expect(rounds[0]?.watch.starts()).toBe(1); // the last that its drain asks
    await drainer.start();
    rounds[0]?.resolve(NOTHING);
    await first;
    expect(alarmAt()).toBeLessThanOrEqual(Date.now());
    void ring();
    expect(rounds[1]?.watch.starts()).toBe(1);
    rounds[1]?.resolve(NOTHING);
  });

  test('has the name of its lease again where storage did not answer: a look may have taken messages', async () => {
    const { ring, rounds } = objectOf();
    const ends = [
      () => rounds[0]?.reject(new StorageError('unreachable', 'away', 0)),
      () => rounds[1]?.resolve(NOTHING),
      () => rounds[2]?.resolve(NOTHING),
    ];
    for (const end of ends) {
      const ringing = ring();
      end();
      await ringing;
    }
    const [failed, next, after] = rounds.map(({ watch }) => watch.lease);
    expect(next).toBe(failed);
    expect(after).not.toBe(next);
  });

  test('throws what is no fault of storage, so that the platform repeats the alarm, and drains then', async () => {
    const { drainer, ring, sets, rounds } = objectOf();
    const ringing = ring();
    rounds[0]?.reject(new TypeError('a mistake'));
    await expect(ringing).rejects.toThrow('a mistake');
    expect(sets).toEqual([]);
    const again = ring();
    expect(rounds).toHaveLength(2);
    rounds[1]?.resolve(NOTHING);
    await again;
    const now = Date.now();
    await drainer.wake(now - 5_000); // as it stands while the platform waits before it repeats an alarm
    await drainer.wake(now + 60_000);
    expect(sets.map((at) => Math.max(at, now - 5_000) - now)).toEqual([-5_000, expect.closeTo(0, -2)]);
  });
});

onEachRedis(
  'a deployment with drainers',
  (bench) => {
    /** What was handled, and a deployment whose drainers run here. */
    function drained(b: Bench, options: QueueOptions = {}, settings: Record<string, unknown> = {}) {
      const seen: { id: string; body: unknown; attempt: number; at: number; steadyAt: number }[] = [];
      const { promise, resolve: release } = Promise.withResolvers<void>();
      const jobs = defineQueue('jobs', {
        subrequests: 0,
        ...options,
        handler: async ({ id, body, attempt }) => {
          seen.push({ id, body, attempt, at: Date.now(), steadyAt: steadyNow() });
          if (body === 'slow') await promise;
          if (body === 'again' && attempt === 1) throw new Error('no luck');
        },
      });
      const objects = openObjects();
      const deployed = deploymentOn(b, [jobs], { DRAINER: objects.namespace, ...settings });
      objects.serve(deployed.sluice, deployed.env);
      const ended = async () => {
        await eventually('all drainers are idle', () => objects.areIdle());
        acked(
          b,
          seen.map(({ id }) => id),
        );
        expect(objects.thrown).toEqual([]);
      };
      return { ...deployed, objects, seen, release, ended };
    }

    test('takes messages of queues with long timeouts, which no drain behind a request has time for', async () => {
      const { enqueue, seen, ended, objects } = drained(bench(), { timeout: '90s' });
      const ids = await enqueue('jobs', [{ body: 1 }]);
      await eventually('it is delivered', () => seen.length === 1);
      await ended();
      expect([seen.map(({ id }) => id), [...objects.known.keys()]]).toEqual([ids, ['drainer-0']]);
    });

    test('delivers a retry at its time: the alarm is for the next that is due', async () => {
      const { enqueue, seen, ended } = drained(bench(), { backoff: constant(1_200) });
      await enqueue('jobs', [{ body: 'again' }]);
      await eventually('it is tried again', () => seen.length === 2);
      const passed = (clock: 'at' | 'steadyAt') => (seen[1]?.[clock] ?? 0) - (seen[0]?.[clock] ?? 0);
      expect(passed('at')).toBeGreaterThanOrEqual(1_200);
      expect(passed('steadyAt')).toBeLessThan(1_200 + ON_TIME_MS);
      await ended();
    });

    test('work that came while a handler runs is looked at by the same drain, also what is due later', async () => {
      const { enqueue, seen, release, ended, objects } = drained(bench());
      await enqueue('jobs', [{ body: 'slow' }]);
      await eventually('it runs', () => seen.length === 1);
      await enqueue('jobs', [{ body: 'next' }, { body: 'later', delay: '300ms' }]);
      await eventually('both are delivered', () => seen.length === 3);
      expect([seen.map(({ body }) => body), objects.known.size]).toEqual([['slow', 'next', 'later'], 1]);
      release();
      await ended();
    });

    test('where all handlers of one are busy the next takes what is urgent, and where all are, a drain behind the request', async () => {
      const { enqueue, seen, release, ended, objects, settled } = drained(bench(), {}, { SLUICE_CONCURRENCY: 1 });
      await enqueue('jobs', [{ body: 'slow' }]);
      await eventually('the first is at work', () => seen.length === 1);
      await enqueue('jobs', [{ body: 'slow' }]);
      await eventually('the second is', () => seen.length === 2);
      await enqueue('jobs', [{ body: 'urgent' }]);
      await eventually('a third took that', () => seen.length === 3);
      expect([...objects.known.keys()]).toEqual(['drainer-0', 'drainer-1']);
      release();
      await settled();
      await ended();
    });

    test('one that cannot be reached is named in the log, and a drain behind the request delivers', async () => {
      const logged = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const away = { getByName: () => ({ wake: () => Promise.reject(new TypeError('no such object')) }) };
      const { enqueue, seen, ended, settled } = drained(bench(), {}, { DRAINER: away });
      await enqueue('jobs', [{ body: 'now' }, { body: 'soon', delay: '400ms' }]);
      await settled();
      expect(seen.map(({ body }) => body)).toEqual(['now', 'soon']);
      expect(logged.mock.calls.flat()).toContainEqual(expect.stringContaining('drainer not woken'));
      logged.mockRestore();
      await ended();
    });

    test('cron is the net below: it drains what is ready, and tells a drainer of what is due that has no alarm', async () => {
      const { enqueue, seen, ended, settled, objects, sluice, env } = drained(bench());
      objects.crash('lost');
      await enqueue('jobs', [{ body: 'ready' }]);
      await settled();
      await sluice.scheduled(undefined, env);
      expect(seen.length).toBe(1);
      await enqueue('jobs', [{ body: 'due', delay: '4s' }]);
      await settled();
      objects.crash('kept');
      await sluice.scheduled(undefined, env);
      expect([seen.length, objects.areIdle()]).toEqual([1, false]);
      await eventually('it is delivered', () => seen.length === 2);
      await ended();
    });
  },
  HERE,
);
