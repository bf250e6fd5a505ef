// Leases through the client: what is lost on its way comes back, and nothing is settled twice.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient, SluiceError } from '../../src/client/index.ts';
import { deploy, eventually } from '../support/worker.ts';
import { type Harm, type ShakyProxy, startProxy } from './proxy.ts';

const deployed = deploy();
let proxy: ShakyProxy;
let harms: Harm[] = [];
const clientAt = (url: string, repeat = { times: 5, baseMs: 2 }) =>
  createClient({ url, token: deployed().stack.token, repeat });
const direct = () => clientAt(deployed().worker.url);
const shaky = (times = 5) => clientAt(proxy.url, { times, baseMs: 2 });

beforeEach(async () => {
  harms = [];
  proxy = await startProxy(deployed().worker.url, () => harms.shift());
  await deployed().call('/v1/queues/reports/purge', { body: { states: ['ready', 'delayed', 'dead'] } });
});
afterEach(() => proxy.close());

async function enqueue(count: number): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, n) => ({ queue: 'reports', body: { n } }));
  return (await direct().enqueueMany(messages)).map(({ id }) => id);
}
const makeIds = (messages: { id: string }[]) => messages.map(({ id }) => id);

test('acks, retries, refuses and releases one by one', async () => {
  const [a, b, c, d] = await enqueue(4);
  const lease = await direct().receive('reports', { max: 4, visibility: '1m' });
  expect(makeIds(lease.messages)).toEqual([a, b, c, d]);
  const [first, second, third, fourth] = lease.messages as [never, never, never, never];
  const settling = [
    lease.ack(first),
    lease.retry(second, { delay: 0, error: 'x'.repeat(2_000) }),
    lease.dead(third, 'no'),
    lease.release(fourth),
  ];
  expect(await Promise.all(settling)).toEqual(['acked', 'retried', 'dead', 'released']);
  expect(await lease.extend('10m')).toBeGreaterThan(Date.now() + 500_000);
  const next = await direct().receive('reports');
  expect(next.messages.map(({ id, attempt }) => [id, attempt]).toSorted()).toEqual(
    [
      [b, 2],
      [d, 1],
    ].toSorted(),
  );
  expect(await lease.ack(fourth)).toBe('stale');
  expect(await lease.ack(first)).toBe('gone');
  await next.settle(next.messages.map(({ id }) => ({ id, outcome: 'ack' })));
});

test('an empty queue says when its next timer is due', async () => {
  await direct().enqueue('reports', 1, { delay: '20s' });
  const lease = await direct().receive('reports');
  expect(lease.messages).toEqual([]);
  expect(lease.nextInMs).toBeGreaterThan(1_000);
});

test('a receive whose answers are dropped brings the same messages once', async () => {
  const ids = await enqueue(5);
  harms = ['drop-reply', 'drop-reply'];
  const lease = await shaky().receive('reports', { max: 3 });
  expect(makeIds(lease.messages)).toEqual(ids.slice(0, 3));
  expect(makeIds(await lease.settleAndReceive([], { max: 5 }))).toEqual(ids.slice(3));
  expect(await lease.settle(ids.map((id) => ({ id, outcome: 'ack' })))).toHaveLength(5);
  expect(
    await deployed()
      .call('/v1/audit?deep=true', { method: 'GET' })
      .then((r) => r.json()),
  ).toEqual({ findings: [] });
});

test('a settleAndReceive whose answers are dropped settles once and loses nothing', async () => {
  const ids = await enqueue(9);
  const lease = await shaky().receive('reports', { max: 3 });
  harms = ['drop-reply', 'drop-request', 'drop-reply'];
  const more = await lease.settleAndReceive([{ id: ids[0] ?? '', attempt: 1, outcome: 'ack' }], { max: 3 });
  expect([makeIds(more), lease.isLost]).toEqual([ids.slice(3, 6), false]);
  expect(makeIds(await lease.settleAndReceive([], { max: 10 }))).toEqual(ids.slice(6));
  await lease.settle(ids.map((id) => ({ id, outcome: 'ack' })));
});

test('a settlement that got no answer at all goes with the next call, and its message does not count as held', async () => {
  const ids = await enqueue(4);
  const lease = await shaky(0).receive('reports', { max: 2 });
  for (const harm of ['drop-reply', 'drop-request'] as const) {
    harms = [harm];
    const [message] = lease.messages as [never];
    await expect(lease.ack(message)).rejects.toThrow(SluiceError);
    lease.messages.shift();
  }
  expect(makeIds(await lease.settleAndReceive([], { max: 10 }))).toEqual(ids.slice(2));
  expect(lease.isLost).toBe(false);
  await lease.settle(lease.messages.map(({ id }) => ({ id, outcome: 'ack' })));
  const { body } = { body: JSON.parse(proxy.seen.at(-2)?.body ?? '') };
  expect([makeIds(body.settle), body.receive.holding]).toEqual([ids.slice(0, 2), []]);
});

