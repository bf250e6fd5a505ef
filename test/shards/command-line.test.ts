// The command line on a deployment with several shards, of which one is away.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { judgeAudited, judgeShards } from '../../src/cli/doctor/rules.ts';
import type { Engine } from '../../src/engine.ts';
import { defineQueue } from '../../src/index.ts';
import { type Ended, runCli } from '../support/cli.ts';
import { onShards, type Sharded, TOKEN } from '../support/sharded.ts';
import { fetcherOf } from '../support/sharded-api.ts';

const QUEUE = defineQueue('anywhere', { kind: 'pull', partition: 'any' });

const current = onShards(2);
let s: Sharded;
let engine: Engine;
let server: Server;
let env: Record<string, string>;
beforeEach(async () => {
  s = current();
  engine = s.engine([QUEUE]);
  const send = fetcherOf(engine);
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = 'GET', url = '/' } = request;
    const headers = { authorization: request.headers.authorization ?? '', 'content-type': 'application/json' };
    const answer = await send(`http://sluice.test${url}`, { method, headers, ...(body !== '' && { body }) });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(await answer.text());
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  env = { SLUICE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, SLUICE_TOKEN: TOKEN };
  await engine.fleet.ready();
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

test('what an answer is without is said on stderr, and stdout is as ever', async () => {
  s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
  const [table, json, doctor] = (await Promise.all([
    runCli(['queues'], { env }),
    runCli(['queues', '--json'], { env }),
    runCli(['doctor', '--json'], { env }),
  ])) as [Ended, Ended, Ended];
  const warning = 'warning: without what is on t1: no answer from there\n';
  expect([table.code, table.err, json.code, json.err]).toEqual([0, warning, 0, warning]);
  expect(table.out).toMatch(/^anywhere +pull +0\+/m);
  expect(JSON.parse(json.out).queues[0]).toMatchObject({ queue: 'anywhere', complete: false });
  const { ok, findings } = JSON.parse(doctor.out);
  expect(ok).toBe(false);
  const bad = findings.filter(({ status }: { status: string }) => status === 'fail');
  expect(bad.map(({ found }: { found: string }) => found)).toEqual(['t1 does not answer: what it owns stands still']);
  expect(findings.map(({ found }: { found: string }) => found)).toContain('t1 does not answer, and was not looked at');
}, 20_000);

test('the doctor says of each shard what is to be done', () => {
  expect(judgeShards(undefined)).toEqual([]);
  expect(judgeShards([{ shard: 'a', status: 'ok', state: 'active' }])).toMatchObject([{ status: 'ok' }]);
  const told = judgeShards([
    { shard: 'a', status: 'ok', state: 'active' },
    { shard: 'b', status: 'ok', state: 'joining' },
    { shard: 'c', status: 'down' },
    { shard: 'd', status: 'ok', state: 'draining' },
  ]);
  expect(told.map(({ status, found }) => [status, found.slice(0, 1)])).toEqual([
    ['warn', 'b'],
    ['fail', 'c'],
    ['warn', 'd'],
  ]);
});

test.each([
  [{ finding: 'parcel-stuck', name: 'a', messages: 12 }, 'warn', /^a holds 12 parcels/],
  [{ finding: 'undelivered', name: 'a', messages: 2 }, 'fail', /^a has given up 2 parcels/],
  [{ finding: 'epoch-differs', name: 'a' }, 'warn', /^a has not the map/],
  [{ finding: 'lost', name: 'x', shard: 'b' }, 'fail', /^lost x on b$/],
  [{ finding: 'lost', name: 'x' }, 'fail', /^lost x$/],
])('an audit that found %j', (found, status, text) => {
  const judged = judgeAudited(found, 'sluice doctor --repair');
  expect(judged.status).toBe(status);
  expect(judged.found).toMatch(text);
});
