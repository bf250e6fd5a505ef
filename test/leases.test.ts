// Leases over HTTP: which token may use one, and under which Idempotency-Key one begins.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { leases } from '../src/http/functions.ts';
import { createSluice, defineQueue } from '../src/index.ts';
import { type Bench, onEachRedis } from './support/bench.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const token = (name: string, queues: string[]) => ({ name, sha256: sha256(name), scopes: ['receive'], queues });
const TOKENS = JSON.stringify([
  token('all', ['*']),
  token('letters', ['letters.*']),
  token('numbers', ['numbers']),
  token('new-numbers', ['numbers']),
]);
const sluice = createSluice({
  queues: ['letters.a', 'letters.b', 'numbers'].map((name) => defineQueue(name, { kind: 'pull' })),
  functions: [leases],
});

interface Answer {
  status: number;
  lease: string;
  code?: string;
  errors?: { field: string }[];
  more?: true;
  messages?: { id: string; queue: string }[];
  settled?: { id: string; status: string }[];
}

/** Calls of one token. */
function as(b: Bench, name: string) {
  const env = {
    UPSTASH_REDIS_REST_URL: b.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token,
    SLUICE_PREFIX: b.prefix,
    SLUICE_TOKENS: TOKENS,
  };
  const post = async (path: string, body: object, key?: string): Promise<Answer> => {
    const headers = { authorization: `Bearer ${name}`, ...(key ? { 'idempotency-key': key } : {}) };
    const request = new Request(`http://x${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await sluice.fetch(request, env, { waitUntil: () => {}, passThroughOnException: () => {} } as never);
    return { status: answer.status, ...((await answer.json()) as Omit<Answer, 'status'>) };
  };
  return {
    receive: (queues: string[], key?: string, max = 10) => post('/v1/receive', { queues, max }, key),
    settle: (lease: string, body: object) => post(`/v1/leases/${lease}/settle`, body),
  };
}

const put = (b: Bench, ...queues: string[]) =>
  b.enqueue(...queues.map((queue, n) => b.message(queue, n, { pool: queue })));

onEachRedis('a lease over HTTP', (bench) => {
  test('begins under an Idempotency-Key for its queues alone: for others the key was used, and nothing is given out', async () => {
    const b = bench();
    await put(b, 'letters.a', 'letters.b', 'numbers');
    const first = await as(b, 'all').receive(['letters.a', 'letters.b'], 'key');
    expect(first.messages).toHaveLength(2);
    for (const queues of [['numbers'], ['letters.a'], ['letters.a', 'letters.b', 'numbers']]) {
      expect(await as(b, 'all').receive(queues, 'key')).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    }
    const again = await as(b, 'all').receive(['letters.b', 'letters.a', 'letters.a'], 'key');
    expect(again).toEqual({ ...first, expiresAt: expect.any(Number) });
    expect((await as(b, 'letters').receive(['letters.b'], 'key')).status).toBe(200); // keys of different tokens do not meet
    expect((await as(b, 'all').receive(['numbers'], 'other')).messages).toHaveLength(1);
  });

  test('is remembered under its key no longer than it may last', async () => {
    const b = bench();
    await as(b, 'all').receive(['numbers'], 'key');
    const [claim = ''] = Object.keys((await b.shard()).rest).filter((name) => name.startsWith('req:'));
    const ttl = await b.redises.raw.pttl(b.root + claim);
    expect([ttl > 0, ttl <= 30_000]).toEqual([true, true]);
    await b.redises.raw.pexpire(b.root + claim, 0);
    expect((await as(b, 'all').receive(['letters.a'], 'key')).status).toBe(200);
  });

  test.each([
    ['settled', (id: string) => ({ settle: [{ id, outcome: 'ack' }] })],
    ['extended', () => ({ extend: '12h' })],
    ['read', () => ({ receive: { queues: ['numbers'], holding: 0 } })],
    ['asked for', () => ({})],
  ])('cannot be %s with a token that is not for each of its queues', async (_, bodyOf) => {
    const b = bench();
    await put(b, 'numbers', 'letters.a');
    const { lease, messages = [] } = await as(b, 'all').receive(['numbers', 'letters.a']);
    const before = await b.shard();
    for (const name of ['letters', 'numbers']) {
      const answer = await as(b, name).settle(lease, bodyOf(messages[0]?.id ?? ''));
      expect(answer).toMatchObject({ status: 403, code: 'forbidden' });
    }
    expect(await b.shard()).toEqual(before);
  });

  test('is no other under a name that says other queues', async () => {
    const b = bench();
    await put(b, 'numbers');
    const { lease, messages = [] } = await as(b, 'all').receive(['numbers']);
    const [base = ''] = lease.split('~');
    const id = messages[0]?.id ?? '';
    const request = { settle: [{ id, outcome: 'ack' }], extend: '12h', receive: { queues: ['letters.a'], holding: 0 } };
    const answer = await as(b, 'letters').settle(`${base}~letters.a`, request);
    expect(answer).toMatchObject({ status: 200, settled: [{ id, status: 'stale' }], messages: [] });
    for (const name of [base, `${base}~`, `~numbers`, `${base}~numbers~`, `${base}~a%20b`]) {
      expect((await as(b, 'all').settle(name, request)).status).toBe(404);
    }
  });

  test('may be settled by whoever is for its queues: also by a new token of the same consumer', async () => {
    const b = bench();
    const [id = ''] = await put(b, 'numbers');
    const { lease } = await as(b, 'numbers').receive(['numbers']);
    const acked = await as(b, 'new-numbers').settle(lease, { settle: [{ id, outcome: 'ack' }] });
    expect(acked.settled).toEqual([{ id, status: 'acked' }]);
    b.alive.delete(id);
  });

  test('takes more from its own queues only', async () => {
    const b = bench();
    const { lease } = await as(b, 'all').receive(['numbers', 'letters.a']);
    const more = (...queues: string[]) => as(b, 'all').settle(lease, { receive: { queues, holding: 0 } });
    expect((await more('letters.a')).status).toBe(200);
    const other = await more('numbers', 'letters.b');
    expect([other.status, other.errors?.map(({ field }) => field)]).toEqual([422, ['receive.queues']]);
  });

  test('costs a command more where it begins under a key', async () => {
    const b = bench();
    await put(b, 'numbers', 'numbers', 'numbers', 'numbers');
    await as(b, 'all').receive(['numbers'], undefined, 1);
    const plain = await b.cost(() => as(b, 'all').receive(['numbers'], undefined, 1));
    const keyed = await b.cost(() => as(b, 'all').receive(['numbers'], 'key', 1));
    expect(keyed).toEqual({ commands: plain.commands + 1, requests: 1 });
  });
});
