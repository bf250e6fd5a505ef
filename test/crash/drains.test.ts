// Drains that overlap, Workers that are replaced under load, storage that comes and goes: no hand is needed, nothing is lost.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import type { LocalWorker } from '../../src/dev/worker.ts';
import { openStage, type Stage, type Story } from '../support/crash-stage.ts';
import { eventually } from '../support/worker.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => stage.close());

const givenTwice = ({ arrivals }: Story) => {
  const entries = arrivals.map(({ id, attempt }) => `${attempt}.${id}`);
  return entries.filter((entry, i) => entries.indexOf(entry) < i);
};

test('CR6 Ticks: five drains start together and two more while they run: no message twice, and a tick that never came is made up for', async () => {
  const story = stage.story('ticks', { SLUICE_LEASE_MS: '20000', SLUICE_DRAIN_MS: '10000', SLUICE_BATCH: '10' });
  story.answerMs = 20;
  const ids = await story.enqueue(150); // by the store: nobody was woken, and no tick came
  const worker = await story.startWorker();
  const ticks = Array.from({ length: 5 }, () => worker.tick());
  await eventually('they are at work', () => story.arrivals.length > 20);
  await Promise.all([...ticks, worker.tick(), worker.tick()]);
  expect(story.arrivals.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  const more = await story.enqueue(5);
  await worker.tick();
  // They are delivered side by side: which of them arrives first is open.
  const arrived = story.arrivals.slice(ids.length).map(({ id }) => id);
  expect(arrived.toSorted()).toEqual(more.toSorted());
  expect(await story.violations()).toEqual([]);
  await worker.kill();
});

test('CR5 Rolling deploy: Workers are killed and replaced every second under load: all is delivered, no restart by hand', async () => {
  const story = stage.story('rolling');
  const workers: LocalWorker[] = [await story.startWorker(), await story.startWorker()];
  const ids: string[] = [];
  const deadline = Date.now() + 10_000;
  let replaced = 0;
  const roll = async () => {
    while (Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 800)); // the pace of the story
      workers.push(await story.startWorker());
      await workers.shift()?.kill();
      replaced += 1;
    }
  };
  const tick = async () => {
    while (Date.now() < deadline) {
      const [, newest] = workers;
      await newest?.tick().catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
    }
  };
  const produce = async () => {
    for (let n = 0; Date.now() < deadline; n += 1) ids.push(...(await enqueueSurely(n)));
  };
  /** As a producer does: the same request until it is answered. */
  const enqueueSurely = async (n: number): Promise<string[]> => {
    const messages = Array.from({ length: 5 }, (_, i) => ({ queue: 'github.activity', body: { n, i } }));
    for (;;) {
      const [worker] = workers;
      const headers = { 'idempotency-key': `n${n}` };
      const answer = await (worker &&
        story
          .post(worker, '/v1/messages', { messages }, { headers })
          .then(async (response) => response.status === 202 && (await response.json()))
          .catch(() => undefined)); // its Worker was killed, perhaps half-way through the answer
      if (answer) {
        await new Promise((resolve) => setTimeout(resolve, 50)); // its pace
        return (answer as { messages: { id: string }[] }).messages.map(({ id }) => id);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await Promise.all([roll(), tick(), produce()]);
  const [last] = workers;
  if (!last) throw new Error('no Worker is left');
  await story.drainWith(last, ids);
  const again = story.arrivals.filter(({ attempt }) => attempt > 1).length;
  console.log(`CR5: ${replaced} Workers replaced, ${ids.length} messages, ${again} given again`);
  expect(new Set(story.arrivals.map(({ id }) => id))).toEqual(new Set(ids));
  expect(givenTwice(story)).toEqual([]);
  expect(await story.violations()).toEqual([]);
  await Promise.all(workers.map((worker) => worker.kill()));
}, 60_000);

test('CR7 Backend down and up, 20 times: the next tick drains', async () => {
  const story = stage.story('down-and-up', { SLUICE_REDIS_TIMEOUT_MS: '1000' });
  const worker = await story.startWorker();
  const ways: Fault[] = [
    { kind: 'reset' },
    { kind: 'status-before', status: 503 },
    { kind: 'delay-before', ms: 1_300 },
  ];
  for (let round = 0; round < 20; round += 1) {
    const ids = await story.enqueue(3);
    let refused = 0;
    story.onRequest = () => {
      refused += 1;
      return ways[round % ways.length];
    };
    const during = worker.tick().catch(() => {});
    await eventually('a request met it', () => refused > 0);
    story.onRequest = undefined;
    await during;
    await worker.tick();
    const delivered = new Set(story.arrivals.map(({ id }) => id));
    expect(
      ids.filter((id) => !delivered.has(id)),
      `round ${round}`,
    ).toEqual([]);
  }
  await story.drainWith(worker, []);
  expect(givenTwice(story)).toEqual([]);
  expect(await story.violations()).toEqual([]);
  await worker.kill();
}, 120_000); // a third of the rounds waits for a time-out and its repetition

test('SC6 Acks that all fail: no sync behind the first gets through, twice: leases expire, messages go out again, none stays leased', async () => {
  const story = stage.story('deaf', { SLUICE_REDIS_TIMEOUT_MS: '2000', SLUICE_DRAIN_MS: '2000' });
  const ids = await story.enqueue(10);
  const worker = await story.startWorker();
  /** What had arrived outside when a lease was named first. */
  const leases = new Map<string, number>();
  const leaseOf = (command: string[]) => command.find((part) => part.startsWith('{deaf}:lease:'));
  // From the moment something arrives of it, a lease gets no answer any more, and nothing of it is executed, however late it comes.
  story.onRequest = (command) => {
    const lease = leaseOf(command);
    if (lease === undefined) return undefined;
    if (!leases.has(lease)) leases.set(lease, story.arrivals.length);
    return story.arrivals.length > (leases.get(lease) ?? 0) ? { kind: 'reset' } : undefined;
  };
  for (let drain = 0; drain < 2; drain += 1) {
    const before = story.arrivals.length;
    await eventually('a drain has taken them', async () => {
      await worker.tick().catch(() => {});
      return story.arrivals.length > before;
    });
  }
  story.onRequest = (command) => (leases.has(leaseOf(command) ?? '') ? { kind: 'reset' } : undefined);
  await story.drainWith(worker, ids);
  expect(story.arrivals.filter(({ attempt }) => attempt === 3).length).toBeGreaterThan(0);
  expect(givenTwice(story)).toEqual([]);
  expect((await story.shard()).leases).toEqual({});
  expect(await story.violations()).toEqual([]);
  await worker.kill();
}, 60_000);
