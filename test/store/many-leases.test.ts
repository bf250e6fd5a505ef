// Ten thousand leases at once: what each holds is found, told, listed, counted and judged, a bounded part in each call.
import type { ChainableCommander } from 'ioredis';
import { expect, test } from 'vitest';
import { openInspector } from '../../src/broker/inspector.ts';
import { encodeLimitedQueues } from '../../src/queue/limits.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { auditWhole, type Bench, onEachRedis } from '../support/bench.ts';

/** Three in four are of consumers elsewhere, and named by their queues. */
const nameOf = (i: number) => [`c${i}~chat`, `n${i}~chat~news`, `d${i}`, `w${i}~chat~chatter`][i % 4] as string;
const queueOf = (i: number) => ['chat', 'news', 'mail', 'chatter'][i % 4] as string;
const idOf = (i: number) => `id-${i}`;

/** Leases with a message each, whose queues count them, past all scripts: by them it would take minutes. */
async function fill(b: Bench, count: number): Promise<void> {
  const { raw } = b.redises;
  for (let from = 0; from < count; from += 2_500) {
    const commands = (raw as { pipeline(): ChainableCommander }).pipeline();
    for (let i = from; i < Math.min(count, from + 2_500); i++) {
      const [queue, id] = [queueOf(i), idOf(i)];
      const pool = queue === 'mail' ? '*' : queue;
      commands.set(`${b.root}m:${id}`, `5:${queue} ${pool} 5 ${b.now} 0\n{"body":${i}}`);
      commands.rpush(`${b.root}lease:${nameOf(i)}`, `1.${id} ${pool} 5:${queue} q`);
      commands.zadd(`${b.root}timers`, b.now + 60_000 + i, `l ${nameOf(i)}`);
      commands.hincrby(`${b.root}inflight`, queue, 1);
      b.alive.add(id);
    }
    await commands.exec();
  }
}

const limited = ['chat', 'news', 'chatter', 'mail'].map((name) => ({
  name,
  pool: name === 'mail' ? '*' : name,
  policy: 'c=100000',
}));

function deployed(b: Bench): Store {
  return openStore(
    b.opened(b.plainRunner(), () => b.now),
    { queues: limited, policies: encodeLimitedQueues(limited) },
  );
}

/** Found, listed and counted. */
async function checkSeen(b: Bench, leases: number): Promise<void> {
  await b.enqueue(b.message('mail', 1, { delayMs: 300_000 }));
  const admin = b.adminStore(b.plainRunner());
  expect((await admin.look(idOf(leases - 2))).state).toBe('leased');
  const counts = await openInspector(admin).queues(limited as never);
  expect(counts.map(({ leased, delayed, complete }) => ({ leased, delayed, complete }))).toEqual(
    limited.map(({ name }) => ({ leased: leases / 4, delayed: name === 'mail' ? 1 : 0, complete: true })),
  );
  const listed = new Set<string>();
  for (let cursor: string | undefined; cursor !== ''; ) {
    const page = await admin.browse('news', 'leased', 1_000, cursor ?? '');
    for (const { entry } of page.messages) listed.add(entry);
    cursor = page.cursor;
  }
  expect(listed.size).toBe(leases / 4);
}

/** Slots are counted, lost messages and envelopes found, and all others left alone. */
async function checkJudged(b: Bench, leases: number): Promise<void> {
  const { raw } = b.redises;
  const [kept, entry] = [`${b.root}m:${idOf(leases - 2)}`, `1.${idOf(leases - 2)}`];
  const envelope = (await raw.get(kept)) ?? '';
  await raw.del(kept);
  await raw.hset(`${b.root}inflight`, 'chat', 1);
  await raw.set(`${b.root}m:lost`, `5:mail * 5 ${b.now} 0\n{"body":"lost"}`);
  b.alive.add('lost');
  b.unordered.add('lost');
  const store = deployed(b);
  const findings = [...(await auditWhole(store)), ...(await auditWhole(store, true))];
  const named = (name: string) => findings.filter((finding) => finding.name === name).map(({ finding }) => finding);
  expect(findings).toHaveLength(3);
  expect([named('chat'), named(entry), named('lost')]).toEqual([
    ['count-without-slots'],
    ['entry-without-envelope'],
    ['envelope-without-entry'],
  ]);
  await raw.set(kept, envelope);
  const shard = await b.shard();
  expect(shard.inflight).toEqual(shard.slots);
  expect(shard.lanes).toEqual({ '5:mail': ['2.lost'] });
}

/** Messages that are cancelled: who holds them is told, wherever among the leases that is. */
async function checkTold(b: Bench, leases: number): Promise<void> {
  const admin = b.adminStore(b.plainRunner());
  for (const i of [0, 1, leases - 2, leases - 1]) {
    expect(await admin.cancel(idOf(i))).toBe('leased');
    expect(await admin.cancel(idOf(i))).toBe('leased');
    const told = await b.sync({ lease: nameOf(i), held: 1, pools: [] });
    expect(told.cancelled).toEqual([`1.${idOf(i)}`]);
    await b.sync({ lease: nameOf(i), settlements: [{ entry: `1.${idOf(i)}`, outcome: 'ack' }], pools: [] });
    b.alive.delete(idOf(i));
  }
}

/** A stray among them: a look of sweeps finds it, and takes no message that is held for one. */
async function checkStrays(b: Bench): Promise<void> {
  await b.redises.raw.set(`${b.root}m:astray`, `5:mail * 5 ${b.now} 0\n{"body":"astray"}`);
  b.alive.add('astray');
  b.unordered.add('astray');
  const store = deployed(b);
  const findings: string[] = [];
  for (let round = 59, steps = 0; steps < 4 || (await b.redises.raw.exists(`${b.root}strays`)); round = 1, steps++) {
    const swept = await store.sweep('*', { cursor: '0', round });
    findings.push(...swept.findings.map(({ finding, name }) => `${finding} ${name}`));
  }
  expect(findings).toEqual(['envelope-without-entry astray']);
}

onEachRedis(
  'ten thousand leases',
  (bench) => {
    test('what they hold is found, listed, counted and judged, and who holds it is told of a cancel', async () => {
      const b = bench();
      await fill(b, 10_000);
      await checkSeen(b, 10_000);
      await checkJudged(b, 10_000);
      await checkTold(b, 10_000);
    });
  },
  ['redis-server'],
);

onEachRedis(
  'three hundred leases',
  (bench) => {
    test('what they hold is found, listed, counted and judged, and who holds it is told of a cancel', async () => {
      const b = bench();
      await fill(b, 300);
      await checkSeen(b, 300);
      await checkJudged(b, 300);
      await checkTold(b, 300);
      await checkStrays(b);
    });
  },
  ['the embedded Redis'],
);
