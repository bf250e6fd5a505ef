// sluice/testing: what it promises to users of Vitest and of node:test, by the same scenarios.
import { spawnSync } from 'node:child_process';
import { createSluice, defineQueue } from 'sluice';
import { toFetch } from 'sluice/edge';
import { createTestSluice, type TestSluice } from 'sluice/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { AT_MOST } from '../support/shell.ts';
import { run, scenarios } from './scenarios.ts';
import { GITHUB_SECRET, openShop, type ShopEnv } from './shop.ts';

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const { close } of opened.splice(0)) close();
});

function keep<Tested extends { close(): void }>(tested: Tested): Tested {
  opened.push(tested);
  return tested;
}

async function openTested(options: { now?: string } = {}) {
  const shop = openShop();
  const env = { GITHUB_SECRET };
  return { ...shop, tested: keep(await createTestSluice<ShopEnv>(shop.sluice, { env, ...options })) };
}

describe('under Vitest', () => {
  test.each(Object.entries(scenarios))('%s', (_, scenario) => scenario());
});

test('under node:test', () => {
  const { status, stdout } = spawnSync(process.execPath, ['--test', 'test/testing/under-node.ts'], {
    ...AT_MOST,
    encoding: 'utf8',
  });
  expect([status, stdout.match(/^\S+ pass \d+$/m)?.[0]], stdout).toEqual([
    0,
    expect.stringContaining(`pass ${Object.keys(scenarios).length + 1}`),
  ]);
});

describe('several at once', () => {
  test('have their own messages and their own time', async () => {
    const [a, b] = [
      await openTested({ now: '2030-01-01T08:00:00Z' }),
      await openTested({ now: '2040-01-01T08:00:00Z' }),
    ];
    for (const { sluice, tested, alert } of [a, b])
      await sluice.producer(tested.env).enqueue(alert, 'later', { delay: '10m' });
    await a.tested.advance('10m');
    expect(a.calls).toEqual([['alert', 'later', '2030-01-01T08:10:00.000Z']]);
    expect(b.calls).toEqual([]);
    await Promise.all([a.tested.advance('10m'), b.tested.advance('10m')]);
    expect(b.calls).toEqual([['alert', 'later', '2040-01-01T08:10:00.000Z']]);
    expect(new Date(a.tested.now()).toISOString()).toBe('2030-01-01T08:20:00.000Z');
  });

  test('of one Sluice have their own messages by their own environments, and any other environment is that of the last', async () => {
    const { sluice, alert, tested: first } = await openTested();
    const second = keep(await createTestSluice(sluice, { env: { GITHUB_SECRET } }));
    await sluice.producer(first.env).enqueue(alert, 1);
    await sluice.producer(second.env).enqueue(alert, 2);
    await sluice.producer({ GITHUB_SECRET: 'another' }).enqueue(alert, 3);
    const bodies = async (tested: TestSluice<ShopEnv>) => (await tested.enqueued(alert)).map(({ body }) => body);
    expect([await bodies(first), await bodies(second)]).toEqual([[1], [2, 3]]);
    second.close();
    await sluice.producer().enqueue(alert, 4);
    expect(await bodies(first)).toEqual([1, 4]);
  });
});

test('a request that comes by the adapter of a platform comes to the test', async () => {
  const { sluice, mail, calls, tested } = await openTested();
  const request = new Request('http://shop.example/v1/queues/mail/messages', {
    method: 'POST',
    headers: { authorization: `Bearer ${tested.env.SLUICE_TOKEN}` },
    body: '{"body": {"to": "ada"}}',
  });
  expect((await toFetch(sluice)(request)).status).toBe(202);
  await tested.expectEnqueued(mail, { body: { to: 'ada' }, state: 'ready' });
  expect(calls).toEqual([]);
});

describe('Date', () => {
  test('stands still, is moved, and is put back by the last', async () => {
    const before = globalThis.Date;
    const real = Date.now();
    const { tested } = await openTested({ now: '2030-01-01T08:00:00Z' });
    const other = await openTested();
    other.tested.close();
    expect([Date.now(), new Date().getFullYear(), new Date(0).getTime()]).toEqual([tested.now(), 2030, 0]);
    expect(new Date() instanceof Date).toBe(true);
    expect(Date()).toContain('2030');
    await tested.advance('1h');
    expect(new Date().toISOString()).toBe('2030-01-01T09:00:00.000Z');
    tested.close();
    expect(globalThis.Date).toBe(before);
    expect(Math.abs(Date.now() - real)).toBeLessThan(60_000);
  });

  test('begins at now where nothing else is said', async () => {
    const real = Date.now();
    const { tested } = await openTested();
    expect(tested.now() - real).toBeLessThan(60_000);
    await expect(openTested({ now: 'soon' })).rejects.toThrow('now must be epoch ms, ISO 8601 or a Date; got "soon"');
  });
});

