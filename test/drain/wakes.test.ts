// Nothing waits for cron where somebody could work: whole deployments, of which no tick is ever called.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { constant, defineQueue, type QueueOptions } from '../../src/index.ts';
import { newToken } from '../../src/message/ids.ts';
import { openScheduleStore } from '../../src/schedules/store.ts';
import { acked, drainFor, engineOn, enqueueNow, pause } from '../regressions/engines.ts';
import { Bench, onEachRedis, type Redises, startServer } from '../support/bench.ts';
import { deploymentOn } from '../support/deployment.ts';
import { redisServerPresent } from '../support/redis-server.ts';
import { eventually } from '../support/worker.ts';

const HERE = ['the embedded Redis', 'redis-server'];
const SOON_MS = 4_000; // less than a wake lives that nobody answers

/** A queue that notes what it gets; what is `slow` waits until it is released. */
function noting(name = 'jobs', options: QueueOptions = {}) {
  const seen: string[] = [];
  const bodies: unknown[] = [];
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const queue = defineQueue(name, {
    subrequests: 0,
    ...options,
    handler: async ({ id, body }) => {
      seen.push(id);
      bodies.push(body);
      if (body === 'slow') await promise;
    },
  });
  return { queue, seen, bodies, release };
}

const exists = async (b: Bench, key: string) => (await b.redises.raw.exists(`${b.root}${key}`)) === 1;

onEachRedis(
  'work that a drain leaves',
  (bench) => {
    test('because its requests are over is taken by those that the next requests wake, one each', async () => {
      const b = bench();
      const { queue, seen } = noting('jobs', { subrequests: 1 });
      const deployed = deploymentOn(b, [queue]);
      const ids = await deployed.enqueue(
        'jobs',
        Array.from({ length: 90 }, (_, body) => ({ body })),
      );
      await deployed.settled();
      expect(seen.length).toBeLessThan(45);
      for (let requests = 0; requests < 3; requests += 1) {
        const [before, wakes] = [seen.length, deployed.kept()];
        await deployed.call('GET', '/v1/queues/jobs');
        await deployed.settled();
        expect(deployed.kept()).toBe(before < 90 ? wakes + 1 : wakes);
      }
      expect(seen.toSorted()).toEqual(ids.toSorted());
      acked(b, seen);
      const wakes = deployed.kept();
      await deployed.call('GET', '/v1/queues/jobs');
      expect(deployed.kept()).toBe(wakes); // nothing is left
    });

    test('because it comes again after its drain has to end: one that the next request wakes sleeps for it', async () => {
      const b = bench();
      const attempts: number[] = [];
      const queue = defineQueue('jobs', {
        backoff: constant(2_000),
        handler: ({ attempt }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error('no luck');
        },
      });
      const engine = engineOn(b, [queue]);
      const { ids } = await enqueueNow(b, b.message('jobs', 1));
      expect(await drainFor(engine, 20_000, { sleepsMs: 0 })).toMatchObject({ retried: 1, ended: 'idle' });
      expect(engine.parts.claims.takeWork()).toBe(true);
      expect(await engine.drainWoken()).toMatchObject({ acked: 1 });
      expect(engine.parts.claims.takeWork()).toBe(false);
      expect(attempts).toEqual([1, 2]);
      acked(b, ids);
    });

    test('because all its handlers are busy: what is urgent wakes another', async () => {
      const b = bench();
      const { queue, seen, bodies, release } = noting();
      const deployed = deploymentOn(b, [queue], { SLUICE_CONCURRENCY: 2 });
      await deployed.enqueue('jobs', Array(6).fill({ body: 'slow' }));
      await eventually('it is busy', () => seen.length === 2);
      await eventually('it says so', async () => !(await exists(b, 'awake')), SOON_MS);
      await deployed.enqueue('jobs', [{ body: 'urgent', priority: 0 }]);
      await eventually('another takes what is urgent', () => bodies.includes('urgent'), SOON_MS);
      release();
      await deployed.settled();
      expect(seen).toHaveLength(7);
      acked(b, seen);
    });

    test('because all its handlers are busy, and that came before it said so, is taken by one that the next request wakes', async () => {
      const b = bench();
      const { queue, seen, bodies, release } = noting();
      const deployed = deploymentOn(b, [queue], { SLUICE_CONCURRENCY: 2 });
      await deployed.enqueue('jobs', Array(6).fill({ body: 'slow' }));
      await deployed.enqueue('jobs', [{ body: 'urgent', priority: 0 }]);
      await eventually('it says so', () => exists(b, 'busy'), SOON_MS);
      await eventually(
        'another takes what is urgent',
        async () => {
          await deployed.call('GET', '/v1/queues/jobs');
          return bodies.includes('urgent');
        },
        SOON_MS,
      );
      release();
      await deployed.settled();
      acked(b, seen);
    });
  },
  HERE,
);

