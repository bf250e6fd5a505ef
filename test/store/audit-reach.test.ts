// How far the audit reaches: to the end of what is long, in calls that are bounded, and what it could not judge it says.
import { expect, test } from 'vitest';
import { auditOn } from '../../src/engine/admin.ts';
import { openEngine } from '../../src/engine.ts';
import { defineQueue } from '../../src/index.ts';
import { audit } from '../../src/store/audit.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

/** All pages. @returns what was found, sorted, and how many calls it took */
async function auditAll(b: Bench, repair: boolean, deep = false) {
  const findings: string[] = [];
  const incomplete = new Set<string>();
  let calls = 0;
  let cursor = '0';
  do {
    const page = await audit(b.store, cursor, repair, deep);
    findings.push(...page.findings.map(({ finding, name }) => `${finding} ${name}`));
    for (const what of page.incomplete) incomplete.add(what);
    cursor = page.cursor;
    calls += 1;
  } while (cursor !== '0');
  return { findings: findings.toSorted(), incomplete: [...incomplete], calls };
}

const sweepAll = async (b: Bench) => {
  const findings: string[] = [];
  let cursor = '0';
  do {
    const swept = await b.store.sweep('*', { cursor });
    findings.push(...swept.findings.map(({ finding, name }) => `${finding} ${name}`));
    cursor = swept.cursor;
  } while (cursor !== '0');
  return findings.toSorted();
};

/** So many messages, of which all but the last have lost their envelopes. */
async function headless(b: Bench, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += 500) {
    const part = Array.from({ length: Math.min(500, count - from) }, (_, i) => b.message('mail', from + i));
    ids.push(...(await b.enqueue(...part)));
  }
  const gone = ids.slice(0, -1).map((id) => `${b.root}m:${id}`);
  for (const key of gone) await b.redises.raw.del(key);
  return ids;
}

const lane = async (b: Bench, name = '5:mail') => (await b.shard()).lanes[name];
const push = (b: Bench, name: string, ...texts: string[]) => b.redises.raw.rpush(b.root + name, ...texts);

