// Limits under crashes, late acks and sweeps, and order under failures: thousands of messages, judged on what Redis holds.
import { expect, test } from 'vitest';
import { defineQueue } from '../../src/queue/queue.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { chanceFor } from '../chaos/random.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);
const LEASE_MS = 1_000;
const REAL = ['redis-server'];

interface Consumer {
  lease: string;
  held: string[];
  leasedUntil: number;
}

onEachRedis(
  'a limit of 5 under crashes, late acks and sweeps',
  (bench) => {
    test('SC3 LF5 is never passed, and ends at 0', async () => {
      const b = bench();
      const MESSAGES = Number(process.env.SLUICE_MESSAGES ?? 2_000); // 20,000 take a minute
      const seed = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000_000);
      const { next } = chanceFor(seed, 'limit');
      b.deploy(defineQueue('mail', { limits: { concurrency: 5 }, attempts: 1_000, handler: () => {} }));
      for (let i = 0; i < MESSAGES; i += 1_000) {
        const group = (n: number) => `g${(i + n) % 7}`;
        await b.enqueue(
          ...Array.from({ length: 1_000 }, (_, n) => b.message('mail', n, { maxAttempts: 1_000, group: group(n) })),
        );
      }
      const fate = { crashed: 0, late: 0, acked: 0, retried: 0, most: 0 };
      const consumers: Consumer[] = Array.from({ length: 8 }, (_, i) => ({ lease: `c${i}`, held: [], leasedUntil: 0 }));
      let leases = consumers.length;
      while (b.alive.size > 0) {
        const consumer = consumers[Math.floor(next() * consumers.length)] as Consumer;
        const roll = next();
        if (roll < 0.004 && consumer.held.length > 0) {
          fate.crashed += 1; // it is never heard of again
          Object.assign(consumer, { lease: `c${leases++}`, held: [] });
        } else if (roll < 0.01 && consumer.held.length > 0) {
          fate.late += 1;
          b.now = Math.max(b.now, consumer.leasedUntil);
          await b.store.sweep('*');
        }
        const settlements = consumer.held.map((entry): Settlement => {
          const retries = next() < 0.05;
          return retries
            ? { entry, outcome: 'retry', delayMs: 20, failure: { kind: 'failed', text: '' } }
            : { entry, outcome: 'ack' };
        });
        const answer = await b.sync({
          lease: consumer.lease,
          leaseMs: LEASE_MS,
          settlements,
          want: 1 + Math.floor(next() * 4),
        });
        fate.acked += answer.statuses.filter((status) => status === 'acked').length;
        fate.retried += answer.statuses.filter((status) => status === 'retried').length;
        consumer.held = answer.taken.map(({ entry }) => entry);
        consumer.leasedUntil = b.now + LEASE_MS;
        fate.most = Math.max(fate.most, await inLeases(b));
        b.now += Math.floor(next() * 10);
        if (next() < 0.02) await b.store.sweep('*');
      }
      console.log(`a limit of 5, ${MESSAGES} messages, seed ${seed}: ${JSON.stringify(fate)}`);
      expect(fate.most).toBe(5);
      expect(fate.acked).toBe(MESSAGES);
      expect((await b.shard()).inflight).toEqual({});
    }, 90_000);
  },
  REAL,
);

/** Entries in leases, as Redis holds them now: each is one at work. */
async function inLeases(b: Bench): Promise<number> {
  const sum = `local sum = 0
    for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
      local lease = string.match(member, '^l (%S+)$')
      if lease then sum = sum + redis.call('LLEN', ARGV[1] .. lease) end
    end
    return sum`;
  return Number(await b.redises.raw.eval(sum, 1, `${b.root}timers`, `${b.root}lease:`));
}

onEachRedis(
  'an ordered queue of 100 groups',
  (bench) => {
    test('LF4 keeps the order of each group while a fifth of the messages fails twice, and holds up no other group', async () => {
      const b = bench();
      const GROUPS = 100;
      const EACH = 40;
      const { happens } = chanceFor(7, 'ordered');
      const isCalm = (group: string) => group.endsWith('7');
      b.deploy(defineQueue('mail', { ordered: true, handler: () => {} }));
      const expected = new Map<string, string[]>();
      const groupOf = new Map<string, string>();
      for (let i = 0; i < EACH; i += 10) {
        const messages = Array.from({ length: 10 * GROUPS }, (_, n) =>
          b.message('mail', n, { group: `g${n % GROUPS}` }),
        );
        const ids = await b.enqueue(...messages);
        ids.forEach((id, n) => {
          const group = `g${n % GROUPS}`;
          groupOf.set(id, group);
          expected.set(group, [...(expected.get(group) ?? []), id]);
        });
      }
      const fails = (group: string) => !isCalm(group) && happens(0.2);
      const failsLeft = new Map([...groupOf].map(([id, group]) => [id, fails(group) ? 2 : 0]));
      const done = new Map<string, string[]>();
      const doneAt = new Map<string, number>();
      const held = Array.from({ length: 10 }, (): string[] => []);
      for (let turn = 0; b.alive.size > 0; turn++) {
        const consumer = turn % held.length;
        const settlements = (held[consumer] ?? []).map((entry): Settlement => {
          const id = idOf(entry);
          const left = failsLeft.get(id) ?? 0;
          if (left > 0) {
            failsLeft.set(id, left - 1);
            return { entry, outcome: 'retry', delayMs: 200, failure: { kind: 'failed', text: '' } };
          }
          const group = groupOf.get(id) ?? '';
          done.set(group, [...(done.get(group) ?? []), id]);
          doneAt.set(group, b.now);
          return { entry, outcome: 'ack' };
        });
        const answer = await b.sync({ lease: `c${consumer}`, settlements, want: 20 });
        held[consumer] = answer.taken.map(({ entry }) => entry);
        const groups = held.flat().map((entry) => groupOf.get(idOf(entry)));
        expect(new Set(groups).size).toBe(groups.length);
        b.now += 1;
      }
      expect(done).toEqual(expected);
      const start = 1_800_000_000_000;
      const ends = [...doneAt].map(([group, at]) => ({ calm: isCalm(group), ms: at - start }));
      const last = Math.max(...ends.filter(({ calm }) => calm).map(({ ms }) => ms));
      const first = Math.min(...ends.filter(({ calm }) => !calm).map(({ ms }) => ms));
      console.log(
        `ordered: groups without failures ended after ${last} ms at most, the others after ${first} ms at least`,
      );
      expect(last).toBeLessThan(first);
      expect(last).toBeLessThan(3 * EACH * held.length);
      expect((await b.shard()).inflight).toEqual({});
    }, 60_000);
  },
  REAL,
);
