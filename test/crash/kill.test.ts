// A Worker that dies between any two of its calls to storage: nothing is lost, and only what it held comes again.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import type { LocalWorker } from '../../src/dev/worker.ts';
import { atEachCall, openStage, type Stage, type Story } from '../support/crash-stage.ts';
import { idOf } from '../support/settling.ts';
import { eventually } from '../support/worker.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => stage.close());

/** What becomes of the request during which the Worker dies. All later ones of this Worker never arrive. */
const deaths: [string, Fault][] = [
  ['before storage executes it', { kind: 'reset' }],
  ['and storage executes it later', { kind: 'delay-before', ms: 150 }],
  ['after storage executed it, the answer lost', { kind: 'drop-reply' }],
];

/** Kills the Worker when its n-th request to storage arrives. @returns how many it made, that one included */
async function killAtRequest(
  n: number,
  fault: Fault,
  story: Story,
  worker: LocalWorker,
  work: (killed: () => boolean) => Promise<unknown>,
): Promise<number> {
  const executed = story.executed;
  let requests = 0;
  let killed: Promise<void> | undefined;
  story.onRequest = () => {
    requests += 1;
    if (requests < n) return undefined;
    if (requests > n) return { kind: 'reset' };
    killed = worker.kill();
    return fault;
  };
  await work(() => killed !== undefined).catch(() => {});
  await killed;
  if (killed && fault.kind !== 'reset') await eventually('it is executed', () => story.executed - executed === n);
  story.onRequest = undefined;
  if (!killed) await worker.kill();
  return Math.min(requests, n);
}

const MESSAGES = 6;
/** Longer than a loaded machine may stand still: who lives loses none. */
const LONG_LEASE = { SLUICE_LEASE_MS: '10000' };

async function dieInDrain(n: number, fault: Fault): Promise<number> {
  const env = { SLUICE_BATCH: '3', SLUICE_CONCURRENCY: '2', ...LONG_LEASE };
  const story = stage.story(`drain-${fault.kind}-${n}`, env);
  const [failing = '', ...others] = await story.enqueue(MESSAGES);
  const ids = [failing, ...others, ...(await story.enqueue(MESSAGES, 'github.security', 1))];
  story.failing.add(failing);
  const first = await story.startWorker();
  const made = await killAtRequest(n, fault, story, first, () => first.tick());
  const held = new Set(Object.values((await story.shard()).leases).flat());
  await story.lapseLeases();
  const second = await story.startWorker();
  await story.drainWith(second, ids);
  await second.kill();

  const given = story.arrivals.map(({ id, attempt }) => `${attempt}.${id}`);
  expect(given.length, 'nothing is given out twice under one number').toBe(new Set(given).size);
  for (const { id, attempt } of story.arrivals.filter((arrival) => arrival.attempt > 1)) {
    const asked = id === failing && attempt === 2;
    expect(asked || held.has(`${attempt - 1}.${id}`), `${attempt}.${id} was held or had failed`).toBe(true);
  }
  for (const entry of held) expect(story.arrivals.filter(({ id }) => id === idOf(entry))).not.toEqual([]);
  expect(new Set(story.arrivals.map(({ id }) => id))).toEqual(new Set(ids));
  expect(await story.violations()).toEqual([]);
  return made;
}

test.each(deaths)(
  'CR1 Mid-batch, LR2 Receive, LR3 Sync: killed at each storage call of a drain, %s',
  async (name, fault) => {
    const points = await atEachCall((n) => dieInDrain(n, fault));
    console.log(`CR1: a drain was killed at each of its ${points} storage calls, ${name}`);
    expect(points).toBeGreaterThan(5);
  },
  180_000, // on a machine that does much else; usually it takes a tenth of that
);

const batch = { messages: [1, 2, 3].map((i) => ({ queue: 'github.activity', body: { i } })) };

test.each(deaths)(
  'LR1 Enqueue, LR6 Batch, CR9 Wake lost: killed at each storage call of an enqueue and the drain it wakes, %s',
  async (name, fault) => {
    const left: number[] = [];
    const points = await atEachCall(async (n) => {
      const story = stage.story(`enqueue-${fault.kind}-${n}`, LONG_LEASE);
      const first = await story.startWorker();
      const headers = { 'idempotency-key': 'order-7' };
      const stored = async () => Object.keys((await story.shard()).envelopes);
      const made = await killAtRequest(n, fault, story, first, async (killed) => {
        await story.post(first, '/v1/messages', batch, { headers });
        await eventually('the woken drain is done', async () => killed() || (await stored()).length === 0);
      });
      if (n === 1) left.push((await stored()).length);
      const handed = n === 1 && fault.kind !== 'reset';
      if (handed) expect(Object.values((await story.shard()).leases), 'handed off').toMatchObject([{ length: 3 }]);
      await story.lapseLeases();
      const second = await story.startWorker();
      const answer = await story.post(second, '/v1/messages', batch, { headers });
      const { messages } = (await answer.json()) as { messages: { id: string }[] };
      const ids = messages.map(({ id }) => id);
      await story.drainWith(second, ids);
      await second.kill();
      expect([...new Set(story.arrivals.map(({ id }) => id))].toSorted()).toEqual(ids.toSorted());
      expect(await story.violations()).toEqual([]);
      return made;
    });
    console.log(
      `LR1: killed at each of ${points} storage calls, ${name}; at the first, stored by then: ${left[0]} of 3`,
    );
    expect(left[0]).toBe(fault.kind === 'reset' ? 0 : 3);
    expect(points).toBeGreaterThan(1);
  },
  60_000,
);

test('CR8 Client hangs up during enqueue: stored whole or not at all, and the repeat is safe', async () => {
  const counts = new Set<number>();
  // Who lives loses no lease while the machine stands still, and what nobody delivers is soon there again.
  const story = stage.story('hang-up', { SLUICE_LEASE_MS: '5000' });
  const worker = await story.startWorker();
  const delays: Fault[] = [
    { kind: 'delay-before', ms: 200 },
    { kind: 'delay-after', ms: 200 },
  ];
  for (const [i, fault] of delays.entries()) {
    const hangUp = new AbortController();
    story.onRequest = () => {
      story.onRequest = undefined;
      setTimeout(() => hangUp.abort(), 50);
      return fault;
    };
    const headers = { 'idempotency-key': `hang-up-${i}` };
    const before = story.arrivals.length;
    await expect(story.post(worker, '/v1/messages', batch, { headers, signal: hangUp.signal })).rejects.toThrow(
      'abort',
    );
    const again = await story.post(worker, '/v1/messages', batch, { headers });
    const ids = ((await again.json()) as { messages: { id: string }[] }).messages.map(({ id }) => id);
    await story.drainWith(worker, ids);
    counts.add(story.arrivals.length - before);
  }
  expect([...counts]).toEqual([3]);
  expect(await story.violations()).toEqual([]);
});
