// The command line against a server that answers by a script: what it sends, what it makes of answers, and of their absence.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CliOptions, runCli } from '../support/cli.ts';

const PROBLEM = { 'content-type': 'application/problem+json' };

/** `METHOD path` to the answers, one after the other; the last one stays. A number is a status, a text no JSON, what has a detail a problem. */
let answers: Record<string, (object | number | string)[]>;
let requests: { call: string; body: unknown; token: string | undefined }[];
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const call = `${request.method} ${request.url}`;
    let text = '';
    for await (const chunk of request) text += chunk;
    requests.push({ call, body: text === '' ? undefined : JSON.parse(text), token: request.headers.authorization });
    const left = answers[call] ?? [404];
    const answer = left.length > 1 ? left.shift() : left[0];
    if (typeof answer === 'object' && 'detail' in answer) response.writeHead(503, PROBLEM);
    if (typeof answer === 'object') return response.end(JSON.stringify(answer));
    if (typeof answer === 'string') return response.end(answer);
    const code = answer === 404 ? 'not_found' : 'storage_unreachable';
    response.writeHead(answer ?? 500, PROBLEM);
    return response.end(JSON.stringify({ title: 'There is nothing at this path', code }));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  answers = {};
  requests = [];
});

const sluice = (args: string[], options: CliOptions = {}) =>
  runCli(args, { ...options, env: { SLUICE_URL: url, SLUICE_TOKEN: 'local', ...options.env } });
const calls = () => requests.map(({ call }) => call);

test('a route that the deployment does not have is named', async () => {
  const all = await Promise.all([
    sluice(['schedules']),
    sluice(['rings']),
    sluice(['rings', 'add', 'monitors', 'a', '--json']),
  ]);
  expect(all.map(({ code, out }) => [code, out])).toEqual([
    [1, ''],
    [1, ''],
    [1, ''],
  ]);
  expect(all[0]?.err).toBe('error: this deployment has no route GET /v1/schedules: it is older than this command\n');
  expect(JSON.parse(all[2]?.err ?? '').error.message).toContain('PUT /v1/rings/monitors/items');
});

test('a ring is shown to its last page, and nothing that a terminal would obey', async () => {
  answers = {
    'GET /v1/rings/monitors': [{ ring: 'monitors', length: 3, items: ['a', 'b'], cursor: '2' }],
    'GET /v1/rings/monitors?cursor=2': [{ ring: 'monitors', length: 3, items: ['\x1b[2Jc'] }],
    'POST /v1/schedules/a%2Fb/run': [{ id: 'a/b' }],
  };
  const [shown, odd] = await Promise.all([sluice(['rings', 'show', 'monitors']), sluice(['schedules', 'run', 'a/b'])]);
  expect(shown.out).toBe('a\nb\n\\u001b[2Jc\n');
  expect(odd.out).toBe('a/b fired\n');
});

test('what can be repeated is repeated where storage is away; what cannot is not', async () => {
  answers = {
    'GET /v1/rings': [503, { rings: [] }],
    'POST /v1/schedules/nightly/run': [503],
  };
  const [read, fired] = await Promise.all([sluice(['rings', '--json']), sluice(['schedules', 'run', 'nightly'])]);
  expect([read.code, read.out]).toEqual([0, '{"rings":[]}\n']);
  expect(fired).toMatchObject({ code: 1, out: '', err: expect.stringContaining('storage_unreachable') });
  expect(calls().toSorted()).toEqual(['GET /v1/rings', 'GET /v1/rings', 'POST /v1/schedules/nightly/run']);
});

test('purge and dead delete go on while the server says that there is more', async () => {
  answers = {
    'GET /v1/queues/reports': [{ queue: 'reports', ready: { 4: 9 }, delayed: 1, leased: 0, dead: 7, complete: false }],
    'POST /v1/queues/reports/purge': [
      { purged: 5, more: true, cursor: '1:7 0' },
      { purged: 0, more: true, cursor: '- 0' },
      { purged: 4, more: false },
    ],
    'DELETE /v1/queues/reports/dead': [
      { purged: 5, more: true },
      { purged: 2, more: false },
    ],
  };
  const [purged, deleted, unsure] = await Promise.all([
    sluice(['purge', 'reports', '--yes']),
    sluice(['dead', 'delete', 'reports', '--yes']),
    sluice(['purge', 'reports']),
  ]);
  expect([purged.out, deleted.out]).toEqual(['9 messages of reports purged\n', '7 dead letters of reports deleted\n']);
  expect(unsure.err).toContain('Purge more than 10 messages');
  const states = ['ready', 'delayed'];
  expect(requests.flatMap(({ call, body }) => (call.startsWith('POST') ? [body] : []))).toEqual([
    { states },
    { states, cursor: '1:7 0' },
    { states, cursor: '- 0' },
  ]);
});

