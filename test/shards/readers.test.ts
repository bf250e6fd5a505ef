// What operators see of several shards: one thing wherever it is, lists through all of them, sums; and what is said where one is away.
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Engine } from '../../src/engine.ts';
import type { MessageOptions } from '../../src/message/options.ts';
import { PARCEL_QUEUE, pack } from '../../src/shards/parcel.ts';
import { enqueue } from '../../src/store/enqueue.ts';
import { named, onShards, type Sharded } from '../support/sharded.ts';
import { callerOf } from '../support/sharded-api.ts';
import { AT_MOST } from '../support/shell.ts';
import { AT, inputTo, NAMES, PULLED } from '../support/three-shards.ts';

const input = inputTo(PULLED);

const current = onShards(3);
let s: Sharded;
let engine: Engine;
let call: ReturnType<typeof callerOf>;
beforeEach(async () => {
  s = current();
  engine = s.engine(PULLED);
  call = callerOf(engine);
  await engine.fleet.ready();
});
afterEach(() => void vi.useRealTimers());

/** @returns their ids */
async function put(queue: string, count: number, options: MessageOptions = {}): Promise<string[]> {
  const { receipts } = await engine.accept(Array.from({ length: count }, (_, i) => input(queue, i, options)));
  return receipts.map(({ id }) => id);
}

/** Some of a queue that is anywhere, on each shard. */
async function putAnywhere(each: number, options: MessageOptions = {}): Promise<void> {
  const { fleet } = engine;
  for (const shard of fleet.all) {
    await enqueue(shard, {
      messages: Array.from({ length: each }, (_, i) => ({
        lane: '5:anywhere',
        pool: 'anywhere',
        maxAttempts: 3,
        delayMs: options.delay ? Number(options.delay) : 0,
        ttlMs: 0,
        json: `{"body":"${shard.identity.name}-${i}"}`,
      })),
    });
  }
}

const kill = (name: string) => {
  s.mishap = ({ shard }) => (shard === name ? 'down' : undefined);
};
const asked = () => s.calls.map(({ shard }) => shard).toSorted();

/** Received and settled so. */
async function settleAll(queue: string, outcome: 'ack' | 'dead'): Promise<void> {
  const { body } = await call('POST /v1/receive', { queues: [queue], max: 100 });
  const settle = body.messages.map(({ id, attempt }: { id: string; attempt: number }) => ({ id, attempt, outcome }));
  await call(`POST /v1/leases/${body.lease}/settle`, { settle });
}

/** The same message on another shard than its id says, as after an evacuation. */
async function move(id: string, from: string, to: string): Promise<void> {
  const { raw } = s.redises;
  const prefixes = [from, to].map((name) => `{${s.tags[NAMES.indexOf(name)]}}:`) as [string, string];
  for (const key of await raw.keys(`${prefixes[0]}*`)) {
    if (key.includes('health') || key.endsWith(':map')) continue;
    await raw.rename(key, key.replace(prefixes[0], prefixes[1]));
  }
  expect(await raw.exists(`${prefixes[1]}m:${id}`)).toBe(1);
}

