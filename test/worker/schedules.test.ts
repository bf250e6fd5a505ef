// Schedules over HTTP, and fired by the deployed bundle: by cron ticks, by drains that sleep, by consumers elsewhere.
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const deployed = deploy({
  env: {
    SLUICE_DRAIN_MS: '16000',
    SLUICE_TOKENS: JSON.stringify([
      { name: 'all', sha256: sha256('all'), scopes: ['enqueue', 'receive', 'admin'] },
      { name: 'github', sha256: sha256('github'), scopes: ['admin'], queues: ['github.*'] },
    ]),
  },
});

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what it must be
  body: any;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  { token = 'all', headers = {} } = {},
): Promise<Answer> {
  const answer = await deployed().call(path, { method, token, headers, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, body: await answer.json() };
}

const at = (id: string, what = '') => `/v1/schedules/${id}${what}`;
const HOURLY = { every: '1h', queue: 'reports', body: { report: 7 } };

/** What the pull queue has, and is gone from it then. */
async function received(): Promise<{ body: unknown; headers: Record<string, string> }[]> {
  const { body } = await call('POST', '/v1/receive', { queues: ['reports'], max: 100 });
  const settle = body.messages.map(({ id }: { id: string }) => ({ id, outcome: 'ack' }));
  await call('POST', `/v1/leases/${body.lease}/settle`, { settle });
  return body.messages;
}

afterEach(async () => {
  for (const { id, origin } of (await call('GET', '/v1/schedules?limit=100')).body.schedules) {
    if (origin === 'api') await call('DELETE', at(id));
  }
  await received();
});

describe('a schedule over HTTP', () => {
  test('SD6 comes also where its time is missing and the gap ends on the next day, by the tables of this runtime', async () => {
    // The day before the last Sunday of March, whose last hour is missing in Nuuk.
    const cron = { cron: '30 23 24-30 3 +6', tz: 'America/Nuuk', queue: 'reports', body: null };
    const { next } = (await call('PUT', at('nuuk'), cron)).body;
    const occurrences = next.map((occurrence: number) => new Date(occurrence));
    expect(
      occurrences.map((occurrence: Date) => occurrence.getUTCFullYear() - occurrences[0].getUTCFullYear()),
    ).toEqual([0, 1, 2]);
    for (const occurrence of occurrences)
      expect(occurrence.toISOString()).toMatch(/-03-(2[5-9]|3[01])T01:00:00\.000Z$/);
  });

  test('is put, seen with its next occurrences, changed and removed', async () => {
    const cron = { cron: '  0 9  * * 1-5 ', tz: 'Europe/Berlin', queue: 'reports', body: null, priority: 2 };
    const put = await call('PUT', at('a'), cron);
    expect(put.status).toBe(200);
    const { next, ...rest } = put.body;
    expect(rest).toEqual({
      id: 'a',
      state: 'active',
      origin: 'api',
      cron: '0 9 * * 1-5',
      tz: 'Europe/Berlin',
      queue: 'reports',
      catchUp: 'one',
      message: { body: null, priority: 2 },
    });
    expect(next).toHaveLength(3);
    expect(next).toEqual(next.toSorted((a: number, b: number) => a - b));
    expect((await call('PUT', at('a'), cron)).body).toEqual(put.body); // repeated, it changes nothing
    expect((await call('GET', at('a'))).body).toEqual(put.body);
    const changed = await call('PUT', at('a'), { ...HOURLY, catchUp: { all: 5 } });
    expect(changed.body).toMatchObject({ everyMs: 3_600_000, catchUp: { all: 5 } });
    expect(changed.body.next.map((occurrence: number) => occurrence % 3_600_000)).toEqual([0, 0, 0]);
    const listed = await call('GET', '/v1/schedules');
    expect(listed.body.schedules).toContainEqual({ ...changed.body, message: undefined });
    expect((await call('DELETE', at('a'))).body).toEqual({ id: 'a', removed: true });
    expect((await call('GET', at('a'))).status).toBe(404);
  });

  test.each<[string, object, string]>([
    ['four fields', { ...HOURLY, every: undefined, cron: '0 9 * *' }, 'cron'],
    ['six fields', { ...HOURLY, every: undefined, cron: '0 0 9 * * *' }, 'cron'],
    ['a date that never comes', { ...HOURLY, every: undefined, cron: '0 0 31 2 *' }, 'cron'],
    ['an unknown zone', { ...HOURLY, every: undefined, cron: '0 9 * * *', tz: 'Europe/Nowhere' }, 'tz'],
    ['an offset for a zone', { ...HOURLY, every: undefined, cron: '0 9 * * *', tz: '+01:00' }, 'tz'],
    ['an interval below a second', { ...HOURLY, every: 999 }, 'every'],
    ['neither cron nor interval', { ...HOURLY, every: undefined }, 'cron'],
    ['both', { ...HOURLY, cron: '0 9 * * *' }, 'every'],
    ['a zone without cron', { ...HOURLY, tz: 'UTC' }, 'tz'],
    ['an unknown queue', { ...HOURLY, queue: 'nowhere' }, 'queue'],
    ['a body against the schema', { ...HOURLY, queue: 'confirmation.email', body: { to: 'nobody' } }, 'body.to'],
    ['no body', { ...HOURLY, body: undefined }, 'body'],
    ['an instant', { ...HOURLY, notBefore: 0 }, 'notBefore'],
    ['a cap beyond the bound', { ...HOURLY, catchUp: { all: 101 } }, 'catchUp.all'],
    ['more than 64 KiB', { ...HOURLY, body: 'x'.repeat(65_536) }, 'body'],
    ['a dedup key that is none', { ...HOURLY, dedup: { key: '' } }, 'dedup.key'],
  ])('with %s is refused, and the field is named', async (_, body, field) => {
    const { status, body: problem } = await call('PUT', at('bad'), body);
    expect([status, problem.code]).toEqual([422, 'invalid_message']);
    expect(problem.errors.map((issue: { field: string }) => issue.field)).toContain(field);
    expect((await call('GET', at('bad'))).status).toBe(404);
  });

  test('is run now, once for one key, and its next occurrence stays', async () => {
    const { next } = (await call('PUT', at('a'), HOURLY)).body;
    const headers = { 'idempotency-key': `run-${Math.random()}` };
    const runs = [];
    for (let i = 0; i < 2; i++) runs.push(await call('POST', at('a', '/run'), undefined, { headers }));
    expect(runs.map(({ status }) => status)).toEqual([202, 202]);
    expect(runs[1]?.body).toEqual(runs[0]?.body);
    expect(await received()).toMatchObject([{ body: { report: 7 }, headers: { 'sluice-schedule': 'a' } }]);
    expect((await call('GET', at('a'))).body.next).toEqual(next);
  });

  test('is paused, can be run then, and is resumed', async () => {
    await call('PUT', at('a'), HOURLY);
    expect((await call('POST', at('a', '/pause'))).body).toMatchObject({ state: 'paused', next: [] });
    expect((await call('POST', at('a', '/run'))).status).toBe(202);
    expect((await call('PUT', at('a'), { ...HOURLY, every: '2h' })).body).toMatchObject({ state: 'paused', next: [] });
    expect((await call('POST', at('a', '/resume'))).body.next).toHaveLength(3);
  });

  test('of the code is there after a tick, and cannot be put or removed, but paused and run', async () => {
    await deployed().worker.tick();
    const { body } = await call('GET', at('weekly-digest'));
    expect(body).toMatchObject({
      origin: 'code',
      cron: '30 7 * * 1',
      tz: 'Europe/Berlin',
      queue: 'notification.email',
    });
    expect((await call('PUT', at('weekly-digest'), HOURLY)).body.code).toBe('schedule_of_code');
    expect((await call('DELETE', at('weekly-digest'))).body.code).toBe('schedule_of_code');
    expect((await call('POST', at('weekly-digest', '/run'))).status).toBe(202);
    expect((await call('POST', at('weekly-digest', '/pause'))).body.state).toBe('paused');
    await deployed().worker.tick();
    expect((await call('GET', at('weekly-digest'))).body.state).toBe('paused');
    expect((await call('POST', at('weekly-digest', '/resume'))).body.next).toEqual(body.next);
  });

  test('is for tokens of its queue only, and of the queues of what follows', async () => {
    await call('PUT', at('a'), HOURLY);
    const mine = { ...HOURLY, queue: 'github.review', body: 1 };
    const token = { token: 'github' };
    const codes = [
      await call('GET', at('a'), undefined, token),
      await call('PUT', at('a'), mine, token),
      await call('PUT', at('b'), HOURLY, token),
      await call('PUT', at('b'), { ...mine, onFailure: { queue: 'reports', body: 1 } }, token),
      await call('DELETE', at('a'), undefined, token),
      ...(await Promise.all(
        ['/run', '/pause', '/resume'].map((what) => call('POST', at('a', what), undefined, token)),
      )),
    ].map(({ body }) => body.code);
    expect(codes).toEqual(Array(8).fill('forbidden'));
    expect((await call('PUT', at('b'), mine, token)).status).toBe(200);
    const { schedules } = (await call('GET', '/v1/schedules', undefined, token)).body;
    expect(schedules.map(({ id }: { id: string }) => id)).toEqual(['b']);
    expect((await call('GET', at('a'))).body).toMatchObject({ state: 'active', queue: 'reports' });
  });
});

describe('occurrences', () => {
  test('of every four seconds: two ticks at once fire them, as drains that sleep until each, once and none left out', async () => {
    const { next } = (await call('PUT', at('often'), { every: '4s', queue: 'reports', body: 1 })).body;
    await Promise.all([deployed().worker.tick(), deployed().worker.tick()]);
    const occurrences = (await received()).map(({ headers }) => Number(headers['sluice-occurrence']));
    expect(occurrences.length).toBeGreaterThanOrEqual(2);
    expect(occurrences.toSorted()).toEqual(occurrences.map((_, i) => next[0] + i * 4_000));
  });

  test('that a consumer elsewhere meets are fired by it: it gets its own, and a drain gets the others', async () => {
    await call('PUT', at('mine'), { every: '1s', queue: 'reports', body: 'mine' });
    await call('PUT', at('other'), { every: '1s', queue: 'github.activity', body: 'other' });
    const before = deployed().outbox.deliveries.length;
    const bodies: unknown[] = [];
    await eventually('both come', async () => {
      bodies.push(...(await received()).map(({ body }) => body));
      return bodies.includes('mine') && deployed().outbox.deliveries.length > before;
    });
  });
});
