// Queues that left the code: operators see what they still hold, and can do everything with it. Two deployments on one shard.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { api } from '../src/http/functions.ts';
import { type AnyQueue, createSluice, defineQueue } from '../src/index.ts';
import { type Bench, onEachRedis } from './support/bench.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ['enqueue', 'receive', 'admin'] },
  { name: 'old', sha256: sha256('old'), scopes: ['admin'], queues: ['old.*'] },
  { name: 'mailer', sha256: sha256('mailer'), scopes: ['admin'], queues: ['mail'] },
]);

const mail = defineQueue('mail', { handler: () => {} });
const report = defineQueue('old.report', { kind: 'pull', attempts: 2 });

// biome-ignore lint/suspicious/noExplicitAny: what it answers is what the tests look at
type Call = (method: string, path: string, body?: unknown, token?: string) => Promise<{ status: number; body: any }>;

/** One version of the code. */
function deploy(b: Bench, ...queues: AnyQueue[]): Call {
  const sluice = createSluice<object>({ queues, functions: api });
  const env = {
    UPSTASH_REDIS_REST_URL: b.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token,
    SLUICE_PREFIX: b.prefix,
    SLUICE_TOKENS: TOKENS,
    SLUICE_DRAIN_MS: '1000', // a drain of a tick would wait for messages that it gave back for later
  };
  const woken: Promise<unknown>[] = [];
  const context = { waitUntil: (drained: Promise<unknown>) => woken.push(drained), passThroughOnException() {} };
  return async (method, path, body, token = 'all') => {
    const request = new Request(`http://sluice${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await sluice.fetch(request, env, context as unknown as ExecutionContext);
    await Promise.all(woken.splice(0));
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
  };
}

/** Messages in every state, of a queue that then leaves the code. @returns the deployment that has it, the one that has not, and ids */
async function left(b: Bench) {
  const before = deploy(b, mail, report);
  const add = async (options: object) =>
    (await before('POST', '/v1/queues/old.report/messages', { body: 1, ...options })).body.id as string;
  const dead = await add({});
  const first = (await before('POST', '/v1/receive', { queues: ['old.report'] })).body;
  await before('POST', `/v1/leases/${first.lease}/settle`, { settle: [{ id: dead, outcome: 'dead', error: 'no' }] });
  const leased = await add({});
  await before('POST', '/v1/receive', { queues: ['old.report'], visibility: '1h' });
  const ready = await add({ group: 'g' });
  const delayed = await add({ delay: '1h' });
  await before('POST', '/v1/sweep');
  for (const id of [dead, leased, ready, delayed]) b.alive.add(id);
  b.unordered.add(delayed);
  return { before, after: deploy(b, mail), ids: { dead, leased, ready, delayed } };
}

onEachRedis('a queue that left the code', (bench) => {
  test('is shown with what it holds, to tokens that are for it, behind those of the deployment', async () => {
    const { after } = await left(bench());
    const old = {
      queue: 'old.report',
      kind: 'unknown',
      limits: {},
      overrides: {},
      ready: { 5: 1 },
      delayed: 1,
      leased: 1,
      dead: 1,
      oldestReadyAt: expect.any(Number),
      paused: false,
      complete: true,
      oldestComplete: true,
    };
    expect((await after('GET', '/v1/queues/old.report')).body).toEqual(old);
    const all = (await after('GET', '/v1/queues')).body;
    expect([all.queues.map(({ queue }: { queue: string }) => queue), all.queues[1]]).toEqual([
      ['mail', 'old.report'],
      old,
    ]);
    const names = async (query: string, token?: string) => {
      const { body } = await after('GET', `/v1/queues${query}`, undefined, token);
      return [body.queues.map(({ queue }: { queue: string }) => queue), body.cursor];
    };
    expect(await names('?limit=1')).toEqual([['mail'], 'mail']);
    expect(await names('?limit=1&cursor=mail')).toEqual([['old.report'], undefined]);
    expect(await names('?cursor=old.report')).toEqual([[], undefined]);
    expect(await names('?search=old')).toEqual([['old.report'], undefined]);
    expect(await names('', 'old')).toEqual([['old.report'], undefined]);
    expect(await names('', 'mailer')).toEqual([['mail'], undefined]);
    const { body: metrics } = await after('GET', '/metrics');
    expect(metrics).toContain('sluice_queue_unknown{queue="mail"} 0');
    expect(metrics).toContain('sluice_queue_unknown{queue="old.report"} 1');
    expect(metrics).toContain('sluice_queue_messages{queue="old.report",state="delayed"} 1');
    expect(metrics).toContain('sluice_deliveries_total{queue="old.report",outcome="dead"} 1');
    expect((await after('GET', '/metrics', undefined, 'mailer')).body).not.toContain('old.report');
  });

  test('is told by the audit, with how many messages it holds, and not mended', async () => {
    const b = bench();
    const { after, before } = await left(b);
    const findings = [{ finding: 'unknown-queue', name: 'old.report', messages: 4 }];
    for (const query of ['', '?repair=true', '?deep=true']) {
      expect((await after('GET', `/v1/audit${query}`)).body).toEqual({ findings });
    }
    expect((await before('GET', '/v1/audit')).body).toEqual({ findings: [] });
  });

  test('is operated as any other: its messages are listed, looked at, redriven, cancelled and purged', async () => {
    const b = bench();
    const { after, ids } = await left(b);
    for (const [state, id] of Object.entries(ids)) {
      const { body } = await after('GET', `/v1/queues/old.report/messages?state=${state}`);
      expect(body.messages).toMatchObject([{ id, state, queue: 'old.report' }]);
      expect((await after('GET', `/v1/messages/${id}`)).body).toMatchObject({ id, state, queue: 'old.report' });
    }
    expect((await after('GET', '/v1/queues/old.report/dead/causes')).body).toMatchObject({ dead: 1, looked: 1 });
    expect((await after('GET', '/v1/stats?range=1h&queue=old.report')).body.total).toMatchObject({ dead: 1 });
    const redrive = await after('POST', '/v1/queues/old.report/dead/redrive', { limit: 10 });
    expect(redrive.body).toEqual({ messages: [{ id: ids.dead, status: 'redriven' }] });
    expect((await after('DELETE', `/v1/messages/${ids.leased}`)).body.was).toBe('leased');
    const purged = (await after('POST', '/v1/queues/old.report/purge', {})).body;
    expect(purged).toEqual({ purged: 3, more: false });
    for (const id of Object.values(ids)) b.alive.delete(id);
    expect((await after('DELETE', '/v1/queues/old.report/dead')).body).toEqual({ purged: 0, more: false });
  });

  test('is paused, limited and resumed, and keeps that for when it is back', async () => {
    const { before, after, ids } = await left(bench());
    expect((await after('POST', '/v1/queues/old.report/pause')).body).toEqual({ queue: 'old.report', paused: true });
    await after('PATCH', '/v1/queues/old.report', { concurrency: 3 });
    expect((await after('GET', '/v1/queues/old.report')).body).toMatchObject({
      kind: 'unknown',
      paused: true,
      overrides: { concurrency: 3 },
    });
    expect((await before('POST', '/v1/receive', { queues: ['old.report'] })).body.messages).toEqual([]);
    await after('PATCH', '/v1/queues/old.report', { concurrency: null });
    await after('POST', '/v1/queues/old.report/resume');
    expect((await before('POST', '/v1/receive', { queues: ['old.report'] })).body.messages).toMatchObject([
      { id: ids.ready },
    ]);
  });

  test('takes nothing and gives nothing out, and is for no token that is not for it', async () => {
    const { after } = await left(bench());
    const refused = async (...call: Parameters<Call>) => {
      const { status, body } = await after(...call);
      return [status, body.code];
    };
    expect(await refused('POST', '/v1/queues/old.report/messages', { body: 1 })).toEqual([404, 'unknown_queue']);
    expect(await refused('POST', '/v1/receive', { queues: ['old.report'] })).toEqual([404, 'unknown_queue']);
    for (const path of ['', '/messages', '/dead/causes']) {
      expect(await refused('GET', `/v1/queues/old.report${path}`, undefined, 'mailer')).toEqual([403, 'forbidden']);
    }
    for (const path of ['/purge', '/pause', '/dead/redrive']) {
      expect(await refused('POST', `/v1/queues/old.report${path}`, {}, 'mailer')).toEqual([403, 'forbidden']);
      expect(await refused('POST', `/v1/queues/never${path}`, { limit: 1 })).toEqual([404, 'unknown_queue']);
    }
    expect(await refused('GET', '/v1/queues/*')).toEqual([404, 'unknown_queue']);
  });

  test('is shown no more when nothing of it is left', async () => {
    const b = bench();
    const { before, after, ids } = await left(b);
    await before('POST', '/v1/queues/old.report/purge', { states: ['ready', 'delayed', 'dead'] });
    await before('DELETE', `/v1/messages/${ids.leased}`);
    for (const id of Object.values(ids)) b.alive.delete(id);
    expect((await after('GET', '/v1/audit')).body).toEqual({ findings: [] });
    expect((await after('GET', '/v1/queues')).body.queues).toHaveLength(1);
  });

  test('is known from its keys where no deployment that had it ever swept', async () => {
    const b = bench();
    const after = deploy(b, mail);
    await b.enqueue(b.message('ghost', 1, { group: 'g' }), b.message('pulled', 2, { pool: 'pulled' }));
    await b.redises.raw.zadd(`${b.root}dead:dead-only`, 1, '1.x');
    const names = async () =>
      (await after('GET', '/v1/queues')).body.queues.map(({ queue }: { queue: string }) => queue);
    expect(await names()).toEqual(['mail', 'ghost']); // its lane stands in the shared index
    expect((await after('GET', '/v1/queues/pulled')).body).toMatchObject({ kind: 'unknown', ready: { 5: 1 } });
    await after('POST', '/v1/sweep');
    expect(await names()).toEqual(['mail', 'dead-only', 'ghost', 'pulled']);
    await b.redises.raw.del(`${b.root}dead:dead-only`);
  });
});
