// Durable Objects that drain, in the deployed bundle: no tick of cron is ever called here.
import { globSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { countHeld } from '../../src/broker/inspector.ts';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { type Deployed, deploy, eventually } from '../support/worker.ts';

const QUEUE = 'github.activity';
const ON_TIME_MS = 1_000;
/** Requests and commands of one message. */
const COST = [3, 26];
const TRIES = 20;

const alarms = await mkdtemp(join(tmpdir(), 'sluice-alarms-'));
afterAll(() => rm(alarms, { recursive: true, force: true }));

async function enqueue({ call }: Deployed, messages: object[]): Promise<string[]> {
  const queued = messages.map((message) => ({ queue: QUEUE, body: {}, ...message }));
  const answer = await call('/v1/messages', { body: { messages: queued } });
  return ((await answer.json()) as { messages: { id: string }[] }).messages.map(({ id }) => id);
}

/** How often each has arrived. */
const arrivals = ({ outbox }: Deployed, ids: string[]) =>
  ids.map((id) => outbox.deliveries.filter((delivered) => delivered.id === id).length);

const each = (ids: string[], times: number) => ids.map(() => times);

describe('where DRAINER is bound', () => {
  let fault: Fault | undefined;
  const deployed = deploy({
    drainer: true,
    alarms,
    emulator: { faults: () => fault },
    env: { SLUICE_DRAIN_REQUESTS: '21', SLUICE_REDIS_TIMEOUT_MS: '5000', SLUICE_LEASE_MS: '10000' },
  });

  test('an enqueue is delivered, at the same cost as by a drain of its own', async () => {
    await enqueue(deployed(), [{}]).then(([id = '']) => deployed().outbox.arrival(id)); // scripts are known by now
    const { emulator } = deployed().stack;
    let cost: number[] = [];
    // A delivery of more than 25 ms, as on a machine that is busy, has its drain look once meanwhile: that is another story.
    for (let i = 0; i < TRIES && String(cost) !== String(COST); i++) {
      await eventually('it is settled', async () => (await open(deployed())) === 0);
      const before = { requests: emulator.requests(), commands: await emulator.billed() };
      const [id = ''] = await enqueue(deployed(), [{}]);
      await deployed().outbox.arrival(id);
      await eventually('it is settled', async () => (await emulator.billed()) >= before.commands + 26);
      await eventually('no alarm is to come: there is nothing to do', () => armed().length === 0);
      cost = [emulator.requests() - before.requests, (await emulator.billed()) - before.commands];
    }
    expect(cost).toEqual(COST);
  });

  test('a delayed message is delivered within a second of its time, though another is due later', async () => {
    const begun = steadyNow();
    const [later = '', sooner = ''] = await enqueue(deployed(), [{ delay: '3s' }, { delay: '700ms' }]);
    for (const [id, delayMs] of [
      [sooner, 700],
      [later, 3_000],
    ] as const) {
      const { waitMs } = await deployed().outbox.arrival(id);
      expect(waitMs).toBeGreaterThanOrEqual(delayMs);
      expect(steadyNow() - begun - delayMs).toBeLessThan(ON_TIME_MS);
    }
  });

  test('wakes at once, and more work than the requests of an alarm cover: each message is delivered once', async () => {
    const ids = (await Promise.all(Array.from({ length: 12 }, () => enqueue(deployed(), Array(5).fill({}))))).flat();
    await eventually('all have arrived', () => arrivals(deployed(), ids).every((times) => times > 0));
    await eventually('all are settled', async () => (await open(deployed())) === 0);
    expect(arrivals(deployed(), ids)).toEqual(each(ids, 1));
  });

  test('storage that is away when the alarm comes: it waits, and goes on by itself', async () => {
    const { logs, outbox, stack } = deployed();
    const [id = ''] = await enqueue(deployed(), [{ delay: '3s' }]); // so that it is away by then
    fault = { kind: 'reset' };
    const before = stack.emulator.requests();
    const waits = () => logs.filter((line) => line.includes('drainer waits for storage')).length;
    await eventually('it waits', () => waits() > 0);
    const tried = stack.emulator.requests() - before;
    fault = undefined;
    await outbox.arrival(id);
    expect(tried).toBeLessThan(10);
    expect(arrivals(deployed(), [id])).toEqual([1]);
  });

  test('a Worker that ends: the next one has its alarm, and delivers once', async () => {
    const { stack, worker, outbox } = deployed();
    const [id = ''] = await enqueue(deployed(), [{ delay: '5s' }]); // so that it is not due before that has ended
    await eventually('its alarm is set', () => armed().length === 1);
    await worker.kill();
    await stack.startWorker();
    await outbox.arrival(id);
    expect(arrivals(deployed(), [id])).toEqual([1]);
  });
});

/** Messages of the queue that are not done. */
async function open({ call }: Deployed): Promise<number> {
  const answer = await call(`/v1/queues/${QUEUE}`, { method: 'GET' });
  return countHeld((await answer.json()) as Parameters<typeof countHeld>[0]);
}

/** When alarms are to come, epoch ms: what workerd keeps of each object. */
function armed(): number[] {
  const files = globSync(join(alarms, 'do/*/*.sqlite'), { exclude: ['**/metadata.sqlite'] });
  return files.flatMap((file) => {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    try {
      const hasAny = database.prepare("SELECT 1 FROM sqlite_master WHERE name = '_cf_METADATA'").get();
      const rows = hasAny ? database.prepare('SELECT value / 1000000 AS at FROM _cf_METADATA WHERE key = 1').all() : [];
      return rows.flatMap(({ at }) => (Number(at) > 0 ? [Number(at)] : []));
    } finally {
      database.close();
    }
  });
}
