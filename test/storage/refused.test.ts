// A Redis that refuses writes: whoever asks is told, nothing is half written, and work goes on by itself when it takes them again.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import { defineQueue } from '../../src/index.ts';
import { Bench, type Redises } from '../support/bench.ts';
import { type ControlledRedis, redisesOn, startControlledRedis } from '../support/redis-control.ts';
import { redisServerPresent, until } from '../support/redis-server.ts';
import { auditAll, deliverAll } from '../support/settling.ts';

const present = redisServerPresent();
if (!present) console.warn('skipped: writes refused: no redis-server on the PATH');

interface Refusal {
  why: string;
  says: RegExp;
  begin(redis: ControlledRedis): Promise<unknown>;
  end(redis: ControlledRedis): Promise<unknown>;
}

const refusals: Refusal[] = [
  {
    why: 'memory is used up',
    says: /storage refused: OOM/,
    begin: ({ raw }) => raw.config('SET', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction'),
    end: ({ raw }) => raw.config('SET', 'maxmemory', '0'),
  },
  {
    why: 'it has become a replica',
    says: /storage refused: READONLY/,
    begin: ({ raw }) => raw.replicaof('127.0.0.1', 1), // of nobody: nothing listens there
    end: ({ raw }) => raw.replicaof('NO', 'ONE'),
  },
  {
    why: 'it has too few replicas',
    says: /storage refused: NOREPLICAS/,
    begin: ({ raw }) => raw.config('SET', 'min-replicas-to-write', '1'),
    end: ({ raw }) => raw.config('SET', 'min-replicas-to-write', '0'),
  },
];

describe.skipIf(!present)('writes are refused', () => {
  let redis: ControlledRedis;
  let redises: Redises;
  let b: Bench;
  beforeAll(async () => {
    redis = await startControlledRedis(['--appendonly', 'no']);
    redises = await redisesOn(redis);
  });
  beforeEach(() => {
    b = new Bench(redises);
  });
  afterAll(async () => {
    await redises.stop();
    await redis.close();
  });

  test.each(refusals)(
    'ST1 Writes refused, because $why: each call says so or does without, and changes nothing by halves',
    async ({ says, begin, end }) => {
      const ids = await b.enqueue(
        ...[1, 2, 3, 4].map((n) => b.message('mail', n)),
        b.message('mail', 5, { delayMs: 1_000 }),
      );
      const [held = '', retried = '', given = ''] = await b.take(3);
      const [dead = ''] = await b.enqueue(b.message('old', 6));
      await b.take(5, 'x');
      await b.sync({ lease: 'x', held: 1, settlements: [{ entry: `1.${dead}`, outcome: 'dead' }] });
      b.unordered.add(dead);
      const before = await b.shard();
      await begin(redis);
      const fresh = { messages: [b.message('mail', 7), b.message('other', 8)], token: 'refused' };
      await expect(b.store.enqueue(fresh)).rejects.toThrow(says);
      expect(await b.shard()).toEqual(before);
      // What needs no memory may go through; what is refused is refused whole.
      const failure = { kind: 'failed', text: 'x' } as const;
      const calls = [
        () => b.sync({ held: 2, settlements: [{ entry: retried, outcome: 'retry', failure }] }),
        () => b.sync({ held: 2, settlements: [{ entry: given, outcome: 'release' }] }),
        () => b.sync({ lease: 'y', want: 1 }),
        () => b.adminStore().redrive('old', [dead]),
        () => b.adminStore().pause('mail', '*'),
        () => b.store.sweep('*'),
      ];
      b.now += 2_000; // the delayed one is due
      for (const call of calls) {
        await call().catch((error: Error) => expect(error.message).toMatch(says));
        expect(await b.violations()).toEqual([]);
      }
      await end(redis);
      await b.adminStore().resume('mail', '*');
      const again = await b.store.enqueue(fresh);
      expect(again.replayed).toBe(false);
      b.expectAlive(again.ids, fresh.messages);
      expect((await b.sync({ settlements: [{ entry: held, outcome: 'ack' }] })).statuses).toEqual(['acked']);
      expect(await auditAll(b.store)).toEqual([]);
      const { given: taken } = await deliverAll(b);
      expect([...taken.values()].every((times) => times === 1)).toBe(true);
      expect([...b.alive].filter((id) => id !== dead)).toEqual([]);
      expect(ids.length).toBe(5);
      expect(await b.violations()).toEqual([]);
    },
  );

  test.each(refusals)(
    'ST1 Writes refused in the middle of a drain, because $why: it settles what it holds when they are taken again',
    async ({ begin, end }) => {
      const store = b.openStore();
      const messages = Array.from({ length: 30 }, (_, n) => b.message('mail', n));
      const { ids } = await store.enqueue({ messages });
      const seen: string[] = [];
      const queue = defineQueue('mail', {
        handler: async ({ id }) => {
          seen.push(id);
          if (seen.length === 8) {
            await begin(redis);
            setTimeout(() => void end(redis), 300);
          }
        },
      });
      const budget = openBudget(
        { ...planLife(15_000, [15_000]), requests: 9_000, requestsPerDelivery: 1, messages: 1_000 },
        Date.now,
      );
      const options = {
        shards: [{ name: '', store }] as const,
        pool: '*',
        env: {},
        budget,
        concurrency: 2,
        connections: 2,
        batch: 5,
        leaseMs: 10_000,
      };
      const report = await drain({ ...options, queues: new Map([['mail', queue]]) });
      await until('writes are taken again', async () => (await redis.raw.set('aside', '1')) === 'OK');
      expect(report.acked).toBe(30);
      expect(seen.toSorted()).toEqual(ids.toSorted());
      expect(await b.violations()).toEqual([]);
    },
  );
});
