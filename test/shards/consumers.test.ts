// Consumers elsewhere over several shards: what each call takes, in which order, and that nothing is lost or given out twice, whatever is
// lost on the way.
import { beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import type { Engine } from '../../src/engine.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import { enqueue } from '../../src/store/enqueue.ts';
import { openStore } from '../../src/store/store.ts';
import { nameAt, named, onShards, type Sharded, TOKEN } from '../support/sharded.ts';
import { type Answered, callerOf, fetcherOf } from '../support/sharded-api.ts';
import { AT, inputTo, MAP, NAMES, PULLED } from '../support/three-shards.ts';

const BESIDE = nameAt(MAP, 't0', 'beside');
const QUEUES: AnyQueue[] = [...PULLED, defineQueue(BESIDE, { kind: 'pull' })];
const input = inputTo(QUEUES);

const current = onShards(3);
let s: Sharded;
let engine: Engine;
let call: ReturnType<typeof callerOf>;
beforeEach(async () => {
  s = current();
  engine = s.engine(QUEUES);
  call = callerOf(engine);
  await engine.fleet.ready();
});

/** So many for each of the queues, named by their shards. @returns their ids */
async function put(count: number, queues: readonly string[] = AT): Promise<string[]> {
  const bodies = queues.flatMap((queue) =>
    Array.from({ length: count }, (_, i) => input(queue, `${NAMES[AT.indexOf(queue)]}-${i}`)),
  );
  const { receipts } = await engine.accept(bodies);
  await expect.poll(() => s.parcels(), { timeout: 10_000 }).toEqual([]);
  return receipts.map(({ id }) => id);
}

interface Given {
  id: string;
  attempt: number;
  body: string;
}

const given = ({ body }: Answered): Given[] => body.messages;
const bodies = (answer: Answered) => given(answer).map(({ body }) => body);
const ids = (answer: Answered) => given(answer).map(({ id }) => id);
const acks = (answer: Answered) => given(answer).map(({ id, attempt }) => ({ id, attempt, outcome: 'ack' }));
const statuses = ({ body }: Answered) => body.settled.map(({ status }: { status: string }) => status);

const receive = (queues: readonly string[], max = 100) => call('POST /v1/receive', { queues, max });

/** Scripts are known everywhere. */
async function warm(): Promise<void> {
  for (const queue of AT) {
    const { body } = await receive([queue]);
    await call(`POST /v1/leases/${body.lease}/settle`, {});
  }
}

/** Answers of syncs with this shard are lost, so many of them. */
function lose(name: string, count: number, mishap: 'lost' | 'unheard' = 'lost'): void {
  let left = count;
  s.mishap = ({ shard, command }) => {
    if (shard !== name || !/^EVAL/.test(command[0] ?? '') || left === 0) return undefined;
    left -= 1;
    return mishap;
  };
}

describe('receiving', () => {
  test('from queues of three shards is a request to each, and of one shard one', async () => {
    await warm();
    await put(1);
    s.calls.length = 0;
    expect(bodies(await receive(AT))).toEqual(['t0-0', 't1-0', 't2-0']);
    expect(s.calls.map(({ shard }) => shard)).toEqual(NAMES);
    s.calls.length = 0;
    await receive([AT[0], BESIDE]);
    expect(s.calls.map(({ shard }) => shard)).toEqual(['t0']);
  });

  test('asks in the order of the queues, and no further than it has to', async () => {
    await warm();
    await put(3);
    s.calls.length = 0;
    expect(bodies(await receive([AT[2], AT[0], AT[1]], 4))).toEqual(['t2-0', 't2-1', 't2-2', 't0-0']);
    expect(s.calls.map(({ shard }) => shard)).toEqual(['t2', 't0']);
  });

  test('does not wait for a shard whose answer is lost: what it took comes with the next call', async () => {
    await put(2);
    let send = fetcherOf(engine);
    const client = createClient({ url: 'http://sluice.test', token: TOKEN, fetch: (...request) => send(...request) });
    lose('t1', 1, 'unheard');
    const first = await client.receive(AT);
    send = fetcherOf(s.engine(QUEUES)); // one that does not leave it alone
    expect(first.messages.map(({ body }) => body)).not.toContain('t1-0');
    const then = await first.settleAndReceive([], { max: 100 });
    expect(then.map(({ body, attempt }) => [body, attempt])).toEqual([
      ['t1-0', 1],
      ['t1-1', 1],
    ]);
  });

  test('under the same key gives what was lost on its way, and takes no more than it may', async () => {
    await put(2);
    const send = fetcherOf(engine);
    const request = async () => {
      const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', 'idempotency-key': 'k' };
      const body = JSON.stringify({ queues: AT, max: 3 });
      const answer = await send('http://sluice.test/v1/receive', { method: 'POST', headers, body });
      return (await answer.json()) as { messages: Given[] };
    };
    const first = await request();
    expect(first.messages.map(({ body }) => body)).toEqual(['t0-0', 't0-1', 't1-0']);
    expect((await request()).messages).toEqual(first.messages);
  });

  test('goes on without a shard that is away', async () => {
    await put(1);
    s.mishap = ({ shard }) => (shard === 't0' ? 'down' : undefined);
    const answer = await receive(AT);
    expect([bodies(answer), answer.away]).toEqual([['t1-0', 't2-0'], 't0']);
    const none = await receive([AT[0]]);
    expect([none.status, none.body.shard]).toEqual([503, 't0']);
  });

  test('of a queue that has moved gives what is left where it was, behind what is at its home', async () => {
    await put(1, [AT[1]]);
    await s.change(engine, () => ({ pins: [{ place: `q:${AT[1]}`, shard: 't2' }] }));
    const other = s.engine(QUEUES);
    await other.accept([input(AT[1], 'new')]);
    const { body } = await callerOf(other)('POST /v1/receive', { queues: [AT[1]] });
    expect(body.messages.map(({ body }: Given) => body)).toEqual(['new', 't1-0']);
  });

  test('of what is left on several shards takes no more than it may, and the rest is ready as before', async () => {
    for (const name of ['t1', 't2']) {
      const message = { lane: `5:${AT[0]}`, pool: AT[0], maxAttempts: 3, delayMs: 0, ttlMs: 0, json: '{"body":1}' };
      await enqueue(named(engine, name), { messages: [message, message] });
    }
    await s.change(engine, () => ({ pins: [{ place: 'q:some', shard: 't2' }] }));
    const other = callerOf(s.engine(QUEUES));
    const first = await other('POST /v1/receive', { queues: [AT[0]], max: 3 });
    expect(first.body.messages).toHaveLength(3);
    expect(first.body.more).toBe(true);
    const rest = await other('POST /v1/receive', { queues: [AT[0]], max: 3 });
    expect(given(rest).map(({ attempt }) => attempt)).toEqual([1]);
  });

  test('by an isolate that nobody tells of a newer map finds a queue that has moved', async () => {
    await receive([AT[1]]);
    const other = s.engine(QUEUES);
    await s.change(other, () => ({ pins: [{ place: `q:${AT[1]}`, shard: 't2' }] }));
    await other.accept([input(AT[1], 'new')]);
    expect(bodies(await receive([AT[1]]))).toEqual([]);
    const real = Date.now;
    Date.now = () => real() + 31_000;
    try {
      expect(bodies(await receive([AT[1]]))).toEqual(['new']);
    } finally {
      Date.now = real;
    }
  });

  test('of a queue that is anywhere leaves no shard without its turn', async () => {
    for (const name of NAMES) {
      const messages = Array.from({ length: 40 }, (_, i) => ({
        lane: '5:anywhere',
        pool: 'anywhere',
        maxAttempts: 3,
        delayMs: 0,
        ttlMs: 0,
        json: `{"body":"${name}-${i}"}`,
      }));
      await enqueue(named(engine, name), { messages });
    }
    let last = await receive(['anywhere'], 1);
    const shards = new Set(bodies(last).map((body) => body.slice(0, 2)));
    for (let i = 0; i < 40 && shards.size < 3; i++) {
      const settle = acks(last);
      const { lease } = last.body.lease ? last.body : { lease: leaseOf(last) };
      last = await again(lease, { settle, receive: { queues: ['anywhere'], max: 1, holding: [] } });
      for (const body of bodies(last)) shards.add(body.slice(0, 2));
    }
    expect([...shards].toSorted()).toEqual(NAMES);
  });
});

const leases = new WeakMap<Answered, string>();
const leaseOf = (answer: Answered) => answer.body.lease ?? (leases.get(answer) as string);

/** @returns its answer, which knows its lease */
async function again(lease: string, body: object): Promise<Answered> {
  const answer = await call(`POST /v1/leases/${lease}/settle`, body);
  leases.set(answer, lease);
  return answer;
}

/** For how much longer each shard keeps its part of a lease, ms. */
const lasting = (lease: string) =>
  Promise.all(
    s.tags.map(async (tag) => {
      const until = Number(await s.redises.raw.zscore(`{${tag}}:timers`, `l ${lease}`));
      return until - Date.now();
    }),
  );

describe('settling', () => {
  test('goes to the shards that have the messages, whatever their ids say', async () => {
    await put(1);
    // Ids that speak of another shard than the one that has them, as those of callbacks and of occurrences do.
    const [strange] = await put(1, [AT[0]]);
    const swapped = `${strange?.slice(0, 8)}${engine.fleet.named('t2').identity.label}${strange?.slice(10)}-done1`;
    await rename(strange as string, swapped);
    const first = await receive(AT);
    expect(ids(first)).toContain(swapped);
    const answer = await again(leaseOf(first), { settle: acks(first) });
    expect(statuses(answer)).toEqual(['acked', 'acked', 'acked', 'acked']);
    expect(await s.messages()).toEqual([]);
  });

  test('asks only the shards that the lease may be on', async () => {
    await put(1);
    const first = await receive([AT[1]]);
    s.calls.length = 0;
    await again(leaseOf(first), { settle: acks(first), extend: '30s' });
    expect(new Set(s.calls.map(({ shard }) => shard))).toEqual(new Set(['t1']));
  });

  test('of a shard that is away is unanswered, and done when it comes again; the others go on', async () => {
    await put(2);
    const first = await receive(AT, 100);
    s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
    await put(1, [AT[0]]);
    const more = { queues: AT, max: 10, holding: [] };
    const answer = await again(leaseOf(first), { settle: acks(first), extend: '30s', receive: more });
    expect(statuses(answer)).toEqual(['acked', 'acked', 'unanswered', 'unanswered', 'acked', 'acked']);
    expect([bodies(answer), answer.away, answer.body.lost]).toEqual([['t0-0'], 't1', undefined]);
    s.mishap = () => undefined;
    const other = callerOf(s.engine(QUEUES)); // one that does not leave it alone
    const then = await other(`POST /v1/leases/${leaseOf(first)}/settle`, { settle: acks(first).slice(2, 4) });
    expect(statuses(then)).toEqual(['acked', 'acked']);
  });

  test.each([
    ['does not say what it has of it', /^LRANGE/],
    ['says what it has of it, and not that it has extended that', /^EVAL/],
  ])('tells no new end of the lease where a shard %s', async (_, silent) => {
    await put(1);
    for (const receives of [false, true]) {
      const first = await receive(AT);
      const [lease, held] = [leaseOf(first), ids(first)];
      s.mishap = ({ shard, command }) => (shard === 't1' && silent.test(command[0] ?? '') ? 'down' : undefined);
      const extension = { extend: '10m', ...(receives && { receive: { queues: AT, max: 5, holding: held } }) };
      const answer = await again(lease, extension);
      expect([answer.status, answer.away, answer.body.expiresAt]).toEqual([200, 't1', undefined]);
      expect((await lasting(lease)).map((ms) => ms > 60_000)).toEqual([true, false, true]);
      s.mishap = () => undefined;
      call = callerOf(s.engine(QUEUES)); // one that does not leave it alone
      const then = await again(lease, extension);
      expect(then.body.expiresAt).toBeGreaterThan(first.body.expiresAt + 60_000);
      expect((await lasting(lease)).every((ms) => ms > 60_000)).toBe(true);
      await again(lease, { settle: held.map((id) => ({ id, outcome: 'release' })) });
    }
  });

  test('is told to the client as the end that the lease had, where a shard has not said that it has extended its part', async () => {
    await put(1);
    const lease = await createClient({ url: 'http://sluice.test', token: TOKEN, fetch: fetcherOf(engine) }).receive(AT);
    const { expiresAt } = lease;
    s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
    expect(await lease.extend('10m')).toBe(expiresAt);
    s.mishap = () => undefined;
  });

  test('whose answer was lost settles nothing twice', async () => {
    await put(1);
    const first = await receive(AT);
    lose('t1', 1);
    const answer = await again(leaseOf(first), { settle: acks(first) });
    expect(statuses(answer)).toEqual(['acked', 'gone', 'acked']); // the repetition finds it done
    expect(await s.messages()).toEqual([]);
  });
});

describe('taking more', () => {
  test('gives what was lost on any shard first, once, and no more than is asked for', async () => {
    await put(4);
    const first = await receive(AT, 6); // all of the first shard, and half of the second
    expect(bodies(first)).toEqual(['t0-0', 't0-1', 't0-2', 't0-3', 't1-0', 't1-1']);
    // Its answer is taken for lost: nothing is held.
    const lost = await again(leaseOf(first), { receive: { queues: AT, max: 3, holding: [] } });
    expect(bodies(lost)).toHaveLength(3);
    const held = ids(lost);
    const rest = await again(leaseOf(first), { receive: { queues: AT, max: 100, holding: held } });
    const all = [...bodies(lost), ...bodies(rest)];
    expect(all.toSorted()).toEqual(NAMES.flatMap((name) => [0, 1, 2, 3].map((i) => `${name}-${i}`)));
    expect(given(rest).every(({ attempt }) => attempt === 1)).toBe(true);
  });

  test('does not give again what is held under ids that say another shard', async () => {
    const [strange] = await put(1, [AT[0]]);
    const swapped = `${strange?.slice(0, 8)}${engine.fleet.named('t2').identity.label}${strange?.slice(10)}`;
    await rename(strange as string, swapped);
    const first = await receive(AT);
    expect(ids(first)).toEqual([swapped]);
    await put(1, [AT[2]]);
    const answer = await again(leaseOf(first), { receive: { queues: AT, max: 10, holding: [swapped] } });
    expect([bodies(answer), answer.body.lost]).toEqual([['t2-0'], undefined]);
  });

  test('does not give again what the same call settles', async () => {
    const [strange] = await put(1, [AT[0]]);
    const swapped = `${strange?.slice(0, 8)}${engine.fleet.named('t1').identity.label}${strange?.slice(10)}-done1`;
    await rename(strange as string, swapped);
    const first = await receive(AT);
    const answer = await again(leaseOf(first), { settle: acks(first), receive: { queues: AT, max: 10, holding: [] } });
    expect([statuses(answer), bodies(answer)]).toEqual([['acked'], []]);
  });

  test('does not give again what its shard would not settle in the same call', async () => {
    await put(1);
    const first = await receive(AT);
    let isFull = true;
    s.redises.refuse = ({ keys }) => {
      if (!isFull || !keys.includes(`{${s.tags[1]}}:lease:${leaseOf(first)}`)) return undefined;
      isFull = false; // by the next call of this script it has room again
      return { from: 1, times: Number.POSITIVE_INFINITY };
    };
    const settle = given(first).map(({ id, attempt }) => ({ id, attempt, outcome: 'retry', delay: '1s' }));
    const more = { queues: AT, max: 10, holding: [] };
    const answer = await again(leaseOf(first), { settle, extend: '30s', receive: more });
    delete s.redises.refuse;
    expect(isFull).toBe(false);
    expect([statuses(answer), bodies(answer)]).toEqual([['retried', 'unanswered', 'retried'], []]);
    expect(statuses(await again(leaseOf(first), { settle: settle.slice(1, 2) }))).toEqual(['retried']);
  });

  test('gives what comes again while its first delivery is still held, where the lease has begun anew', async () => {
    await put(2, [AT[1]]);
    const first = await receive(AT, 1);
    const held = ids(first)[0] as string;
    s.aheadMs = 31_000;
    await openStore(named(engine, 't1')).sweep('*');
    s.mishap = ({ shard }) => (shard === 't2' ? 'down' : undefined); // so that nobody can say that it was lost
    const ask = (max: number, holding: string[]) =>
      callerOf(s.engine(QUEUES))(`POST /v1/leases/${leaseOf(first)}/settle`, { receive: { queues: AT, max, holding } });
    const lost = await ask(1, [`1.${held}`]); // nobody hears it
    expect(given(lost).map(({ id, attempt }) => [id, attempt])).toEqual([[held, 2]]);
    const answer = await ask(10, [`1.${held}`]);
    expect(given(answer).map(({ body, attempt }) => [body, attempt])).toEqual([
      ['t1-0', 2],
      ['t1-1', 1],
    ]);
    s.mishap = () => undefined;
    expect((await ask(10, [`1.${held}`, `1.${ids(answer)[1]}`])).body.lost).toBe(true);
  });

  test('whose answers are all lost gives everything with the next', async () => {
    await put(2);
    const first = await receive([AT[0], AT[1], AT[2]], 1);
    const more = { queues: AT, max: 100, holding: ids(first) };
    await again(leaseOf(first), { receive: more }); // nobody hears it
    const answer = await again(leaseOf(first), { receive: more });
    expect(bodies(answer).toSorted()).toEqual(['t0-1', 't1-0', 't1-1', 't2-0', 't2-1']);
  });

  test('is refused where a number says what is held on several shards', async () => {
    await put(1);
    const first = await receive(AT);
    const answer = await again(leaseOf(first), { receive: { queues: AT, max: 1, holding: 3 } });
    expect([answer.status, answer.body.errors[0].code]).toEqual([422, 'holding_ids']);
    const one = await again(leaseOf(first), { receive: { queues: [AT[0]], max: 1, holding: 1 } });
    expect(one.status).toBe(422); // the lease is for others, too
    expect((await again(leaseOf(first), { receive: { queues: AT, max: 0, holding: 0 } })).status).toBe(200);
  });

  test('takes a number where the queues are on one shard', async () => {
    await put(2, [AT[1]]);
    const first = await receive([AT[1]], 1);
    const answer = await again(leaseOf(first), { receive: { queues: [AT[1]], max: 5, holding: 1 } });
    expect(bodies(answer)).toEqual(['t1-1']);
  });

  test('tells that the lease was lost where a part of it was', async () => {
    await put(1);
    const first = await receive(AT);
    await s.redises.raw.del(`{${s.tags[1]}}:lease:${leaseOf(first)}`);
    const answer = await again(leaseOf(first), { receive: { queues: AT, max: 5, holding: ids(first) } });
    expect([answer.body.lost, answer.body.messages]).toEqual([true, undefined]);
  });
});

test('the client settles again what was not answered, and does not count it as held', async () => {
  await put(1);
  let send = fetcherOf(engine);
  const sent: string[] = [];
  const fetching: typeof send = (url, init) => {
    sent.push(String(init?.body));
    return send(url, init);
  };
  const lease = await createClient({ url: 'http://sluice.test', token: TOKEN, fetch: fetching }).receive(AT);
  s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
  const [, second, third] = lease.messages;
  const settled = await lease.settle(
    lease.messages.slice(0, 2).map(({ id, attempt }) => ({ id, attempt, outcome: 'ack' })),
  );
  expect(settled.map(({ status }) => status)).toEqual(['acked', 'unanswered']);
  s.mishap = () => undefined;
  send = fetcherOf(s.engine(QUEUES)); // one that does not leave it alone
  await lease.settleAndReceive([]);
  const last = JSON.parse(sent.at(-1) ?? '');
  expect(last.settle.map(({ id }: Given) => id)).toEqual([second?.id]);
  expect(last.receive.holding).toEqual([`1.${third?.id}`]);
  expect((await s.messages()).map(({ body }) => body)).toEqual(['t2-0']);
});

test('the client takes nothing more while a part of many outcomes has got no answer: its shard may have them still', async () => {
  await put(40);
  let send = fetcherOf(engine);
  const fetching: typeof send = async (url, init) => {
    const answer = await send(url, init);
    if (s.mishap({ shard: 't1', command: [] }) === undefined) return answer;
    s.mishap = () => undefined; // it is back by the next request
    send = fetcherOf(s.engine(QUEUES)); // one that does not leave it alone
    return answer;
  };
  const client = createClient({ url: 'http://sluice.test', token: TOKEN, fetch: fetching });
  const lease = await client.receive(AT, { max: 100 });
  const all = [...lease.messages, ...(await lease.settleAndReceive([], { max: 20 }))];
  expect(all).toHaveLength(120);
  s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
  const outcomes = all.slice(0, 110).map(({ id, attempt }) => ({ id, attempt, outcome: 'ack' as const }));
  expect(await lease.settleAndReceive(outcomes, { max: 100 })).toEqual([]);
  expect((await s.messages()).map(({ shard }) => shard).toSorted()).toEqual([
    ...Array<string>(40).fill('t1'),
    ...Array<string>(10).fill('t2'),
  ]);
  expect(await lease.settleAndReceive([], { max: 100 })).toEqual([]);
  expect(await s.messages()).toHaveLength(10);
}, 30_000);

/** The client's loop, with every fourth answer of storage lost, while a shard is away for a while. */
test('the consumer of the client handles each message, on whichever shard, with answers lost and a shard away', async () => {
  await put(8);
  const handled = new Map<string, number>();
  const running = new Set<string>();
  let twice = 0;
  let calls = 0;
  let isAway = true;
  s.mishap = ({ shard, command }) => {
    if (shard === 't2' && isAway) return 'down';
    return /^EVAL/.test(command[0] ?? '') && calls++ % 4 === 3 ? 'lost' : undefined;
  };
  let send = fetcherOf(engine);
  const client = createClient({ url: 'http://sluice.test', token: TOKEN, fetch: (...request) => send(...request) });
  const enough = new AbortController();
  const consuming = client.consume(
    AT,
    async ({ id, body }) => {
      if (running.has(id)) twice += 1;
      running.add(id);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running.delete(id);
      handled.set(String(body), (handled.get(String(body)) ?? 0) + 1);
      if (handled.size === 16) {
        isAway = false;
        send = fetcherOf(s.engine(QUEUES)); // one that does not leave it alone
      }
      if (handled.size === 24) enough.abort();
    },
    { signal: enough.signal, concurrency: 4, idleMs: { least: 10, most: 50 } },
  );
  const later = setTimeout(() => enough.abort(), 50_000);
  // The others do not wait for the one that is away: it is until these are handled, and a moment later there are more.
  await expect.poll(() => handled.size, { timeout: 20_000 }).toBeGreaterThanOrEqual(16);
  await consuming;
  clearTimeout(later);
  expect(twice).toBe(0);
  expect([...handled.values()].every((times) => times === 1)).toBe(true);
  expect(handled.size).toBe(24);
}, 60_000);

/** Under another id from now on: as it would be if it had been made elsewhere. */
async function rename(id: string, to: string): Promise<void> {
  const { raw } = s.redises;
  const root = `{${s.tags[0]}}:`;
  await raw.rename(`${root}m:${id}`, `${root}m:${to}`);
  await raw.lrem(`${root}lane:5:${AT[0]}`, 1, `1.${id}`);
  await raw.lpush(`${root}lane:5:${AT[0]}`, `1.${to}`);
}
