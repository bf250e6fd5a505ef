// Sluice on Workers Free, where no isolate stays warm: ticks, sweeps and what operators ask for.
import { Redis } from '@upstash/redis';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/worker.ts';
import { boxed } from './deployed.ts';
import { FREE } from './limits.ts';

const box = boxed(FREE);

afterEach(() => {
  const { invocations } = box().platform;
  expect(invocations.filter(({ refused }) => refused > 0)).toEqual([]);
  invocations.length = 0;
});

test('a backlog is drained by ticks, and each message is delivered once', async () => {
  const { call, platform, outbox } = box();
  const messages = Array.from({ length: 100 }, (_, i) => ({ queue: 'github.activity', body: { i } }));
  expect((await call('/v1/messages', { messages })).status).toBe(202);
  for (let i = 0; i < 3; i++) await platform.tick();
  await eventually('the drain that the request woke is over, too', () => platform.invocations.length === 4);
  expect(outbox.deliveries.map(({ body }) => (body as { i: number }).i).toSorted((a, b) => a - b)).toEqual(
    messages.map(({ body }) => body.i),
  );
});

test('sweeps get on: each mends a page of keys, and the next one goes on behind it', async () => {
  const { call, platform, stack } = box();
  const redis = new Redis({ url: stack.emulator.url, token: stack.emulator.token });
  const fillers = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`{sluice}:req:filler${i}`, 'x']));
  await redis.mset(fillers);
  const messages = Array.from({ length: 40 }, (_, i) => ({ queue: 'reports', group: `tenant-${i}`, body: { i } }));
  await call('/v1/messages', { messages });
  await redis.zremrangebyrank('{sluice}:ready:reports', 0, -1);
  const ticks = (600 + 2 * 40) / 200 + 3; // pages are about 200 keys, and the last one may be short
  for (let i = 0; i < ticks; i++) await platform.tick();
  expect(await redis.zcard('{sluice}:ready:reports')).toBe(40);
  await redis.del(...Object.keys(fillers));
});

describe('an operator', () => {
  const get = async (path: string) => (await box().call(path, undefined, { method: 'GET' })).json();
  const post = async (path: string, body?: object) => (await box().call(path, body)).json();

  test('sees, lets die, brings back and removes the messages of a queue', async () => {
    expect(await get('/v1/queues/reports')).toMatchObject({ ready: { 4: 40 }, leased: 0, dead: 0 });
    const received = (await post('/v1/receive', { queues: ['reports'], max: 30 })) as Received;
    const settle = received.messages.map(({ id, attempt }) => ({ id, attempt, outcome: 'dead', error: 'no pages' }));
    await post(`/v1/leases/${received.lease}/settle`, { settle });
    expect(await get('/v1/queues/reports')).toMatchObject({ ready: { 4: 10 }, leased: 0, dead: 30 });
    expect(await get('/v1/queues/reports/dead/causes')).toMatchObject({ dead: 30, causes: [{ count: 30 }] });
    const { messages } = (await post('/v1/queues/reports/dead/redrive', { limit: 20 })) as Redriven;
    expect(messages.filter(({ status }) => status === 'redriven')).toHaveLength(20);
    expect(await post('/v1/queues/reports/purge', { states: ['ready', 'dead'] })).toMatchObject({
      purged: 40,
      more: false,
    });
  });

  test('audits, sweeps and drains', async () => {
    expect(await get('/v1/audit?deep=true')).toMatchObject({ findings: [] });
    expect(await post('/v1/sweep')).toMatchObject({ repaired: 0 });
    expect(await post('/v1/drain')).toMatchObject({ sweep: { repaired: 0 } });
  });

  interface Received {
    lease: string;
    messages: { id: string; attempt: number }[];
  }
  interface Redriven {
    messages: { id: string; status: string }[];
  }
});
