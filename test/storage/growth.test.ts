// What must not grow: the server's time for one call with a long backlog, and what is left when all is done.
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { emptyShard } from '../support/shard.ts';

const BACKLOG = 100_000;
const TRIES = 3;

async function fill(b: Bench, count: number, options: Parameters<Bench['message']>[2] = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1_000) {
    const messages = Array.from({ length: 1_000 }, (_, n) => b.message('mail', i + n, options));
    ids.push(...(await b.store.enqueue({ messages })).ids);
  }
  return ids;
}

/** The slowest script since the last call, ms of the server's time. */
async function slowest(raw: Redis): Promise<number> {
  const entries = (await raw.call('SLOWLOG', 'GET', '-1')) as [number, number, number, string[]][];
  await raw.call('SLOWLOG', 'RESET');
  return Math.max(0, ...entries.filter(([, , , words]) => /^eval/i.test(words[0] ?? '')).map(([, , us]) => us / 1_000));
}

onEachRedis(
  'with a hundred thousand messages',
  (bench) => {
    test('GR1 no call takes longer than with few: look, browse, count, cancel, redrive, sweep, take, purge', async () => {
      const b = bench();
      const raw = b.redises.raw as Redis;
      const adminStore = b.adminStore();
      const early = await fill(b, 1_000);
      await raw.config('SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '10000');
      // The least of a few: a busy machine has the server stand still in the middle of one, and not of each.
      const measure = async (work: (n: number) => Promise<unknown>) => {
        const tries: number[] = [];
        for (let n = 0; n < TRIES; n++) {
          await raw.call('SLOWLOG', 'RESET');
          await work(n);
          tries.push(await slowest(raw));
        }
        return Math.min(...tries);
      };
      const calls: Record<string, (id: string) => Promise<unknown>> = {
        enqueue: () => fill(b, 1_000),
        look: (id) => adminStore.look(id),
        count: () => adminStore.count('mail'),
        browse: () => adminStore.browse('mail', 'ready', 100, ''),
        cancel: (id) => adminStore.cancel(id),
        sweep: () => b.store.sweep('*', { cursor: '0' }),
        take: () =>
          b.store.sync({
            lease: `l${Math.random()}`,
            leaseMs: 9e6,
            held: 0,
            want: 100,
            pools: ['*'],
            settlements: [],
          }),
        purge: () => adminStore.purge('mail', ['ready'], '0'),
      };
      const few: Record<string, number> = {};
      for (const [name, call] of Object.entries(calls)) few[name] = await measure((n) => call(early[n] ?? ''));
      const ids = await fill(b, BACKLOG);
      const many: Record<string, number> = {};
      for (const [name, call] of Object.entries(calls))
        many[name] = await measure((n) => call(ids[BACKLOG / 2 + n] ?? ''));
      console.info('server time, ms, with 1,000 and with 100,000 messages:');
      for (const name of Object.keys(calls)) console.info(`  ${name}: ${few[name]} and ${many[name]}`);
      // Far above what is seen (below 5 ms), far below what a walk over the backlog takes on any machine.
      for (const name of Object.keys(calls)) expect(many[name], name).toBeLessThan(50);
      await raw.flushall();
    }, 60_000);

    test('GR2 what went through leaves no key behind but the markers of requests, which end by themselves', async () => {
      const b = bench();
      await fill(b, 10_000);
      for (let held: string[] = []; ; ) {
        const settlements = held.map((entry) => ({ entry, outcome: 'ack' as const }));
        held = await b.take(500, 'a', { settlements });
        if (held.length === 0) break;
      }
      const { rest, ...shard } = await b.shard();
      expect({ ...shard, rest: {} }).toEqual(emptyShard());
      for (const key of Object.keys(rest)) {
        expect(key).toMatch(/^(req:.+|awake)$/);
        expect(await b.redises.raw.pttl(b.root + key)).toBeGreaterThan(0);
      }
    });

    test('GR3 twenty thousand dead letters: none is dropped, each page is found, and all go back', async () => {
      const b = bench();
      const ids = await fill(b, 20_000, { maxAttempts: 1 });
      for (let held: string[] = []; ; ) {
        const failure = { kind: 'failed' as const, text: 'x' };
        held = await b.take(500, 'a', {
          settlements: held.map((entry) => ({ entry, outcome: 'dead' as const, failure })),
        });
        if (held.length === 0) break;
      }
      const adminStore = b.adminStore();
      expect((await adminStore.count('mail')).dead).toBe(20_000);
      const seen: string[] = [];
      let cursor = '';
      do {
        const page = await adminStore.browse('mail', 'dead', 1_000, cursor);
        seen.push(...page.messages.map(({ entry }) => entry.slice(2)));
        cursor = page.cursor;
      } while (cursor !== '');
      expect(seen.toSorted()).toEqual(ids.toSorted());
      for (let i = 0; i < ids.length; i += 200) {
        expect(new Set(await adminStore.redrive('mail', ids.slice(i, i + 200)))).toEqual(new Set(['redriven']));
      }
      expect(await adminStore.count('mail')).toMatchObject({ dead: 0, ready: { 5: 20_000 } });
      await (b.redises.raw as Redis).flushall();
    }, 60_000);
  },
  ['redis-server'],
);