onEachRedis('the audit', (bench) => {
  test('goes through all of an index, all timers and all blocked lanes, a part of them in each call', async () => {
    const b = bench();
    const { raw } = b.redises;
    for (let i = 0; i < 600; i += 1) {
      await raw.zadd(`${b.root}timers`, b.now + i, `x of a newer version ${i}`);
      await raw.zadd(`${b.root}ready:*`, i, `9:nothing/${i}`);
      await raw.zadd(`${b.root}blocked:mail`, i, `9:mail/${i}`);
    }
    await raw.zadd(`${b.root}timers`, b.now + 9_000, 'l nobody');
    const expected = [
      ...Array.from({ length: 600 }, (_, i) => `empty-lane 9:nothing/${i}`),
      ...Array.from({ length: 600 }, (_, i) => `empty-lane 9:mail/${i}`),
      'timer-without-lease nobody',
    ].toSorted();
    expect((await auditAll(b, false)).findings).toEqual(expected);
    expect((await auditAll(b, true)).findings).toEqual(expected);
    expect((await auditAll(b, true)).findings).toEqual([]);
    await raw.del(`${b.root}timers`);
  }, 60_000);

  test.each([10, 30, 350])(
    'ST3 finds the pool of a lane behind %i entries that were evicted with their envelopes',
    async (count) => {
      for (const by of [async (b: Bench) => (await auditAll(b, true)).findings, sweepAll]) {
        const b = bench();
        const ids = await headless(b, count + 1);
        await b.redises.raw.del(`${b.root}ready:*`);
        const findings = await by(b);
        expect(findings.filter((finding) => finding.startsWith('entry-without-envelope'))).toHaveLength(count);
        expect(findings.filter((finding) => finding.startsWith('unindexed-lane'))).toEqual(['unindexed-lane 5:mail']);
        const last = `1.${ids.at(-1)}`;
        expect(await b.take(5)).toEqual([last]);
        expect(Object.keys((await b.shard()).dead.mail ?? {})).toHaveLength(count);
        await b.sync({ settlements: [{ entry: last, outcome: 'ack' }] });
        await b.adminStore().purge('mail', ['dead'], '0');
        b.alive.clear();
      }
    },
  );

  test('reports what is no entry in a lane or among dead letters, and moves it aside; the others go on', async () => {
    const b = bench();
    const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2), b.message('news', 3));
    await push(b, 'lane:5:mail', 'garbage', '{"a":1}', 'garbage');
    await b.redises.raw.zadd(`${b.root}dead:mail`, 1, 'no letter at all', 2, 'x');
    const expected = ['foreign-entry dead:mail', 'foreign-entry lane:5:mail'];
    expect((await auditAll(b, false)).findings).toEqual(expected);
    expect(await lane(b)).toHaveLength(5);
    expect((await auditAll(b, true)).findings).toEqual(expected);
    expect((await auditAll(b, true)).findings).toEqual([]);
    expect(await lane(b)).toEqual([`1.${second}`, `1.${first}`]);
    const aside = await b.redises.raw.lrange(`${b.root}damaged:lane:5:mail`, 0, -1);
    expect([aside.toSorted(), await b.redises.raw.llen(`${b.root}damaged:dead:mail`)]).toEqual([
      ['garbage', 'garbage', '{"a":1}'],
      2,
    ]);
    expect(await b.take(5)).toHaveLength(3);
  });

  test('and a sweep do so too where nothing else is in the lane', async () => {
    const b = bench();
    await push(b, 'lane:5:mail', 'garbage', '');
    await b.redises.raw.zadd(`${b.root}ready:*`, 1, '5:mail', 1, 'no lane');
    const expected = ['empty-lane 5:mail', 'empty-lane no lane', 'foreign-entry lane:5:mail'];
    expect((await sweepAll(b)).toSorted()).toEqual(expected);
    expect(await lane(b)).toBeUndefined();
    expect(await auditAll(b, true)).toMatchObject({ findings: [] });
  });

  test('looks deep into lanes and dead letters where that is asked for', async () => {
    const b = bench();
    const ids = await b.enqueue(...Array.from({ length: 350 }, (_, i) => b.message('mail', i)));
    await b.redises.raw.lpush(`${b.root}lane:5:mail`, 'garbage'); // at its tail
    await b.redises.raw.del(`${b.root}m:${ids[320]}`);
    expect((await auditAll(b, true)).findings).toEqual([]);
    expect((await auditAll(b, true, true)).findings).toEqual([
      `entry-without-envelope 1.${ids[320]}`,
      'foreign-entry lane:5:mail',
    ]);
    expect(await lane(b)).toEqual(
      ids
        .filter((_, i) => i !== 320)
        .map((id) => `1.${id}`)
        .toReversed(),
    );
  });

  test('says what it could not judge beside fifty thousand messages in leases, and judges it when they are gone', async () => {
    const b = bench();
    const [id] = await b.enqueue(b.message('mail', 1));
    await b.redises.raw.del(`${b.root}lane:5:mail`, `${b.root}ready:*`);
    await b.redises.raw.zadd(`${b.root}timers`, b.now + 60_000, 'l huge');
    const held = Array.from({ length: 10_001 }, (_, i) => `1.x${i}`);
    for (let i = 0; i < 5; i++) await b.redises.raw.rpush(`${b.root}lease:huge`, ...held);
    expect((await auditAll(b, true, true)).incomplete).toEqual(['envelopes']);
    await b.redises.raw.hset(`${b.root}inflight`, 'mail', 1);
    expect(await auditAll(b, true)).toMatchObject({ findings: [], incomplete: ['counts'] });
    await b.redises.raw.del(`${b.root}timers`);
    await b.redises.raw.del(`${b.root}lease:huge`);
    expect(await auditAll(b, true)).toMatchObject({ findings: ['count-without-slots mail'], incomplete: [] });
    expect(await auditAll(b, true, true)).toMatchObject({ findings: [`envelope-without-entry ${id}`], incomplete: [] });
    expect(await b.take(1)).toEqual([`2.${id}`]);
  }, 60_000);

  test('goes on over keys that it cannot look at because others are of a wrong type', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1), b.message('news', 2));
    await b.redises.raw.del(`${b.root}ready:*`);
    await b.redises.raw.set(`${b.root}blocked:mail`, 'wrong');
    const { findings } = await auditAll(b, true);
    expect(findings).toEqual(['not-inspected lane:5:mail', 'unindexed-lane 5:news', 'wrong-type blocked:mail']);
    await b.redises.raw.del(`${b.root}blocked:mail`);
    expect((await auditAll(b, true)).findings).toEqual(['unindexed-lane 5:mail']);
  });

  test.each([
    { deep: false, passes: ['shallow'] },
    { deep: true, passes: ['shallow', 'deep'] },
  ])(
    'of a deployment (deep: $deep) stays within the subrequests of an invocation, and goes on from its cursor',
    async ({ deep, passes }) => {
      const b = bench();
      const requests = 15;
      const engine = openEngine(
        {
          UPSTASH_REDIS_REST_URL: b.redises.emulator.url,
          UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token,
          SLUICE_PREFIX: b.prefix,
          SLUICE_DRAIN_REQUESTS: String(requests),
        },
        new Map([['mail', defineQueue('mail', { subrequests: 0, handler: () => {} })]]),
      );
      const broken = await b.enqueue(...Array.from({ length: 30 }, (_, i) => b.message('mail', i, { group: `g${i}` })));
      await b.redises.raw.del(`${b.root}ready:*`, `${b.root}lane:5:mail/g7`);
      for (let from = 0; from < 4_000; from += 500) {
        await Promise.all(
          Array.from({ length: 500 }, (_, i) => b.redises.raw.set(`${b.root}req:filler${from + i}`, 'x')),
        );
      }
      const findings: string[] = [];
      const seen = new Set<string>();
      let calls = 0;
      for (let cursor: string | undefined = ''; cursor !== undefined; calls++) {
        const from = cursor;
        const before = b.redises.emulator.requests();
        const report = await auditOn(engine, { repair: true, deep, cursor: from });
        expect(b.redises.emulator.requests() - before).toBeLessThanOrEqual(requests);
        findings.push(...report.findings.map(({ finding }) => finding));
        cursor = report.cursor;
        seen.add(cursor?.split(' ')[0] ?? 'end');
      }
      expect(calls).toBeGreaterThan(1);
      expect([...seen]).toEqual([...passes, 'end']);
      const lost = deep ? ['envelope-without-entry'] : [];
      expect(findings.toSorted()).toEqual([...lost, ...Array(29).fill('unindexed-lane')]);
      if (!deep) await auditAll(b, true, true); // what is lost is for a deep one
      expect(await b.take(100)).toHaveLength(30);
      expect(broken).toHaveLength(30);
    },
    60_000,
  );
});