describe('one message', () => {
  test('is looked up with one request where its id says where it is', async () => {
    const [id] = (await put(AT[1], 1)) as [string];
    await call(`GET /v1/messages/${id}`); // the script is known
    s.calls.length = 0;
    expect((await call(`GET /v1/messages/${id}`)).body).toMatchObject({ id, state: 'ready', queue: AT[1] });
    expect(asked()).toEqual(['t1']);
  });

  test('is found where it was moved to, by its old id, and can be cancelled there', async () => {
    const [id] = (await put(AT[1], 1)) as [string];
    await move(id, 't1', 't2');
    s.calls.length = 0;
    expect((await call(`GET /v1/messages/${id}`)).body).toMatchObject({ id, state: 'ready' });
    expect(asked()).toEqual(NAMES);
    expect((await call(`DELETE /v1/messages/${id}`)).body).toEqual({ id, was: 'ready' });
    expect(await s.messages()).toEqual([]);
  });

  test('is cancelled where it is, though the parcel that has brought it, with its id, is still there', async () => {
    const [id] = (await put(AT[1], 1)) as [string];
    await move(id, 't1', 't2');
    const brought = pack({ to: 't2', args: [], count: 1 }, 0);
    await enqueue(named(engine, 't1'), { messages: [brought], base: id });
    expect((await call(`DELETE /v1/messages/${id}`)).body).toEqual({ id, was: 'ready' });
    expect(await s.messages()).toEqual([]);
    expect(await s.parcels()).toHaveLength(1);
  });

  test('that is done is told with its result, though its id says another shard', async () => {
    const [id] = (await put(AT[1], 1, { resultTtl: '1h' })) as [string];
    await settleAll(AT[1], 'ack');
    const { raw } = s.redises;
    await raw.rename(`{${s.tags[1]}}:result:${id}`, `{${s.tags[2]}}:result:${id}`);
    expect((await call(`GET /v1/messages/${id}`)).body).toMatchObject({ id, state: 'done' });
  });

  test('that nobody has is unknown; with a shard away that may have it, that is told', async () => {
    const [id] = (await put(AT[1], 1)) as [string];
    await call(`DELETE /v1/messages/${id}`);
    expect((await call(`GET /v1/messages/${id}`)).status).toBe(404);
    kill('t2');
    const { status, body } = await call(`GET /v1/messages/${id}`);
    expect([status, body.code, body.shard]).toEqual([503, 'storage_unreachable', 't2']);
    expect((await call(`DELETE /v1/messages/${id}`)).body.shard).toBe('t2');
  });

  test('is found though the shard is away that its id speaks of', async () => {
    const [id] = (await put(AT[1], 1)) as [string];
    await move(id, 't1', 't0');
    kill('t1');
    expect((await call(`GET /v1/messages/${id}`)).body).toMatchObject({ id, state: 'ready' });
  });
});

describe('dead letters', () => {
  test('are redriven by id wherever they are; those that nobody has are gone', async () => {
    const [id, other] = (await put(AT[1], 2)) as [string, string];
    await settleAll(AT[1], 'dead');
    await move(id, 't1', 't2');
    const { body } = await call(`POST /v1/queues/${AT[1]}/dead/redrive`, { ids: [id, 'nobody', other] });
    expect(body.messages).toEqual([
      { id, status: 'redriven' },
      { id: 'nobody', status: 'gone' },
      { id: other, status: 'redriven' },
    ]);
  });

  test('the oldest of all shards go first', async () => {
    await putAnywhere(1);
    const died: string[] = [];
    for (let i = 0; i < 3; i++) {
      s.aheadMs += 1_000;
      const { body } = await call('POST /v1/receive', { queues: ['anywhere'], max: 1 });
      const [{ id, attempt }] = body.messages;
      await call(`POST /v1/leases/${body.lease}/settle`, { settle: [{ id, attempt, outcome: 'dead' }] });
      died.push(id);
    }
    const { body } = await call('POST /v1/queues/anywhere/dead/redrive', { limit: 2 });
    expect(body.messages.map(({ id }: { id: string }) => id)).toEqual(died.slice(0, 2));
  });

  test('with a shard away those of the others are redriven, and it is named where it may have one', async () => {
    const ids = [...(await put(AT[0], 1)), ...(await put(AT[1], 1))];
    await settleAll(AT[0], 'dead');
    await settleAll(AT[1], 'dead');
    kill('t1');
    const one = await call(`POST /v1/queues/${AT[0]}/dead/redrive`, { ids: [ids[0]] });
    expect(one.body.messages).toEqual([{ id: ids[0], status: 'redriven' }]);
    const lacking = await call(`POST /v1/queues/${AT[1]}/dead/redrive`, { ids: [ids[1]] });
    expect([lacking.status, lacking.body.shard]).toEqual([503, 't1']);
    const oldest = await call(`POST /v1/queues/${AT[1]}/dead/redrive`, { limit: 10 });
    expect([oldest.body.messages, oldest.away]).toEqual([[], 't1']);
  });

  test('their causes are summed', async () => {
    await putAnywhere(2);
    await settleAll('anywhere', 'dead');
    const { body } = await call('GET /v1/queues/anywhere/dead/causes');
    expect([body.dead, body.looked, body.causes.length]).toEqual([6, 6, 1]);
    kill('t1');
    const without = await call('GET /v1/queues/anywhere/dead/causes');
    expect([without.body.dead, without.away]).toEqual([4, 't1']);
  });
});