test('the doctor goes through the audit to its end, and says what it could not judge and what left the code', async () => {
  const queue = { queue: 'old', kind: 'unknown', ready: { 5: 2 }, delayed: 1, leased: 0, dead: 1, complete: true };
  const audit = '/v1/audit?repair=false&deep=true';
  answers = {
    'GET /health': [{ status: 'ok', warnings: [] }],
    'GET /v1/queues': [{ queues: [queue] }],
    [`GET ${audit}`]: [{ findings: [], cursor: 'shallow 7 lane:5:a b 100' }],
    [`GET ${audit}&cursor=shallow+7+lane%3A5%3Aa+b+100`]: [
      { findings: [{ finding: 'unknown-queue', name: 'old', messages: 4 }], cursor: 'deep 0', incomplete: ['counts'] },
    ],
    [`GET ${audit}&cursor=deep+0`]: [{ findings: [{ finding: 'lost', name: 'm1' }], incomplete: ['envelopes'] }],
  };
  const { out } = await sluice(['doctor', '--deep']);
  expect(out).toMatch(
    /^warn +unknown +old is not in the code of this deployment, and holds 4 messages\n +deploy it again/m,
  );
  expect(out).toMatch(/^fail +audit +lost m1\n/m);
  expect(out).toMatch(/^warn +audit +too much is at work to judge counts and envelopes\n/m);
  expect(out).not.toMatch(/unknown-queue/);
});

test('redrive --all puts back as many as there were when it began, though they die again', async () => {
  const step = (count: number) => ({
    messages: Array.from({ length: count }, (_, i) => ({ id: `m${i}`, status: 'redriven' })),
  });
  answers = {
    'GET /v1/queues/reports': [{ queue: 'reports', dead: 700 }],
    'POST /v1/queues/reports/dead/redrive': [step(500), step(200), step(500)],
  };
  expect((await sluice(['dead', 'redrive', 'reports', '--all'])).out).toBe('700 of 700 redriven\n');
  expect(requests.slice(1).map(({ body }) => body)).toEqual([{ limit: 500 }, { limit: 200 }]);
});

test('a server that is no Sluice, or sends it elsewhere, is told apart from one that refuses', async () => {
  answers = { 'GET /v1/queues': [302], 'GET /v1/rings': ['<html>'], 'GET /health': ['<html>'] };
  const [elsewhere, page, examined] = await Promise.all([sluice(['queues']), sluice(['rings']), sluice(['doctor'])]);
  expect(elsewhere).toMatchObject({ code: 1, err: expect.stringContaining('HTTP 302') });
  expect(calls().filter((call) => call === 'GET /v1/queues')).toHaveLength(1); // it did not follow
  expect(page).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: garbled: .*\n {2}is the URL that of a Sluice/),
  });
  expect(examined).toMatchObject({ code: 1, out: expect.stringMatching(/^fail +reachable +garbled: /m) });
});

test('the doctor says in plain words what storage refuses', async () => {
  const detail = "max requests limit exceeded: the month's commands are used up: take a larger plan";
  answers = { 'GET /health': [{ code: 'storage_refused', title: 'Storage refuses', detail }] };
  const { code, out } = await sluice(['doctor']);
  expect(code).toBe(1);
  expect(out).toMatch(
    /^fail +health +GET \/health answered 503, storage_refused: max requests .* take a larger plan\n +do what it says/m,
  );
});

test('the doctor reads the clock and the last sweep where the deployment tells them', async () => {
  const now = Date.now() - 3_600_000; // of a machine whose clock is an hour ahead
  const ended = { at: now - 760_000, acked: 1, retried: 0, dead: 0 }; // and no sweep since
  answers = {
    'GET /health': [{ status: 'unsafe', warnings: ['eviction is on'] }],
    'GET /v1/queues': [{ queues: [] }],
    'GET /v1/stats?range=1h': [{ now, points: [ended], total: ended, lastSweepAt: ended.at - 5_000 }],
    'GET /v1/audit?repair=true': [{ findings: [{ finding: 'lost', name: 'm1' }] }],
  };
  const { code, out } = await sluice(['doctor', '--repair']);
  expect(code).toBe(1);
  expect(out).toMatch(/^fail +storage +eviction is on\n +\S/m);
  expect(out).toMatch(/^fail +closed +without a token: 200\n/m);
  expect(out).toMatch(/^warn +clock +this machine is (59m\d+s|1h) or more ahead of the server\n/m);
  expect(out).toMatch(/^fail +cron +what a sweep has to do has waited 11m4\ds\n/m);
  expect(out).toMatch(/^fail +audit +lost m1\n/m);
  const anonymous = requests.filter(({ token }) => token === undefined).map(({ call }) => call);
  expect(anonymous).toEqual(['GET /health', 'GET /v1/queues']);
});