onEachRedis(
  'a drain is woken by',
  (bench) => {
    type Deployed = ReturnType<typeof deploymentOn>;
    /** A group that a dead letter, or a message between its attempts, holds back. @returns the id of that one */
    async function blocked(b: Bench, options: QueueOptions, how: 'dead' | 'retry') {
      const { queue, seen } = noting('jobs', options);
      b.deploy(queue);
      const [first = ''] = await enqueueNow(
        b,
        b.message('jobs', 'first', { group: 'a' }),
        b.message('jobs', 'second', { group: 'a' }),
      ).then(({ ids }) => ids);
      const store = b.openStore(undefined, b.prefix, [], `\njobs * ${queue.policy}`);
      const lease = newToken();
      const [taken] = (await store.sync({ lease, leaseMs: 9_000, held: 0, want: 1, pools: ['*'], settlements: [] }))
        .taken;
      const failure = { kind: 'failed' as const, text: '' };
      const settlements = [{ entry: taken?.entry ?? '', outcome: how, delayMs: 3_600_000, failure }];
      await store.sync({ lease, leaseMs: 0, held: -1, want: 0, pools: [], settlements });
      await b.redises.raw.del(`${b.root}awake`);
      return { queue, seen, first };
    }
    const rows: [
      string,
      QueueOptions,
      'dead' | 'retry',
      (deployed: Deployed, id: string) => Promise<unknown>,
      boolean,
    ][] = [
      [
        'a cancel of what blocks a group',
        { ordered: { afterDeath: 'block' } },
        'dead',
        (d, id) => d.call('DELETE', `/v1/messages/${id}`),
        true,
      ],
      [
        'a cancel of what waits to be tried again',
        { ordered: true },
        'retry',
        (d, id) => d.call('DELETE', `/v1/messages/${id}`),
        true,
      ],
      [
        'a purge of dead letters',
        { ordered: { afterDeath: 'block' } },
        'dead',
        (d) => d.call('DELETE', '/v1/queues/jobs/dead'),
        true,
      ],
      [
        'a purge of delayed messages',
        { ordered: true },
        'retry',
        (d) => d.call('POST', '/v1/queues/jobs/purge', { states: ['delayed'] }),
        true,
      ],
      [
        'a redrive',
        { ordered: { afterDeath: 'block' } },
        'dead',
        (d, id) => d.call('POST', '/v1/queues/jobs/dead/redrive', { ids: [id] }),
        false,
      ],
    ];
    test.each(rows)('%s', async (_, options, how, act, goes) => {
      const b = bench();
      const { queue, seen, first } = await blocked(b, options, how);
      const deployed = deploymentOn(b, [queue]);
      await act(deployed, first);
      await deployed.settled();
      if (goes) b.alive.delete(first);
      expect(seen.length).toBe(goes ? 1 : 2);
      acked(b, seen);
    });

    test('resuming a queue, raising its limit, and no such call that makes nothing ready', async () => {
      const b = bench();
      const { queue, seen } = noting('jobs', { limits: { concurrency: 1 } });
      const deployed = deploymentOn(b, [queue]);
      await deployed.call('POST', '/v1/queues/jobs/pause');
      await deployed.enqueue('jobs', [{ body: 1 }]);
      await deployed.settled();
      expect(seen).toEqual([]);
      await deployed.call('POST', '/v1/queues/jobs/resume');
      await deployed.settled();
      expect(seen).toHaveLength(1);
      const store = b.openStore(undefined, b.prefix, [], '\njobs * c=1');
      const {
        ids: [held = ''],
      } = await enqueueNow(b, b.message('jobs', 'held'));
      await store.sync({ lease: 'other', leaseMs: 60_000, held: 0, want: 1, pools: ['*'], settlements: [] });
      await deployed.enqueue('jobs', [{ body: 2 }]);
      await deployed.settled();
      expect(seen).toHaveLength(1);
      await deployed.call('PATCH', '/v1/queues/jobs', { concurrency: 2 });
      await deployed.settled();
      expect(seen).toHaveLength(2);
      await store.sync({
        lease: 'other',
        leaseMs: 0,
        held: -1,
        want: 0,
        pools: [],
        settlements: [{ entry: `1.${held}`, outcome: 'ack' }],
      });
      acked(b, [...seen, held]);
      const [late = ''] = await deployed.enqueue('jobs', [{ body: 3, delay: '1h' }]);
      const wakes = deployed.kept();
      await deployed.call('DELETE', `/v1/messages/${late}`);
      await deployed.call('POST', '/v1/queues/jobs/dead/redrive', { limit: 5 });
      expect(deployed.kept()).toBe(wakes + 1); // the redrive itself, and no drain
      b.alive.delete(late);
    });

    test('a sweep, or an audit, that puts something back', async () => {
      const b = bench();
      const { queue, seen } = noting();
      const deployed = deploymentOn(b, [queue]);
      const { ids } = await enqueueNow(b, b.message('jobs', 1, { delayMs: 1 }));
      await b.redises.raw.del(`${b.root}awake`);
      await eventually('it is due', async () => {
        await deployed.call('POST', '/v1/sweep');
        await deployed.settled();
        return seen.length === 1;
      });
      const more = await enqueueNow(b, b.message('jobs', 2));
      await b.redises.raw.del(`${b.root}awake`, `${b.root}ready:*`);
      await deployed.call('GET', '/v1/audit?repair=true');
      await deployed.settled();
      expect(seen).toEqual([...ids, ...more.ids]);
      acked(b, seen);
    });

    test('the next request, where code without a context enqueued; it takes the wake from nobody', async () => {
      const b = bench();
      const { queue, seen } = noting();
      const deployed = deploymentOn(b, [queue]);
      const producer = deployed.sluice.producer(deployed.env);
      b.alive.add((await producer.enqueue(queue, 1)).id);
      expect(await exists(b, 'awake')).toBe(false);
      await deployed.call('GET', '/v1/queues/jobs');
      await deployed.settled();
      expect(seen).toHaveLength(1);
      b.alive.add((await producer.enqueue(queue, 2)).id);
      const wakes = deployed.kept();
      b.alive.add((await deployed.sluice.producer(deployed.env, deployed.context).enqueue(queue, 3)).id);
      expect(deployed.kept()).toBeGreaterThan(wakes);
      await deployed.settled();
      expect(seen).toHaveLength(3);
      acked(b, seen);
    });

    test('a message of a queue whose deliveries are longer than such a drain lives: no, that is for cron', async () => {
      const b = bench();
      const { queue, seen } = noting('jobs', { timeout: '90s' });
      const engine = engineOn(b, [queue, noting('other').queue]);
      const { receipts, wake } = await engine.enqueue([{ queue, body: 1, options: {}, path: '' }]);
      expect(wake).toBe(false);
      expect(await exists(b, 'awake')).toBe(false);
      const report = await engine.drainWoken();
      expect(report).toMatchObject({ delivered: 0, ended: 'budget' });
      expect(report?.requests).toBeLessThanOrEqual(2); // it is left, not asked for again and again
      expect(engine.parts.claims.takeWork()).toBe(false); // another such drain could not take it either
      expect((await engine.tick()).drain).toMatchObject({ acked: 1, ended: 'idle' });
      expect(seen).toEqual(receipts.map(({ id }) => id));
    });
  },
  HERE,
);