describe('lists', () => {
  const readAll = async (path: string) => {
    const pages: { bodies: string[]; away: string | null }[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined && pages.length < 20; ) {
      const { status, body, away } = await call(`GET ${path}&cursor=${encodeURIComponent(cursor)}`);
      expect(status).toBe(200);
      pages.push({ bodies: body.messages.map((message: { body: string }) => message.body), away });
      cursor = body.cursor;
    }
    return pages;
  };

  test.each(['ready', 'delayed', 'dead'])(
    '%s messages come page by page, shard after shard, each once',
    async (state) => {
      await putAnywhere(3, state === 'delayed' ? { delay: 60_000 } : {});
      if (state === 'dead') await settleAll('anywhere', 'dead');
      const pages = await readAll(`/v1/queues/anywhere/messages?state=${state}&limit=2`);
      const bodies = pages.flatMap((page) => page.bodies);
      expect(bodies.toSorted()).toEqual(NAMES.flatMap((name) => [0, 1, 2].map((i) => `${name}-${i}`)));
      expect(Math.max(...pages.map((page) => page.bodies.length))).toBe(2);
    },
  );

  test('go on behind a shard that is away, and name it', async () => {
    await putAnywhere(2);
    kill('t1');
    const pages = await readAll('/v1/queues/anywhere/messages?state=ready&limit=2');
    expect(
      pages
        .flatMap((page) => page.bodies)
        .map((body) => body.slice(0, 2))
        .toSorted(),
    ).toEqual(['t0', 't0', 't2', 't2']);
    expect(pages.filter(({ away }) => away === 't1').length).toBeGreaterThan(0);
  });

  test('fail where no shard answers that they come to', async () => {
    s.mishap = () => 'down';
    expect((await call('GET /v1/queues/anywhere/messages')).status).toBe(503);
  });

  test('a cursor of a shard that is gone begins anew, with none of its numbers', async () => {
    await putAnywhere(1, { delay: 60_000 });
    const { body } = await call(`GET /v1/queues/anywhere/messages?state=delayed&limit=10&cursor=~was-here.999`);
    expect(body.messages).toHaveLength(3);
  });
});

test('a queue that only a shard may know which is away is not unknown', async () => {
  expect((await call('GET /v1/queues/former')).status).toBe(404);
  kill('t1');
  const { status, body } = await call('GET /v1/queues/former');
  expect([status, body.shard]).toEqual([503, 't1']);
});

describe('a purge', () => {
  test('goes through all shards', async () => {
    await putAnywhere(3);
    expect((await call('POST /v1/queues/anywhere/purge')).body).toEqual({ purged: 9, more: false });
    expect(await s.messages()).toEqual([]);
  });

  test('of a shard that is away is not told to be done, though it is on the others', async () => {
    await putAnywhere(2);
    kill('t1');
    const { status, body } = await call('POST /v1/queues/anywhere/purge');
    expect([status, body.shard]).toEqual([503, 't1']);
    s.mishap = () => undefined;
    expect((await s.messages()).map(({ shard }) => shard)).toEqual(['t1', 't1']);
  });
});

describe('what operators set', () => {
  test('is on all shards', async () => {
    await putAnywhere(1);
    expect((await call('POST /v1/queues/anywhere/pause')).status).toBe(200);
    expect((await call('POST /v1/receive', { queues: ['anywhere'] })).body.messages).toEqual([]);
    await call('POST /v1/queues/anywhere/resume');
    expect((await call('POST /v1/receive', { queues: ['anywhere'] })).body.messages).toHaveLength(3);
  });

  test('names the shard that did not take it, and the others have it; said again it is whole', async () => {
    await putAnywhere(1);
    kill('t2');
    const refused = await call('POST /v1/queues/anywhere/pause');
    expect([refused.status, refused.body.shard]).toEqual([503, 't2']);
    expect(refused.body.detail).toContain('t2');
    s.mishap = () => undefined;
    const again = callerOf(s.engine(PULLED));
    expect((await again('GET /v1/queues/anywhere')).body.paused).toBe(true);
    expect((await again('POST /v1/queues/anywhere/pause')).status).toBe(200);
    expect((await again('POST /v1/receive', { queues: ['anywhere'] })).body.messages).toEqual([]);
  });

  test('limits are told as they are, once', async () => {
    await call(`PATCH /v1/queues/${AT[0]}`, { concurrency: 7 });
    expect((await call(`GET /v1/queues/${AT[0]}`)).body.overrides).toEqual({ concurrency: 7 });
  });

  test('limits of a queue that is anywhere are refused: each shard would keep them for itself', async () => {
    const { status, body } = await call('PATCH /v1/queues/anywhere', { concurrency: 7 });
    expect([status, body.errors[0].code]).toEqual([422, 'partitioned']);
    expect((await call('GET /v1/queues/anywhere')).body.overrides).toEqual({});
    expect((await call('PATCH /v1/queues/anywhere', { concurrency: null })).status).toBe(200);
  });
});

