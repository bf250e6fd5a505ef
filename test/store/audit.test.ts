// What the audit promises: each broken invariant is found, named, mended, and then found no more.
import { expect, test } from 'vitest';
import { audit } from '../../src/store/audit.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

async function auditAll(b: Bench, repair: boolean, drained: string[] = [], deep = false): Promise<string[]> {
  const store = b.openStore(() => b.now, b.prefix, drained);
  const findings: string[] = [];
  let cursor = '0';
  do {
    const step = await audit(store, cursor, repair, deep);
    findings.push(...step.findings.map(({ finding, name }) => `${finding} ${name}`));
    cursor = step.cursor;
  } while (cursor !== '0');
  return findings.toSorted();
}

interface Planted {
  name: string;
  /** Breaks a shard with work in it. @returns what the audit must say */
  plant(b: Bench): Promise<string[]>;
  drained?: string[];
  /** Found only where envelopes are looked at too. */
  deep?: boolean;
  /** After the repair. */
  after?(b: Bench): Promise<void>;
}

const planted: Planted[] = [
  {
    name: 'lanes that no index has, of a push and of a pull queue',
    async plant(b) {
      await b.enqueue(b.message('mail', 1), b.message('pulled', 2, { pool: 'pulled' }));
      await b.redises.raw.del(`${b.root}ready:*`, `${b.root}ready:pulled`);
      return ['unindexed-lane 5:mail', 'unindexed-lane 5:pulled'];
    },
    async after(b) {
      expect(await b.take(5, 'a')).toHaveLength(1);
      expect(await b.take(5, 'b', { pools: ['pulled'] })).toHaveLength(1);
    },
  },
  {
    name: 'a lane in the index that has no entries',
    async plant(b) {
      await b.redises.raw.zadd(`${b.root}ready:*`, 1, '9:nothing');
      return ['empty-lane 9:nothing'];
    },
  },
  {
    name: 'a lease that would never expire',
    async plant(b) {
      await b.enqueue(b.message('mail', 1));
      await b.take(1, 'crashed');
      await b.redises.raw.del(`${b.root}timers`);
      return ['lease-without-timer crashed'];
    },
    async after(b) {
      expect(await b.store.sweep('*')).toMatchObject({ requeued: 1 });
    },
  },
  {
    name: 'an expiry with no lease behind it',
    async plant(b) {
      await b.redises.raw.zadd(`${b.root}timers`, b.now + 1_000, 'l nobody');
      return ['timer-without-lease nobody'];
    },
  },
  {
    name: 'an entry in a lane whose envelope is gone',
    async plant(b) {
      const [, gone] = await b.enqueue(b.message('mail', 1), b.message('mail', 2), b.message('mail', 3));
      await b.redises.raw.del(`${b.root}m:${gone}`);
      return [`entry-without-envelope 1.${gone}`];
    },
    async after(b) {
      expect(Object.keys((await b.shard()).dead.mail ?? {})).toHaveLength(1);
      expect(await b.take(5)).toHaveLength(2);
    },
  },
  {
    name: 'a dead letter whose envelope is gone',
    async plant(b) {
      const [id] = await b.enqueue(b.message('mail', 1));
      const [entry = ''] = await b.take(1);
      await b.sync({ settlements: [{ entry, outcome: 'dead', failure: { kind: 'failed', text: 'x' } }] });
      await b.redises.raw.del(`${b.root}m:${id}`);
      return [`dead-without-envelope 1.${id}`];
    },
  },
  {
    name: 'messages whose lists vanished: a lane, leases and timers',
    deep: true,
    async plant(b) {
      const [ready] = await b.enqueue(b.message('mail', 1));
      await b.take(1, 'a');
      const [leased] = await b.enqueue(b.message('mail', 2));
      const [last] = await b.enqueue(b.message('mail', 3, { maxAttempts: 1 }));
      await b.take(2, 'b');
      const [, lane] = await b.enqueue(b.message('news', 4), b.message('news', 5));
      const [delayed] = await b.enqueue(b.message('mail', 6, { delayMs: 1_000 }));
      await b.take(1, 'c');
      await b.redises.raw.del(`${b.root}lease:a`, `${b.root}lease:b`, `${b.root}lane:5:news`, `${b.root}timers`);
      await b.redises.raw.zadd(`${b.root}timers`, b.now + 9_000, 'l c');
      await b.redises.raw.del(`${b.root}ready:*`);
      return [ready, leased, last, lane, delayed].map((id) => `envelope-without-entry ${id}`).toSorted();
    },
    async after(b) {
      const taken = await b.take(9, 'd');
      expect(taken).toHaveLength(4);
      expect(taken.every((entry) => entry.startsWith('2.'))).toBe(true);
      expect(Object.keys((await b.shard()).dead.mail ?? {})).toHaveLength(1);
    },
  },
  {
    name: 'a blocked lane of a queue that nobody paused',
    async plant(b) {
      await b.enqueue(b.message('mail', 1));
      await b.adminStore().pause('mail', '*');
      await b.take(1);
      await b.redises.raw.del(`${b.root}config`);
      return ['blocked-lane 5:mail'];
    },
    async after(b) {
      expect(await b.take(5)).toHaveLength(1);
    },
  },
  {
    name: 'a paused queue that syncs would not notice',
    async plant(b) {
      await b.adminStore().pause('mail', '*');
      await b.redises.raw.del(`${b.root}ready:*`);
      return ['pause-without-mark mail'];
    },
    async after(b) {
      await b.enqueue(b.message('mail', 1));
      expect(await b.take(5)).toEqual([]);
    },
  },
  {
    name: 'a lane of a pull queue that is a push queue now',
    drained: ['mail'],
    async plant(b) {
      await b.enqueue(b.message('mail', 1, { pool: 'mail' }));
      await b.enqueue(b.message('mail', 2)); // the lane has work already, so it enters no index
      return ['lane-in-another-pool 5:mail'];
    },
    async after(b) {
      expect(await b.take(5)).toHaveLength(2);
    },
  },
  {
    name: 'a turn that a clock gave which has been put back since',
    async plant(b) {
      b.now += 3_600_000;
      await b.enqueue(b.message('mail', 1));
      b.now -= 3_600_000;
      return ['turn-in-the-future 5:mail'];
    },
  },
  {
    name: 'keys of a wrong type: they are reported, and stop nothing',
    async plant(b) {
      await b.redises.raw.set(`${b.root}lane:5:odd`, 'x');
      await b.redises.raw.set(`${b.root}dead:odd`, 'x');
      await b.redises.raw.zadd(`${b.root}ready:*`, 1, '9:nothing');
      return ['empty-lane 9:nothing', 'wrong-type dead:odd', 'wrong-type lane:5:odd'];
    },
    async after(b) {
      await b.redises.raw.del(`${b.root}lane:5:odd`);
      await b.redises.raw.del(`${b.root}dead:odd`);
    },
  },
];