onEachRedis(
  'a long audit',
  (bench) => {
    test('of a page with more than one call may look at goes on in the middle of it', async () => {
      const b = bench();
      const count = 40_000; // of two sorted sets on one page: four hundred parts
      for (const key of ['timers', 'blocked:mail']) {
        for (let from = 0; from < count / 2; from += 1_000) {
          const members = Array.from({ length: 1_000 }, (_, i) => [String(b.now + 1e6), `0:x ${from + i}`]).flat();
          await b.redises.raw.zadd(b.root + key, ...members);
        }
      }
      const { findings, calls } = await auditAll(b, false);
      expect(findings).toHaveLength(count / 2); // the lanes are empty
      expect(calls).toBeGreaterThan(1);
      await b.redises.raw.del(`${b.root}timers`, `${b.root}blocked:mail`);
    }, 60_000);
  },
  ['redis-server', 'a Redis Cluster of three masters'], // forty thousand members are much for the embedded one
);

onEachRedis(
  'one call of the audit',
  (bench) => {
    test('looks at 300 parts of keys, and the next goes on in the middle of a key', async () => {
      const b = bench();
      for (let from = 0; from < 40_000; from += 1_000) {
        const members = Array.from({ length: 1_000 }, (_, i) => [String(b.now), `x of a newer version ${from + i}`]);
        await b.redises.raw.zadd(`${b.root}timers`, ...members.flat());
      }
      await b.redises.raw.zadd(`${b.root}timers`, b.now + 9_000, 'l nobody');
      // Other tests keep keys on this Redis too: in which call the timers are met is chance.
      const cursors: string[] = [];
      const findings: string[] = [];
      do {
        const { commands } = await b.cost(async () => {
          const page = await audit(b.store, cursors.at(-1) ?? '0', false);
          findings.push(...page.findings.map(({ finding, name }) => `${finding} ${name}`));
          cursors.push(page.cursor);
        });
        expect(commands).toBeLessThan(700); // two a part, and no more than 300 parts
      } while (cursors.at(-1) !== '0');
      expect(cursors.filter((cursor) => / timers \d+$/.test(cursor))).toHaveLength(1);
      expect(findings).toEqual(['timer-without-lease nobody']);
    });
  },
  ['redis-server'],
);
