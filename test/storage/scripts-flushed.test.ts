// A script cache that is emptied at any moment: one effect, one more request.
import { expect, test } from 'vitest';
import { startEmulator } from '../../src/dev/emulator/server.ts';
import { openBudget } from '../../src/drain/budget.ts';
import { planLife } from '../../src/drain/life.ts';
import { drain } from '../../src/drain/loop.ts';
import { defineQueue } from '../../src/index.ts';
import { audit } from '../../src/store/audit.ts';
import { Bench, onEachRedis } from '../support/bench.ts';
import { deliverAll } from '../support/settling.ts';

onEachRedis(
  'a script cache that is emptied',
  (bench) => {
    const flush = (b: Bench) => b.redises.raw.script('FLUSH');
    /** The requests of `work` with the cache as it is, and with it emptied first. */
    const withAndWithout = async (b: Bench, work: () => Promise<unknown>) => {
      await work();
      const { requests: known } = await b.cost(work);
      await flush(b);
      const { requests: unknown } = await b.cost(work);
      return unknown - known;
    };

    test('ST2 SCRIPT FLUSH before each kind of call: one more request, and the effect once', async () => {
      const b = bench();
      const enqueueOne = () => b.enqueue(b.message('mail', 1));
      expect(await withAndWithout(b, enqueueOne)).toBe(1);
      expect(b.alive.size).toBe(3);
      expect(await withAndWithout(b, () => b.sync({ lease: 'idle' }))).toBe(1);
      expect(await withAndWithout(b, () => b.store.sweep('*'))).toBe(1);
      expect(await withAndWithout(b, () => audit(b.store, '0', true))).toBe(1);
      expect(await withAndWithout(b, () => b.adminStore().cancel('nobody'))).toBe(1);
      expect(await withAndWithout(b, () => b.adminStore().redrive('mail', ['nobody']))).toBe(1);
      expect(await withAndWithout(b, () => b.adminStore().resume('mail', '*'))).toBe(1);
      const { given } = await deliverAll(b);
      expect([...given.values()]).toEqual([1, 1, 1]);
    });

    test('ST2 SCRIPT FLUSH before every call of a drain: each message once', async () => {
      const b = bench();
      const { ids } = await b
        .openStore()
        .enqueue({ messages: Array.from({ length: 40 }, (_, n) => b.message('mail', n)) });
      const seen: string[] = [];
      const queue = defineQueue('mail', { handler: ({ id }) => void seen.push(id) });
      const budget = openBudget(
        { ...planLife(15_000, [15_000]), requests: 9_000, requestsPerDelivery: 1, messages: 1_000 },
        Date.now,
      );
      const store = b.openStore();
      const flushing = {
        ...store,
        sync: async (request: Parameters<typeof store.sync>[0]) => {
          await flush(b);
          return store.sync(request);
        },
      };
      const options = {
        shards: [{ name: '', store: flushing }] as const,
        pool: '*',
        env: {},
        budget,
        concurrency: 2,
        connections: 2,
        batch: 5,
        leaseMs: 10_000,
      };
      const report = await drain({ ...options, queues: new Map([['mail', queue]]) });
      expect(seen).toEqual(ids);
      expect(report).toMatchObject({ acked: 40, stale: 0, gone: 0 });
    });

    test('ST2 SCRIPT FLUSH between digest and text of one call, by the service: the text is sent and runs once', async () => {
      const b = bench();
      let flushes = 0;
      const redis = b.redises.raw;
      const url = 'nodes' in redis ? '' : `redis://127.0.0.1:${redis.options.port}`;
      const emulator = await startEmulator({
        url,
        token: 'local',
        faults: () => {
          flushes += 1;
          return { kind: 'flush-scripts' };
        },
      });
      const other = new Bench({ ...b.redises, emulator });
      try {
        await other.enqueue(other.message('mail', 1), other.message('mail', 2));
        expect(flushes).toBe(2);
        const { given } = await deliverAll(other);
        expect([...given.values()]).toEqual([1, 1]);
        expect(await other.violations()).toEqual([]);
      } finally {
        await emulator.close();
      }
    });
  },
  ['redis-server'],
);