onEachRedis('the audit', (bench) => {
  test('finds nothing wrong with a shard at work', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('news', 2), b.message('mail', 3, { delayMs: 500 }));
    const [entry = ''] = await b.take(1);
    await b.sync({ settlements: [{ entry, outcome: 'dead' }] });
    await b.take(1);
    await b.adminStore().pause('news', '*');
    await b.take(1, 'b');
    expect(await auditAll(b, true)).toEqual([]);
  });

  test.each(planted)('finds, and mends, $name', async ({ plant, after, drained, deep }) => {
    const b = bench();
    const expected = await plant(b);
    expect(await auditAll(b, false, drained, deep)).toEqual(expected);
    expect(await auditAll(b, true, drained, deep)).toEqual(expected);
    const left = expected.filter((finding) => finding.startsWith('wrong-type'));
    expect(await auditAll(b, true, drained, deep)).toEqual(left);
    await after?.(b);
  });

  test('SW3 a sweep mends on its way what keeps messages from moving', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    await b.take(1, 'crashed');
    await b.enqueue(b.message('news', 2));
    await b.redises.raw.del(`${b.root}timers`);
    await b.redises.raw.del(`${b.root}ready:*`);
    let cursor = '0';
    const findings: string[] = [];
    do {
      const swept = await b.store.sweep('*', { cursor });
      findings.push(...swept.findings.map(({ finding }) => finding));
      cursor = swept.cursor;
    } while (cursor !== '0');
    expect(findings.toSorted()).toEqual(['lease-without-timer', 'unindexed-lane']);
    expect(await b.store.sweep('*')).toMatchObject({ requeued: 1, ready: true });
    expect(await b.take(5)).toContain(`2.${id}`);
  });
});
