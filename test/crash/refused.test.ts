// Storage that refuses in the middle of a script, at each storage call of a Worker: nothing is lost, and nothing needs a hand.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { atEachCall, openStage, type Stage, type Story } from '../support/crash-stage.ts';
import { eventually } from '../support/worker.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => stage.close());

/** Of the scripts of one call. Each write in turn is refused in test/storage; here it is about who calls them. */
const all: Fault = { kind: 'refuse-inside', from: 1, times: Number.POSITIVE_INFINITY };
const second: Fault = { kind: 'refuse-inside', from: 2 };

/** Refuses inside the n-th call from now on, and in the one after it, which repeats it. @returns how many calls there were */
async function refuseAtCall(n: number, fault: Fault, story: Story, work: () => Promise<unknown>): Promise<number> {
  let calls = 0;
  story.onRequest = () => {
    calls += 1;
    return calls === n || calls === n + 1 ? fault : undefined;
  };
  await work();
  story.onRequest = undefined;
  return calls;
}

const makeIds = (story: Story) => story.arrivals.map(({ id }) => id);

test.each([
  ['every write', all],
  ['the second write', second],
])(
  'ST1 Refused inside a drain, at each of its storage calls: %s',
  async (name, fault) => {
    const points = await atEachCall(async (n) => {
      const env = { SLUICE_BATCH: '3', SLUICE_CONCURRENCY: '2', SLUICE_LEASE_MS: '10000' };
      const story = stage.story(`refused-drain-${name.replace(/ /g, '-')}-${n}`, env);
      const [failing = '', ...others] = await story.enqueue(6);
      const ids = [failing, ...others, ...(await story.enqueue(6, 'github.security', 1))];
      story.failing.add(failing);
      const worker = await story.startWorker();
      const calls = await refuseAtCall(n, fault, story, () => worker.tick());
      await story.bringForward();
      await story.drainWith(worker, ids);
      await worker.kill();
      const given = story.arrivals.map(({ id, attempt }) => `${attempt}.${id}`);
      expect(given.length, 'nothing is given out twice under one number').toBe(new Set(given).size);
      expect(new Set(makeIds(story))).toEqual(new Set(ids));
      const again = story.arrivals.filter(({ id, attempt }) => attempt > 1 && id !== failing);
      expect(again, 'who lives holds what storage refused, and settles it').toEqual([]);
      expect(await story.violations()).toEqual([]);
      return calls;
    });
    console.log(`ST1: ${name} was refused in each of the ${points} storage calls of a drain`);
    expect(points).toBeGreaterThan(5);
  },
  90_000,
);

test('ST1 Refused inside an enqueue and the drain that it wakes, at each storage call: every write', async () => {
  const points = await atEachCall(async (n) => {
    // Longer than a loaded machine may stand still: a lease that ends meanwhile is another story.
    const story = stage.story(`refused-enqueue-${n}`, { SLUICE_LEASE_MS: '10000' });
    const worker = await story.startWorker();
    const headers = { 'idempotency-key': 'order-7' };
    const batch = { messages: [1, 2, 3].map((i) => ({ queue: 'github.activity', body: { i } })) };
    let ids: string[] = [];
    const enqueue = async () => {
      const answer = await story.post(worker, '/v1/messages', batch, { headers });
      if (answer.status === 503) {
        expect(Object.keys((await story.shard()).envelopes), 'what was refused is not there').toEqual([]);
        return false;
      }
      ids = ((await answer.json()) as { messages: { id: string }[] }).messages.map(({ id }) => id);
      return answer.ok;
    };
    const calls = await refuseAtCall(n, all, story, async () => {
      await eventually('it is stored', enqueue);
      await worker.tick();
    });
    await story.bringForward();
    await story.drainWith(worker, ids);
    await worker.kill();
    const given = story.arrivals.map(({ id, attempt }) => `${attempt}.${id}`);
    expect(given.toSorted()).toEqual(ids.map((id) => `1.${id}`).toSorted());
    expect(await story.violations()).toEqual([]);
    return calls;
  });
  console.log(`ST1: writes were refused in each of ${points} storage calls of an enqueue and a drain`);
  expect(points).toBeGreaterThan(1);
}, 60_000);
