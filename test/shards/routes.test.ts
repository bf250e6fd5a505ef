// The calls of operators for shards, over HTTP: what they answer is as the document says, and what they do is done.
import { beforeEach, expect, test } from 'vitest';
import type * as z from 'zod/mini';
import type { Engine } from '../../src/engine.ts';
import { createApp } from '../../src/http/app.ts';
import { answers } from '../../src/http/v1/shards.doc.ts';
import { shards } from '../../src/http/v1/shards.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import { FLOATING } from '../../src/runtime/wait-until.ts';
import { makeInitialMap } from '../../src/shards/map.ts';
import { nameAt, onShards, type Sharded, TOKEN } from '../support/sharded.ts';

const MAP = makeInitialMap(['t0', 't1', 't2'].map((name) => ({ name, weight: 1, state: 'active' as const })));
const [FIRST, SECOND] = [nameAt(MAP, 't1', 'first'), nameAt(MAP, 't1', 'second')];
const QUEUES: AnyQueue[] = [FIRST, SECOND].map((name) => defineQueue(name, { handler: async () => {} }));

const current = onShards(3);
let s: Sharded;
let engine: Engine;
beforeEach(() => {
  s = current();
  engine = s.engine(QUEUES);
});

async function call<Name extends keyof typeof answers>(
  answer: Name,
  method: string,
  path: string,
  body?: object,
): Promise<z.output<(typeof answers)[Name]>> {
  const response = await request(method, path, body);
  const told: unknown = await response.json();
  expect([response.status, told]).toEqual([200, told]);
  return answers[answer].parse(told) as z.output<(typeof answers)[Name]>;
}

const send = async (path: string, init: RequestInit) =>
  createApp([shards], () => engine).request(path, init, {}, FLOATING as ExecutionContext);

const request = (method: string, path: string, body: object = {}) =>
  send(path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });

const refusal = async (method: string, path: string, body?: object) => {
  const response = await request(method, path, body);
  const { code, detail } = (await response.json()) as { code: string; detail?: string };
  return `${response.status} ${code}: ${detail}`;
};

const input = (queue: string, body: unknown) => ({
  queue: QUEUES.find(({ name }) => name === queue),
  body,
  options: {},
  path: '',
});

test('a shard is looked at, drained, evacuated, verified and forgotten', async () => {
  await engine.accept([input(FIRST, 1), input(FIRST, 2), input(SECOND, 3)]);
  const { epoch, shards: listed } = await call('ShardList', 'GET', '/v1/shards');
  expect(epoch).toBe(1);
  expect(listed.map(({ shard, state, weight, has }) => [shard, state, weight, has?.ready])).toEqual([
    ['t0', 'active', 1, 0],
    ['t1', 'active', 1, 3],
    ['t2', 'active', 1, 0],
  ]);
  expect(await refusal('POST', '/v1/shards/t1/evacuate')).toMatch(/^409 shard_refused: shard t1 is active: only/);
  expect(await refusal('POST', '/v1/shards/t1/forget')).toMatch(/^409 shard_refused: shard t1 is active/);
  expect(await call('ShardNamed', 'POST', '/v1/shards/t1/drain')).toEqual({ shard: 't1' });
  expect(await refusal('POST', '/v1/shards/t1/forget')).toMatch(/^409 shard_refused: shard t1 is not empty/);
  expect(await call('ShardVerified', 'POST', '/v1/shards/t1/verify')).toMatchObject({
    empty: false,
    left: { m: 3, lane: 2 },
  });
  expect(await call('ShardEvacuated', 'POST', '/v1/shards/t1/evacuate')).toMatchObject({ moved: 3, more: false });
  expect((await s.messages()).map(({ shard }) => shard)).not.toContain('t1');
  expect(await call('ShardVerified', 'POST', '/v1/shards/t1/verify')).toEqual({
    shard: 't1',
    empty: true,
    left: {},
    parcels: 0,
    twice: 0,
  });
  expect(await call('ShardForgotten', 'POST', '/v1/shards/t1/forget')).toEqual({ shard: 't1' });
  const after = await call('ShardList', 'GET', '/v1/shards');
  expect(after.shards.map(({ shard, state }) => [shard, state])).toEqual([
    ['t0', 'active'],
    ['t1', 'gone'],
    ['t2', 'active'],
  ]);
  expect(await refusal('POST', '/v1/shards/t1/activate')).toMatch(/^404 unknown_shard/);
});

test('queues are pinned by hand, and shards weighed', async () => {
  const pin = { queue: 'first*', shard: 't2' };
  expect(await call('ShardPin', 'PUT', '/v1/shards/pins', pin)).toEqual(pin);
  await engine.accept([input(FIRST, 1), input(SECOND, 2)]);
  expect((await s.messages()).map(({ shard, body }) => [shard, body]).toSorted()).toEqual([
    ['t1', 2],
    ['t2', 1],
  ]);
  expect((await call('ShardList', 'GET', '/v1/shards')).pins).toEqual([pin]);
  await call('ShardUnpinned', 'DELETE', '/v1/shards/pins', { queue: 'first*' });
  await call('ShardNamed', 'PATCH', '/v1/shards/t0', { weight: 3 });
  const { pins, shards: listed } = await call('ShardList', 'GET', '/v1/shards');
  expect([pins, listed[0]?.weight]).toEqual([[], 3]);
  expect(await refusal('PUT', '/v1/shards/pins', { queue: 'x', shard: 'none' })).toMatch(/^404 unknown_shard/);
});

test('one whose database is lost is forgotten without being asked, and what it had is named', async () => {
  await engine.fleet.ready();
  s.mishap = ({ shard }) => (shard === 't1' ? 'away' : undefined);
  expect((await call('ShardList', 'GET', '/v1/shards')).away).toEqual(['t1']);
  expect(await refusal('POST', '/v1/shards/t1/drain')).toMatch(/^503 storage_unreachable/);
  const answer = await call('ShardForgotten', 'POST', '/v1/shards/t1/forget', { lost: true });
  expect(answer).toEqual({ shard: 't1', queues: [FIRST, SECOND] });
  await engine.accept([input(FIRST, 'new')]);
  expect((await s.messages()).map(({ body }) => body)).toEqual(['new']);
});

test('without a token nothing is told', async () => {
  const response = await send('/v1/shards', {});
  expect(response.status).toBe(401);
});