describe('counts', () => {
  test('are sums, and the oldest is that of all', async () => {
    const since = Date.now();
    await putAnywhere(1);
    s.aheadMs += 60_000;
    await putAnywhere(2, { delay: 60_000 });
    const { body } = await call('GET /v1/queues/anywhere');
    expect(body).toMatchObject({
      ready: { 5: 3 },
      delayed: 6,
      leased: 0,
      dead: 0,
      complete: true,
      oldestComplete: true,
    });
    expect(Math.abs(body.oldestReadyAt - since)).toBeLessThan(5_000);
  });

  test('are incomplete where a shard is away, and say which', async () => {
    await putAnywhere(1);
    kill('t0');
    const { body, away } = await call('GET /v1/queues/anywhere');
    expect(body).toMatchObject({ ready: { 5: 2 }, complete: false, oldestComplete: false });
    expect(away).toBe('t0');
    const list = await call('GET /v1/queues');
    expect([list.away, list.body.queues.every(({ complete }: { complete: boolean }) => !complete)]).toEqual([
      't0',
      true,
    ]);
  });

  test('parcels are nobody`s queue', async () => {
    const base = `${idAt(Date.now())}abcdefghijkl`;
    await enqueue(named(engine, 't0'), { messages: [pack({ to: 't1', args: [], count: 0 }, 0)], base });
    const { body } = await call('GET /v1/queues');
    expect(body.queues.map(({ queue }: { queue: string }) => queue)).not.toContain(PARCEL_QUEUE);
    expect((await call(`GET /v1/queues/${encodeURIComponent(PARCEL_QUEUE)}`)).status).toBe(404);
    expect((await call(`DELETE /v1/messages/${base}`)).status).toBe(404);
    expect(await s.parcels()).toHaveLength(1);
  });
});

test('leases are told with their shards', async () => {
  await putAnywhere(1);
  const { body } = await call('POST /v1/receive', { queues: ['anywhere'] });
  const page = await call('GET /v1/leases');
  const told = page.body.leases.map(({ lease, shard, held }: Record<string, unknown>) => ({ lease, shard, held }));
  expect(told).toEqual(NAMES.map((shard) => ({ lease: body.lease, shard, held: 1 })));
});

describe('stats', () => {
  test('are those of all shards together', async () => {
    await putAnywhere(2);
    await settleAll('anywhere', 'ack');
    const { body } = await call('GET /v1/stats');
    expect(body.total.acked).toBe(6);
    expect((await call('GET /v1/queues?recent=true')).status).toBe(200);
  });

  test('/metrics has those of each shard, and is as Prometheus wants it', async () => {
    await putAnywhere(2);
    await settleAll('anywhere', 'ack');
    await call('GET /v1/stats'); // rolls up
    s.aheadMs += 120_000;
    await enqueue(named(engine, 't2'), { messages: [pack({ to: 't1', args: [], count: 0 }, 60_000)] });
    const { text } = await call('GET /metrics');
    expect(text).toContain('sluice_deliveries_total{queue="anywhere",outcome="acked"} 6');
    for (const name of NAMES) expect(text).toContain(`sluice_shard_up{shard="${name}"} 1`);
    expect(text).toContain('sluice_shard_parcels{shard="t2"} 1');
    expect(text).toContain('sluice_shard_parcels{shard="t1"} 0');
    expect(text).toContain('sluice_shard_epoch{shard="t1"} 1');
    const linted = spawnSync('promtool', ['check', 'metrics'], { ...AT_MOST, input: text, encoding: 'utf8' });
    if (linted.error) return console.warn('skipped: the lint of /metrics: no promtool on the PATH');
    expect([linted.stdout, linted.stderr, linted.status]).toEqual(['', '', 0]);
  });

  test('no counter falls where a shard is away: none is told', async () => {
    await putAnywhere(2);
    await settleAll('anywhere', 'ack');
    await call('GET /v1/stats');
    kill('t1');
    const { text, away } = await call('GET /metrics');
    expect(away).toBe('t1');
    expect(text).toContain('sluice_shard_up{shard="t1"} 0');
    expect(text).not.toContain('sluice_deliveries_total{');
    expect(text).toContain('sluice_queue_counts_complete{queue="anywhere"} 0');
  });
});