test('a settlement that is refused is taken back, and the others of the lease go on', async () => {
  await enqueue(3);
  const lease = await direct().receive('reports', { max: 3 });
  const [a, b, c] = lease.messages as [never, never, never];
  await expect(lease.retry(a, { delay: '400d' })).rejects.toMatchObject({ status: 422 });
  expect([await lease.ack(b), await lease.ack(c)]).toEqual(['acked', 'acked']);
  expect(await lease.extend('10m')).toBeGreaterThan(Date.now() + 500_000);
  await expect(lease.extend('400d')).rejects.toMatchObject({ status: 422 });
  expect([await lease.settleAndReceive([]), lease.isLost]).toEqual([[], false]); // it still counts as held
  expect(await lease.ack(a)).toBe('acked');
});

test('a refusal takes back nothing that an earlier call got no answer for', async () => {
  const [id = ''] = await enqueue(2);
  const lease = await shaky(0).receive('reports', { max: 2 });
  const [, b] = lease.messages as [never, never];
  harms = ['drop-request'];
  await expect(lease.settle([{ id, outcome: 'ack' }])).rejects.toMatchObject({ status: 0 });
  await expect(lease.retry(b, { delay: '400d' })).rejects.toMatchObject({ status: 422 });
  expect(await lease.ack(b)).toBe('acked');
  expect(await lease.settle([{ id, outcome: 'ack' }])).toEqual([{ id, status: 'gone' }]);
});

test('a settlement that got no answer and would be refused is refused once more, and then forgotten', async () => {
  await enqueue(2);
  const lease = await shaky(0).receive('reports', { max: 2 });
  const [a, b] = lease.messages as [never, never];
  harms = ['drop-request'];
  await expect(lease.retry(a, { delay: '400d' })).rejects.toMatchObject({ status: 0 });
  await expect(lease.ack(b)).rejects.toMatchObject({ status: 422 });
  expect([await lease.ack(b), await lease.ack(a)]).toEqual(['acked', 'acked']);
});

test('more than a hundred settlements go in several requests, and the last one takes more', async () => {
  const ids = await enqueue(230);
  const lease = await shaky().receive('reports', { max: 100 });
  await lease.settleAndReceive([], { max: 100 });
  const settled = ids.slice(0, 150).map((id) => ({ id, outcome: 'ack' as const }));
  harms = ['drop-reply', undefined, 'drop-reply'];
  expect(makeIds(await lease.settleAndReceive(settled, { max: 100 }))).toEqual(ids.slice(200));
  await lease.settle(ids.slice(150).map((id) => ({ id, outcome: 'ack' })));
  expect((await direct().receive('reports')).messages).toEqual([]);
});

test('large messages: what does not fit in an answer is told, and nothing is leased that was not given out', async () => {
  const body = 'x'.repeat(200_000);
  for (let i = 0; i < 6; i++) {
    await direct().enqueueMany(Array.from({ length: 10 }, () => ({ queue: 'reports', body })));
  }
  const lease = await direct().receive('reports', { max: 100, visibility: '1m' });
  const first = lease.messages.length;
  expect([first > 0 && first < 60, lease.hasMore]).toEqual([true, true]);
  const report = await deployed().call('/v1/queues/reports', { method: 'GET' });
  expect(await report.json()).toMatchObject({ leased: first, ready: { 4: 60 - first } });
  const seen = [...lease.messages];
  while (lease.hasMore) seen.push(...(await lease.settleAndReceive([], { max: 100, visibility: '1m' })));
  expect(new Set(makeIds(seen)).size).toBe(60);
  expect(seen.every(({ attempt }) => attempt === 1)).toBe(true);
  expect(await lease.settle(seen.map(({ id }) => ({ id, outcome: 'ack' })))).toHaveLength(60);
});

test('a lease that expired says so with the next receive', async () => {
  const [id] = await enqueue(1);
  const lease = await direct().receive('reports', { visibility: '1s' });
  await eventually('it was swept', async () => {
    const swept = await deployed().call('/v1/sweep');
    return ((await swept.json()) as { requeued: number }).requeued === 1;
  });
  expect(await lease.settleAndReceive([])).toEqual([]);
  expect(lease.isLost).toBe(true);
  const next = await direct().receive('reports');
  expect(next.messages).toMatchObject([{ id, attempt: 2 }]);
  await next.ack(next.messages[0] as never);
});