describe.skipIf(!redisServerPresent())('an answer that is lost', () => {
  let redises: Redises;
  let b: Bench;
  let fault: ((commands: string[][]) => Fault | undefined) | undefined;
  beforeAll(async () => {
    redises = await startServer({ faults: ({ commands }) => fault?.(commands) });
  }, 60_000);
  beforeEach(() => {
    b = new Bench(redises);
  });
  afterEach(async () => {
    fault = undefined;
    expect(await b.violations()).toEqual([]);
  });
  afterAll(() => redises.stop());

  /** The next requests meet it, so many. */
  const next = (kind: 'drop-reply' | 'reset', count: number) => {
    let left = count;
    fault = () => (left-- > 0 ? { kind } : undefined);
  };

  test('takes no wake with it: of an enqueue, of a settlement with a callback, of a receive that fires what is due, of a schedule', async () => {
    const wakes: boolean[] = [];
    /** The answer to this is lost, not that a script is not known. */
    const lose = async (work: (on: Bench) => Promise<{ wake: boolean }>) => {
      await work(new Bench(redises));
      await b.redises.raw.del(`${b.root}awake`);
      next('drop-reply', 1);
      wakes.push((await work(b)).wake);
    };
    await lose((on) => enqueueNow(on, on.message('mail', 1)));
    const ask = { lease: 'c', leaseMs: 9_000, held: 0, want: 1, pools: ['pulled'], settlements: [] };
    const callbacks = [{ on: 'done' as const, message: b.message('mail', 'follows') }];
    await enqueueNow(b, b.message('pulled', 2, { pool: 'pulled', callbacks }));
    const [taken] = (await b.openStore().sync(ask)).taken;
    const settlements = [{ entry: taken?.entry ?? '', outcome: 'ack' as const, result: 'null' }];
    await lose((on) => on.openStore().sync({ ...ask, want: 0, settlements }));
    await enqueueNow(b, b.message('mail', 3, { delayMs: 1 }));
    await pause(5); // it is due by the same clock, or a later one
    await lose((on) => on.openStore().sync({ ...ask, lease: 'd' }));
    const due = Date.now() + 3_600_000;
    const occurrence = { id: 's', expected: '', header: `${due} active code r 0`, error: '', lines: 'a\nb\nc', due };
    await lose(({ prefix }) => {
      const message = b.message('mail', 4);
      return openScheduleStore(b.opened(b.runner(), undefined, prefix)).change(
        [{ ...occurrence, messages: [message] }],
        true,
      );
    });
    expect(wakes).toEqual([true, true, true, true]);
    for (const id of Object.keys((await b.shard()).envelopes)) b.alive.add(id);
    b.alive.delete(taken?.entry.slice(2) ?? '');
  });

  test('or storage that is away when a woken drain begins costs a second or two: it tries again', async () => {
    const { queue, seen } = noting();
    const deployed = deploymentOn(b, [queue]);
    const engine = engineOn(b, [queue]);
    await engine.tick(); // the scripts are known
    await enqueueNow(b, b.message('jobs', 1));
    next('reset', 4); // a request and all its repetitions
    await engine.drainWoken();
    expect(seen).toHaveLength(1);
    acked(b, seen);
    expect(deployed.kept()).toBe(0);
  });
});
