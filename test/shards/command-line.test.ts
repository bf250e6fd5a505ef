// The command line on a deployment with several shards, of which one is away.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { judgeAudited, judgePins, judgeShards } from '../../src/cli/doctor/rules.ts';
import type { Engine } from '../../src/engine.ts';
import { defineQueue } from '../../src/index.ts';
import { makeInitialMap } from '../../src/shards/map.ts';
import { type Ended, runCli } from '../support/cli.ts';
import { nameAt, onShards, type Sharded, TOKEN } from '../support/sharded.ts';
import { fetcherOf } from '../support/sharded-api.ts';

const MAP = makeInitialMap(['t0', 't1'].map((name) => ({ name, weight: 1, state: 'active' as const })));
const QUEUE = defineQueue('anywhere', { kind: 'pull', partition: 'any' });
const ORDERED = defineQueue(nameAt(MAP, 't1', 'ordered'), { kind: 'pull', ordered: true });

const current = onShards(2);
let s: Sharded;
let engine: Engine;
let server: Server;
let env: Record<string, string>;
beforeEach(async () => {
  s = current();
  engine = s.engine([QUEUE, ORDERED]);
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
}, 60_000);

const shards = (...args: string[]) => runCli(['shards', ...args], { env });

test('an evacuation ends where all that is left is held, and says what that is and how to go on', async () => {
  const bodies = [1, 2];
  await engine.accept(bodies.map((body) => ({ queue: ORDERED, body, options: {}, path: '' })));
  expect((await shards('forget', 't1', '--yes')).err).toMatch(/shard t1 is active: it has to drain first/);
  expect((await shards('drain', 't1')).out).toMatch(/^t1 drains: .*`sluice shards evacuate t1`/);
  const held = await shards('evacuate', 't1');
  expect([held.code, held.out]).toEqual([1, '0 moved\n']);
  expect(held.err).toContain(`held there until it is empty of them: ${ORDERED.name}. `);
  expect(held.err).toContain('`sluice shards evacuate t1 --unpin` moves queues all the same');
  expect(held.err).toMatch(/error: t1 still has 2 ready$/m);
  expect((await shards()).out).toMatch(new RegExp(`^${ORDERED.name} +t1 +t0$`, 'm'));
  const unverified = await shards('verify', 't1');
  expect([unverified.code, unverified.out]).toEqual([1, expect.stringMatching(/^m +2 +messages$/m)]);
  const unpinned = await shards('evacuate', 't1', '--unpin', '--yes');
  expect([unpinned.code, unpinned.out]).toEqual([0, expect.stringMatching(/^2 moved, and nothing is left/)]);
  expect((await shards('verify', 't1')).out).toMatch(/^t1 is empty: /);
  expect(await shards('forget', 't1', '--yes')).toMatchObject({ code: 0, out: 't1 is gone\n' });
}, 90_000);

test('of a shard that is lost it is said what is known, before it is asked', async () => {
  await engine.accept([{ queue: ORDERED, body: 1, options: {}, path: '' }]);
  const asked = await shards('forget', 't1', '--lost'); // nobody is there to confirm it
  expect([asked.code, asked.err]).toEqual([2, expect.stringMatching(/^t1 answers, and has 1 ready: /)]);
  s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
  const gone = await shards('forget', 't1', '--lost', '--yes');
  expect(gone.err).toMatch(/^t1 does not answer: how much it had is not known/m);
  expect(gone.out).toBe(`t1 is gone, and what these queues had there: anywhere, ${ORDERED.name}\n`);
}, 60_000);

test('what is no pin is not lifted, and what no queue has as its name is told', async () => {
  const pinned = await shards('pin', 'anywhre', 't0');
  expect([pinned.code, pinned.out, pinned.err]).toEqual([
    0,
    'anywhre is pinned to t0\n',
    'no queue is called anywhre by now\n',
  ]);
  expect((await shards('pin', 'any*', 't0')).err).toBe('');
  const unknown = await shards('unpin', 'any');
  expect([unknown.code, unknown.err]).toEqual([1, 'error: no pin is called any; there are: anywhre, any*\n']);
  expect((await shards('unpin', 'any*')).code).toBe(0);
}, 60_000);

test('the doctor tells which queues have their home elsewhere', () => {
  expect(judgePins({ pins: [], held: [] })).toEqual([]);
  const held = Array.from({ length: 7 }, (_, i) => ({ queue: `q${i}`, shard: 'a', home: 'b' }));
  const told = judgePins({ pins: [{ queue: 'billing.*', shard: 'b' }], held });
  expect(told).toMatchObject([
    { check: 'pins', status: 'ok', found: 'pinned by hand: billing.* to b' },
    { check: 'pins', status: 'warn', found: expect.stringMatching(/: q0 on a \(then on b\), .*, and 2 more$/) },
  ]);
});

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
  [{ finding: 'misplaced-queue', name: 'x', shard: 'b', messages: 3 }, 'warn', /^b has 3 messages of x, /],
  [{ finding: 'pin-without-messages', name: 'x', shard: 'b' }, 'warn', /^x is held on b, /],
  [{ finding: 'lost', name: 'x', shard: 'b' }, 'fail', /^lost x on b$/],
  [{ finding: 'lost', name: 'x' }, 'fail', /^lost x$/],
])('an audit that found %j', (found, status, text) => {
  const judged = judgeAudited(found, 'sluice doctor --repair');
  expect(judged.status).toBe(status);
  expect(judged.found).toMatch(text);
});
