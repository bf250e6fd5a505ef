// Storage away or refusing, and a Worker that dies: what callers are told, and that work goes on by itself.
import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { deploy, eventually } from '../support/worker.ts';

const one = '/v1/queues/confirmation.email/messages';
const good = { body: { to: 'ada@example.com', token: '42' } };

describe('storage that fails', () => {
  let fault: Fault | undefined;
  const deployed = deploy({
    emulator: { faults: () => fault },
    env: { SLUICE_REDIS_TIMEOUT_MS: '10000', SLUICE_LEASE_MS: '10000' }, // the machine may stand still for seconds
  });

  test.each<[string, Fault, string]>([
    ['does not answer', { kind: 'reset' }, 'storage_unreachable'],
    ['answers with a page', { kind: 'status-before', status: 503 }, 'storage_unreachable'],
  ])(
    'where it %s: 503 and when to come back, nothing is stored, and the repeat is taken once',
    async (_, kind, code) => {
      const headers = { 'idempotency-key': kind.kind };
      fault = kind;
      const refused = await deployed().call(one, { body: good, headers });
      fault = undefined;
      expect([
        refused.status,
        refused.headers.get('retry-after'),
        ((await refused.json()) as { code: string }).code,
      ]).toEqual([503, '1', code]);
      const taken = await deployed().call(one, { body: good, headers });
      const { id } = (await taken.json()) as { id: string };
      expect([taken.status, taken.headers.get('idempotent-replayed')]).toEqual([202, null]);
      await deployed().outbox.arrival(id);
    },
  );

  test('an answer that was lost: the repeat gives the same id, and one message is delivered', async () => {
    let dropped = 0;
    fault = undefined;
    const headers = { 'idempotency-key': 'lost-answer' };
    const first = await deployed().call(one, { body: good, headers });
    const { id } = (await first.json()) as { id: string };
    const again = await deployed().call(one, { body: good, headers });
    expect(((await again.json()) as { id: string }).id).toBe(id);
    await deployed().outbox.arrival(id);
    dropped = deployed().outbox.deliveries.filter((delivered) => delivered.id === id).length;
    expect(dropped).toBe(1);
  });

  test('health says 503 where storage is away, and what it remembers for ten seconds where it was well', async () => {
    const health = async () => (await deployed().call('/health', { method: 'GET' })).status;
    fault = { kind: 'reset' };
    expect(await health()).toBe(503);
    fault = undefined;
    expect(await health()).toBe(200);
    // A drain of the test before may still be asking: what health asks itself would show each time.
    await eventually('nothing is asked while health answers', async () => {
      const before = deployed().stack.emulator.requests();
      expect([await health(), await health()]).toEqual([200, 200]);
      return deployed().stack.emulator.requests() === before;
    });
  });

  test('a drain that cannot reach it settles what it holds when it comes back', async () => {
    const messages = Array.from({ length: 30 }, (_, i) => ({ queue: 'github.activity', body: { i } }));
    const answer = await deployed().call('/v1/messages', { body: { messages } });
    const ids = new Set(((await answer.json()) as { messages: { id: string }[] }).messages.map(({ id }) => id));
    const arrived = () => deployed().outbox.deliveries.filter(({ id }) => ids.has(id));
    await eventually('the drain has begun', () => arrived().length > 0);
    fault = { kind: 'status-before', status: 503 };
    await new Promise((resolve) => setTimeout(resolve, 400));
    fault = undefined;
    await eventually('all are delivered', async () => {
      await deployed().worker.tick();
      return new Set(arrived().map(({ id }) => id)).size === ids.size;
    });
  });
});

describe('a Worker that is killed while it holds messages', () => {
  const deployed = deploy({ env: { SLUICE_LEASE_MS: '1000', SLUICE_DRAIN_MS: '3000' } });

  test('CR1 loses none: the next one sweeps and delivers them, one attempt later', async () => {
    const { stack, worker, outbox, call } = deployed();
    const messages = Array.from({ length: 200 }, (_, i) => ({ queue: 'github.activity', body: { i } }));
    const answer = await call('/v1/messages', { body: { messages } });
    const ids = ((await answer.json()) as { messages: { id: string }[] }).messages.map(({ id }) => id);
    await eventually('some are delivered', () => outbox.deliveries.length >= 20);
    await worker.kill();
    const before = new Set(outbox.deliveries.map(({ id }) => id));
    expect(before.size).toBeLessThan(200);
    const next = await stack.startWorker();
    // What it held may all have been delivered, and comes again behind the others.
    await eventually('all are delivered, and what it held an attempt later', async () => {
      await next.tick();
      const isAgain = outbox.deliveries.some(({ attempt }) => attempt === 2);
      return isAgain && new Set(outbox.deliveries.map(({ id }) => id)).size === 200;
    });
    expect(new Set(outbox.deliveries.map(({ id }) => id))).toEqual(new Set(ids));
  });
});