describe('health', () => {
  test('is ok, and degraded where one is away, which is named', async () => {
    const { status, body } = await call('GET /health');
    expect([status, body.status]).toEqual([200, 'ok']);
    expect(body.shards).toEqual(NAMES.map((shard) => ({ shard, status: 'ok', state: 'active' })));
    kill('t1');
    const other = callerOf(s.engine(PULLED));
    const degraded = await other('GET /health');
    expect([degraded.status, degraded.body.status]).toEqual([200, 'degraded']);
    expect(degraded.body.shards[1]).toEqual({ shard: 't1', status: 'down', state: 'active' });
    expect(degraded.body.warnings.join()).toContain('shard t1');
  });

  test('is a problem where none answers', async () => {
    s.mishap = () => 'down';
    const { status, body } = await call('GET /health');
    expect([status, body.code]).toEqual([503, 'storage_unreachable']);
  });

  test('asks no shard that is gone', async () => {
    await s.change(engine, ({ shards }) => ({
      shards: shards.map((shard) => (shard.name === 't2' ? { ...shard, state: 'gone' as const } : shard)),
    }));
    const other = s.engine(PULLED);
    s.calls.length = 0;
    const { body } = await callerOf(other)('GET /health');
    expect(body.shards.map(({ shard }: { shard: string }) => shard)).toEqual(['t0', 't1']);
    expect(asked()).not.toContain('t2');
  });
});

describe('an audit', () => {
  const audit = async (query = '') => {
    const findings: { finding: string; name: string; shard?: string; messages?: number }[] = [];
    let calls = 0;
    let cursor: string | undefined = '';
    for (; cursor !== undefined && calls < 20; calls++) {
      const { status, body } = await call(`GET /v1/audit?cursor=${encodeURIComponent(cursor)}${query}`);
      expect(status).toBe(200);
      findings.push(...body.findings);
      cursor = body.cursor;
    }
    return findings;
  };

  test('of a system that is well finds nothing', async () => {
    await putAnywhere(2);
    expect(await audit()).toEqual([]);
    expect(await audit('&deep=true')).toEqual([]);
  });

  test('says on which shard something is wrong', async () => {
    const [id] = (await put(AT[1], 1)) as [string];
    await s.redises.raw.del(`{${s.tags[1]}}:ready:${AT[1]}`);
    const findings = await audit();
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.every(({ shard }) => shard === 't1')).toBe(true);
    expect(id).not.toBe('');
  });

  test('finds a shard with another map, and goes on behind one that is away', async () => {
    await s.redises.raw.del(`{${s.tags[2]}}:map`);
    kill('t0');
    for (let i = 0; i < 2; i++) await call('GET /v1/queues/anywhere'); // it is known to be away
    expect(await audit()).toEqual([
      { finding: 'epoch-differs', name: 't2' },
      { finding: 'shard-away', name: 't0' },
    ]);
  });

  test('finds parcels that do not get through, and those that were given up', async () => {
    const parcel = pack({ to: 't1', args: [], count: 0 }, 600_000);
    const hour = 3_600_000;
    // A parcel that was made an hour ago, and waits for its next try.
    await enqueue(named(engine, 't2'), { messages: [parcel], base: `${idAt(Date.now() - hour)}abcdefghijkl` });
    await enqueue(named(engine, 't0'), { messages: [{ ...parcel, delayMs: 0, ttlMs: 1 }] });
    s.aheadMs += 60_000;
    const lease = await engine.parts.openStore(named(engine, 't0')).sync({
      lease: 'a drain',
      leaseMs: 1_000,
      held: 0,
      want: 1,
      pools: ['*'],
      settlements: [],
    });
    expect(lease.taken).toEqual([]); // it was too late
    expect(await audit()).toEqual([
      { finding: 'undelivered', name: 't0', messages: 1 },
      { finding: 'parcel-stuck', name: 't2', messages: 1 },
    ]);
  });
});

/** The beginning of an id that was made then. */
function idAt(at: number): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  let text = '';
  for (let rest = at, i = 0; i < 8; i++, rest = Math.floor(rest / 62)) text = digits[rest % 62] + text;
  return text;
}

test('a shard that is known to be away is not asked again for a while: what needs it fails at once', async () => {
  vi.useFakeTimers({ toFake: ['Date'] }); // the while is a short one
  kill('t1');
  await call('GET /v1/queues/anywhere');
  await call('GET /v1/queues/anywhere');
  s.calls.length = 0;
  const { status, body } = await call(`POST /v1/queues/${AT[1]}/messages`, { body: 1 });
  expect([status, body.code, body.shard]).toEqual([503, 'storage_unreachable', 't1']);
  expect(s.calls).toEqual([]);
});
