// Delayed messages beyond what one record may have: they stand in records of overflow, and nobody notices.
import { describe, expect, test } from 'vitest';
import type { AdminStore } from '../../src/store/admin.ts';
import type { Finding } from '../../src/store/audit.ts';
import { auditWhole, type Bench, onEachRedis } from '../support/bench.ts';
import { sweepAll } from '../support/settling.ts';
import { shrinkRecords } from '../support/small-store.ts';

/** Of one timer with these ids a record of small scripts has so many. */
const MOST = 5;

const suite = (bench: () => Bench) => {
  let ids: Map<string, number>;
  let admin: AdminStore;

  /** Delayed ones, each by so many ms, in this order, one call each. */
  async function delay(b: Bench, delays: number[]): Promise<void> {
    for (const delayMs of delays) {
      const [id = ''] = await b.enqueue(b.message('mail', delayMs, { delayMs }));
      ids.set(id, delayMs);
    }
  }

  /** More than three records of them. */
  async function fill(b: Bench): Promise<void> {
    ids = new Map();
    admin = shrinkRecords(b);
    await delay(
      b,
      [9, 3, 14, 1, 12, 6, 11, 4, 15, 2, 8, 13, 5, 10, 7].map((i) => i * 10_000),
    );
    expect(Object.keys((await b.shard()).overflow).length).toBeGreaterThan(1);
  }

  const inOverflow = async (b: Bench) => {
    const members = Object.values((await b.shard()).overflow).flatMap(Object.keys);
    return members.map((member) => member.slice(member.indexOf(' 1.') + 3));
  };

  /** Takes all that is ready, and acks it. @returns their bodies */
  async function takeAll(b: Bench): Promise<number[]> {
    const lease = `t${b.now}`;
    const { taken } = await b.sync({ lease, want: 100 });
    const entries = taken.map(({ entry }) => entry);
    await b.sync({ lease, settlements: entries.map((entry) => ({ entry, outcome: 'ack' as const })) });
    return entries.map((entry) => ids.get(entry.slice(2)) ?? -1);
  }

  /** All pages: others have left keys in the same Redis. */
  async function sweepWhole(b: Bench): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (let cursor = '0'; ; ) {
      const swept = await b.store.sweep('*', { cursor });
      findings.push(...swept.findings);
      ({ cursor } = swept);
      if (cursor === '0') return findings;
    }
  }

  test('no record of it has more than its share, and each has its marker', async () => {
    const b = bench();
    await fill(b);
    const { timers, overflow } = await b.shard();
    const sizes = Object.values(overflow).map((members) => Object.keys(members).length);
    const left = Object.keys(timers).filter((member) => member.startsWith('m ')).length - sizes.reduce((a, n) => a + n);
    expect(Math.max(...sizes, left)).toBeLessThanOrEqual(MOST + 1);
  });

  test('they become ready in the order in which they are due, some at a time', async () => {
    const b = bench();
    await fill(b);
    const given: number[] = [];
    for (let i = 0; i < 8; i++) {
      b.now += 20_000;
      await sweepAll(b.store);
      given.push(...(await takeAll(b)));
    }
    expect(given).toEqual([...ids.values()].toSorted((a, c) => a - c));
    expect((await b.shard()).timers).toEqual({});
  });

  test('they become ready in that order all at once, also in syncs', async () => {
    const b = bench();
    await fill(b);
    b.now += 200_000;
    const given: number[] = [];
    for (let i = 0; i < 30 && given.length < ids.size; i++) {
      b.now += 1;
      given.push(...(await takeAll(b)));
    }
    expect(given).toEqual([...ids.values()].toSorted((a, c) => a - c));
  });

  test('a caller is told when the first in overflow is due', async () => {
    const b = bench();
    await fill(b);
    for (const [id, delayMs] of ids) if (delayMs < 90_000) await admin.cancel(id);
    for (const id of ids.keys()) if ((ids.get(id) ?? 0) < 90_000) b.alive.delete(id);
    const { nextDue = 0 } = await b.sync({});
    expect(nextDue - b.now).toBeLessThanOrEqual(90_000);
  });

  test('each is found, and cancelled', async () => {
    const b = bench();
    await fill(b);
    const beyond = await inOverflow(b);
    expect(beyond.length).toBeGreaterThan(MOST);
    for (const [id, delayMs] of ids) {
      expect(await admin.look(id)).toMatchObject({ state: 'delayed', entry: `1.${id}`, at: b.now + delayMs });
      expect(await admin.cancel(id)).toBe('delayed');
      expect(await admin.look(id)).toMatchObject({ state: 'gone' });
      b.alive.delete(id);
    }
    b.now += 200_000;
    await sweepAll(b.store);
    expect((await b.shard()).timers).toEqual({});
  });

  test('a page after the other has all of them, in order', async () => {
    const b = bench();
    await fill(b);
    const seen: number[] = [];
    let cursor = '';
    do {
      const page = await admin.browse('mail', 'delayed', 4, cursor);
      seen.push(...page.messages.map(({ entry }) => ids.get(entry.slice(2)) ?? -1));
      ({ cursor } = page);
    } while (cursor !== '');
    expect(seen).toEqual([...ids.values()].toSorted((a, c) => a - c));
  });

  test('a purge takes all of them out', async () => {
    const b = bench();
    await fill(b);
    const other = await b.enqueue(b.message('news', 'stays', { delayMs: 120_000 }));
    let purged = 0;
    let cursor = '0';
    for (let more = true; more; ) {
      const step = await admin.purge('mail', ['ready', 'delayed'], cursor);
      purged += step.purged;
      ({ cursor, more } = step);
    }
    for (const id of ids.keys()) b.alive.delete(id);
    expect(purged).toBe(ids.size);
    expect(Object.keys((await b.shard()).envelopes)).toEqual(other);
  });

  test('a count says that it has not seen all', async () => {
    const b = bench();
    await fill(b);
    expect(await admin.count('mail')).toMatchObject({ complete: false });
  });

  describe('one whose body comes anew', () => {
    const digest = 'd'.repeat(22);
    const quiet = { digest, windowMs: 600_000, release: false };

    test.each(['debounce', 'replace'] as const)('stands there, by %s', async (mode) => {
      const b = bench();
      await fill(b);
      const message = (body: string, delayMs: number) =>
        b.message('mail', body, { delayMs, dedup: { ...quiet, mode } });
      const [first = ''] = await b.enqueue(message('old', 300_000));
      expect(await inOverflow(b)).toContain(first);
      for (const delayMs of [20_000, 400_000, 300_000]) {
        const { duplicates } = await b.store.enqueue({ messages: [message(`new ${delayMs}`, delayMs)] });
        expect(duplicates.get(0)).toEqual({ id: first, what: 'replaced' });
        const at = b.now + (mode === 'debounce' ? delayMs : 300_000);
        expect(await admin.look(first)).toMatchObject({ state: 'delayed', at });
        expect(await b.violations()).toEqual([]);
      }
    });
  });

  test('of those that name one instant the one that came first is first', async () => {
    const b = bench();
    await fill(b);
    const notBefore = b.now + 500_000;
    const named: string[] = [];
    for (let i = 0; i < 12; i++) named.push(...(await b.enqueue(b.message('mail', `n${i}`, { notBefore }))));
    const beyond = await inOverflow(b);
    expect(named.filter((id) => beyond.includes(id)).length).toBeGreaterThan(1);
    b.now += 600_000;
    await sweepAll(b.store);
    const entries = await b.take(100);
    expect(entries.slice(-12)).toEqual(named.map((id) => `1.${id}`));
  });

  test('retries beyond it are in overflow too', async () => {
    const b = bench();
    shrinkRecords(b);
    await b.enqueue(...Array.from({ length: 12 }, (_, i) => b.message('mail', i)));
    const entries = await b.take(12);
    const failure = { kind: 'failed', text: 'x' } as const;
    for (const [i, entry] of entries.entries()) {
      const settlements = [{ entry, outcome: 'retry' as const, delayMs: 10_000 + i, failure }];
      await b.sync({ held: 11 - i, settlements });
    }
    expect((await inOverflow(b)).length + Object.keys((await b.shard()).overflow).length).toBeGreaterThan(1);
    b.now += 20_000;
    await sweepAll(b.store);
    expect(await b.take(20)).toHaveLength(12);
  });

  test('a marker that is lost is put back by an audit, and by a sweep', async () => {
    const b = bench();
    await fill(b);
    const { raw } = b.redises;
    const mends = [() => auditWhole(b.store), () => sweepWhole(b)];
    for (const mend of mends) {
      for (const record of Object.keys((await b.shard()).overflow)) await raw.zrem(`${b.root}timers`, `+ ${record}`);
      const found = (await mend()).filter(({ finding }) => finding === 'overflow-without-marker');
      expect(found.length).toBe(Object.keys((await b.shard()).overflow).length);
      expect(await b.violations()).toEqual([]);
    }
  });

  test('a record of a wrong type stops no other', async () => {
    const b = bench();
    await fill(b);
    const { raw } = b.redises;
    const [record = ''] = Object.keys((await b.shard()).overflow);
    const members = Object.keys((await b.shard()).overflow[record] ?? {});
    const lost = members.map((member) => member.slice(member.indexOf(' 1.') + 3));
    await raw.set(`${b.root}timers:${record}`, 'of somebody else');
    for (const id of lost) b.alive.delete(id);
    b.now += 200_000;
    await sweepAll(b.store);
    const given = await takeAll(b);
    expect(given).toEqual(
      [...ids]
        .filter(([id]) => !lost.includes(id))
        .map(([, at]) => at)
        .toSorted((a, c) => a - c),
    );
    await raw.del(`${b.root}timers:${record}`);
    for (const id of lost) await raw.del(`${b.root}m:${id}`);
  });
};

onEachRedis('overflow of timers', suite, ['the embedded Redis', 'redis-server']);