describe('what is expected', () => {
  test('is told with what the queue holds', () =>
    run(async ({ sluice, mail, charge }, tested) => {
      const { enqueue } = sluice.producer(tested.env);
      await enqueue(mail, { to: 'bob' }, { delay: '10m', group: 'b' });
      await enqueue(charge, { order: 7 }, { maxAttempts: 1 });
      await tested.drain();
      const missing = tested.expectEnqueued(mail, { body: { to: 'ada' }, delay: '5m' });
      await expect(missing).rejects.toMatchObject({
        name: 'AssertionError',
        message:
          "no message like { body: { to: 'ada' }, delay: '5m' } is in queue mail. It holds:\n" +
          "  delayed, due in 600000 ms, attempt 1, priority 5, group b: { to: 'bob' }",
      });
      await expect(tested.expectNotEnqueued(mail, { body: { to: 'bob' } })).rejects.toThrow(
        "a message like { body: { to: 'bob' } } is in queue mail. It holds:\n",
      );
      await expect(tested.expectEnqueued(charge)).rejects.toThrow(
        'no message is in queue charge. It holds:\n  dead, attempt 1, priority 5: { order: 7 } (last failure: failed Error: the card was declined)',
      );
      await expect(tested.expectEnqueued('alert')).rejects.toThrow('no message is in queue alert, which is empty');
      await expect(tested.expectEnqueued('lost')).rejects.toThrow('there is no queue lost here');
    }));

  test('may be any part of a body, lists whole, and matchers of the runner', () =>
    run(async ({ sluice, alert }, tested) => {
      const body = { order: { id: 7, lines: [{ sku: 'a', count: 1 }, { sku: 'b' }] }, at: null };
      await sluice.producer(tested.env).enqueue(alert, body, { headers: { 'x-from': 'test' }, priority: 3 });
      const wanted = { order: { lines: [{ sku: 'a' }, { sku: expect.any(String) }] }, at: null };
      const found = await tested.expectEnqueued(alert, { body: wanted, priority: 3, headers: { 'x-from': 'test' } });
      expect(found.body).toEqual(body);
      await tested.expectNotEnqueued(alert, { body: { order: { lines: [{ sku: 'a' }] } } });
      await tested.expectNotEnqueued(alert, { body: { at: undefined } });
    }));
});

test('a handler that enqueues to itself again and again ends in an error that says so', async () => {
  // biome-ignore lint/suspicious/noExplicitAny: a queue that names itself has no type yet
  const again: any = defineQueue('again', { handler: (_, { enqueue }) => enqueue(again, {}) });
  const tested = keep(await createTestSluice({ queues: [again] }, { env: { SLUICE_DRAIN_MESSAGES: '50' } }));
  await tested.sluice.producer(tested.env).enqueue(again, {});
  await expect(tested.drain()).rejects.toThrow('50 messages were handled at one instant: a handler enqueues to itself');
});

test('a handler that hangs does not outlive its test', async () => {
  const { sluice, slow, calls, tested } = await openTested({ now: '2030-01-01T08:00:00Z' });
  await sluice.producer(tested.env).enqueue(slow, null);
  const draining = tested.drain();
  while (calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  tested.close();
  expect(await draining).toMatchObject({ delivered: 1, acked: 0 });
});

test('a queue with a limit goes on when its time has come', async () => {
  const at: string[] = [];
  const polite = defineQueue('polite', {
    limits: { rate: { limit: 1, per: '1m' } },
    handler: () => void at.push(new Date().toISOString().slice(11, 19)),
  });
  const tested = keep(await createTestSluice({ queues: [polite] }, { now: '2030-01-01T08:00:00Z' }));
  const messages = [1, 2, 3].map((body) => ({ queue: polite, body }));
  await tested.sluice.producer(tested.env).enqueueMany(messages);
  await tested.drain();
  expect(at).toEqual(['08:00:00']);
  await tested.advance('2m');
  expect(at).toEqual(['08:00:00', '08:01:00', '08:02:00']);
});

test('what is no Sluice is refused', async () => {
  await expect(createTestSluice({ fetch() {} } as never)).rejects.toThrow(
    'this is no Sluice, or it was made by another copy of the package',
  );
  expect(() => createSluice({ queues: [] })).not.toThrow();
});
