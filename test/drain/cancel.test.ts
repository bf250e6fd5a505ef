// A handler whose message is cancelled hears of it by its signal, at the next sync of its drain.
import { expect, test } from 'vitest';
import { openAdminOn } from '../../src/engine/admin.ts';
import { defineQueue } from '../../src/index.ts';
import { acked, drainFor, engineOn, enqueueNow } from '../regressions/engines.ts';
import { onEachRedis } from '../support/bench.ts';

onEachRedis(
  'a message that is cancelled while its handler runs',
  (bench) => {
    test('aborts that handler and no other, is not tried again, and what it enqueued is not stored', async () => {
      const b = bench();
      const reasons: unknown[] = [];
      const next = defineQueue('next', { handler: () => {} });
      const begun = Promise.withResolvers<void>();
      const cancelled = Promise.withResolvers<void>();
      const work = defineQueue('work', {
        handler: async ({ body }, { signal, enqueue }) => {
          if (body === 'other') return cancelled.promise.then(() => expect(signal.aborted).toBe(false));
          await enqueue(next, 'never');
          begun.resolve();
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          reasons.push(signal.reason.message);
          cancelled.resolve();
        },
      });
      const engine = engineOn(b, [work, next], { SLUICE_LEASE_MS: 6_000 }); // a heartbeat each two seconds
      const { ids } = await enqueueNow(b, b.message('work', 'one'), b.message('work', 'other'));
      const draining = drainFor(engine, 10_000);
      await begun.promise;
      expect(await openAdminOn(engine).cancel(ids[0] ?? '')).toBe('leased');
      expect(await draining).toMatchObject({ delivered: 2, retried: 0, dead: 0, leasesLost: 0 });
      expect(reasons).toEqual(['the message was cancelled']);
      acked(b, ids);
      const { envelopes, leases } = await b.shard();
      expect({ envelopes, leases }).toEqual({ envelopes: {}, leases: {} });
    });
  },
  ['redis-server'],
);
