// The command line against the deployed bundle: each command once well and once wrong, by exit code, stdout and stderr.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { newToken } from '../../src/cli/new-token.ts';
import { type CliOptions, COLUMNS, runCli, runOnTerminal, terminalPresent } from '../support/cli.ts';
import { deploy, eventually } from '../support/worker.ts';

const admin = newToken({ name: 'admin', scopes: 'enqueue,receive,admin', queues: '*' });
const sender = newToken({ name: 'sender', scopes: 'enqueue', queues: 'reports' });
const deployed = deploy({ env: { SLUICE_TOKENS: JSON.stringify([admin.entry, sender.entry]) } });

const sluice = (args: string[], { env = {}, ...options }: CliOptions = {}) =>
  runCli(args, { ...options, env: { SLUICE_URL: deployed().worker.url, SLUICE_TOKEN: admin.token, ...env } });

const api = async (path: string, method: string, body?: unknown) => {
  const answer = await deployed().call(path, { method, body, token: admin.token });
  // biome-ignore lint/suspicious/noExplicitAny: what it answers is what the tests look at
  return answer.json() as Promise<any>;
};

const enqueue = (body: unknown, options: object = {}): Promise<{ id: string }> =>
  api('/v1/queues/reports/messages', 'POST', { body, ...options });
const report = () => api('/v1/queues/reports', 'GET');
const empty = () => api('/v1/queues/reports/purge', 'POST', { states: ['ready', 'delayed', 'dead'] });

/** Puts a message into the queue and lets its consumer refuse it. */
async function deadLetter(body: unknown): Promise<string> {
  const { id } = await enqueue(body);
  const { lease } = await api('/v1/receive', 'POST', { queues: ['reports'], max: 1 });
  await api(`/v1/leases/${lease}/settle`, 'POST', { settle: [{ id, outcome: 'dead', error: 'no such month' }] });
  return id;
}

describe('enqueue', () => {
  test('takes a body from the argument, from stdin, as text, with its options', async () => {
    const [byArgument, byStdin, asText] = await Promise.all([
      sluice(['enqueue', 'reports', '{"n": 1}', '--delay', '1h', '--group', 'acme', '--header', 'a=b=c', '--json']),
      sluice(['enqueue', 'reports', '--priority', '0'], { input: '{"n": 2}' }),
      sluice(['enqueue', 'reports', '--text', '--priority', '1'], { input: 'not {json' }),
    ]);
    expect([byArgument.code, byArgument.err]).toEqual([0, '']);
    const { id, ...receipt } = JSON.parse(byArgument.out);
    expect(receipt).toEqual({ queue: 'reports', state: 'delayed', duplicate: false });
    const stored = await api(`/v1/messages/${id}`, 'GET');
    expect(stored).toMatchObject({ body: { n: 1 }, group: 'acme', headers: { a: 'b=c' }, state: 'delayed' });
    expect(byStdin.out).toMatch(/^\S+ {2}ready\n$/);
    expect(asText.code).toBe(0);
    const ready = await sluice(['peek', 'reports', '--json']);
    expect(JSON.parse(ready.out).messages).toMatchObject([{ body: { n: 2 } }, { body: 'not {json' }]);
    await empty();
  });

  test('says what is wrong, with the field, and does not show the body', async () => {
    const [noJson, refused, unknown, badOption, noQueue] = await Promise.all([
      sluice(['enqueue', 'reports', 'secret-body']),
      sluice(['enqueue', 'confirmation.email', '{"to": "nobody"}']),
      sluice(['enqueue', 'nowhere', '1']),
      sluice(['enqueue', 'reports', '1', '--priority', '12']),
      sluice(['enqueue']),
    ]);
    expect(noJson).toEqual({ code: 2, out: '', err: 'error: the body (without --text) is not JSON\n' });
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(refused.err).toMatch(
      /^error: invalid_message: .* \(HTTP 422\)\n {2}body\.to: .* \(schema\)\n {2}body\.token: /,
    );
    expect(unknown).toMatchObject({ code: 1, err: expect.stringMatching(/unknown_queue.*404[\s\S]*sluice queues/) });
    expect(badOption).toMatchObject({ code: 2, err: expect.stringContaining('from 0 to 9') });
    expect(noQueue).toMatchObject({ code: 2, err: expect.stringContaining('no queue') });
  });

  test('options that only the server can judge, and one that is JSON', async () => {
    const refused = await Promise.all([
      sluice(['enqueue', 'reports', '1', '--on-failure', '{secret']),
      sluice(['enqueue', 'reports', '1', '--dedup-key', 'k', '--dedup-mode', 'sometimes']),
      sluice(['enqueue', 'webhook.out', '1', '--destination', '{"url": "nowhere"}']),
      sluice(['enqueue', 'webhook.out', '1', '--destination', 'nowhere']),
    ]);
    expect(refused.map(({ code, out }) => [code, out])).toEqual([
      [2, ''],
      [1, ''],
      [1, ''],
      [1, ''],
    ]);
    expect(refused[0]?.err).toBe('error: --on-failure is not JSON\n');
    expect(refused[1]?.err).toMatch(/^ {2}dedup\.mode: /m);
    for (const { err } of refused.slice(2)) expect(err).toMatch(/^ {2}destination.*refused_address/m);
  });

  test('takes lines in requests, and the same lines again under the same key enqueue nothing new', async () => {
    const input = Array.from({ length: 250 }, (_, n) => `{"body": ${n}}\n`).join('');
    const args = ['enqueue', 'reports', '--batch', '--batch-size', '100', '--idempotency-key', 'import', '--json'];
    const first = await sluice(args, { input });
    expect([first.code, JSON.parse(first.out)]).toEqual([0, { enqueued: 250, duplicates: 0, requests: 3 }]);
    expect((await sluice(args, { input })).code).toBe(0);
    expect((await report()).ready).toEqual({ 4: 250 });
    await empty();
  });

  test('takes what a list printed: whole, with body, headers, group and priority, as new messages', async () => {
    const { id } = await enqueue(
      { month: 'no such' },
      { group: 'acme', priority: 2, headers: { a: 'b' }, maxAttempts: 3 },
    );
    await enqueue({ month: 'other' });
    const { lease } = await api('/v1/receive', 'POST', { queues: ['reports'], max: 2 });
    const settle = (await api('/v1/queues/reports/messages?state=leased', 'GET')).messages.map(
      (message: { id: string }) => ({
        id: message.id,
        outcome: 'dead',
        error: 'no such month',
      }),
    );
    await api(`/v1/leases/${lease}/settle`, 'POST', { settle });
    const listed = await sluice(['dead', 'list', 'reports', '--json']);
    const again = await sluice(['enqueue', '--batch', '--json'], { input: listed.out });
    expect(again).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(again.out)).toMatchObject({ enqueued: 2 });
    const lines = (JSON.parse(listed.out).messages as object[]).map((message) => `${JSON.stringify(message)}\n`);
    expect(await sluice(['enqueue', '--batch'], { input: lines.join('') })).toMatchObject({ code: 0 });
    const { messages } = JSON.parse((await sluice(['peek', 'reports', '--json'])).out);
    const likeIt = messages.filter(({ group }: { group?: string }) => group === 'acme');
    expect(likeIt).toHaveLength(2);
    for (const message of likeIt) {
      const kept = { body: { month: 'no such' }, priority: 2, headers: { a: 'b' }, maxAttempts: 3, attempt: 1 };
      expect(message).toMatchObject({ ...kept, failures: [] });
      expect(message.id).not.toBe(id);
    }
    const written = await sluice(['enqueue', 'reports', '--batch', '--json'], {
      input: '{"body": 1, "state": "dead"}\n',
    });
    expect(JSON.parse(written.err).error.errors).toMatchObject([{ field: 'line 1 state', code: 'unknown_field' }]);
    await empty();
  });

  test('names the bad line, and says what was stored before it', async () => {
    const [fields, garbled, bare] = await Promise.all([
      sluice(['enqueue', 'reports', '--batch', '--json'], { input: '{"body": 1}\n\n{"body": 2, "delay": "x"}\n' }),
      sluice(['enqueue', 'reports', '--batch', '--batch-size', '1'], { input: '{"body": 1}\n{secret\n' }),
      sluice(['enqueue', '--batch'], { input: '{"body": 1}\n' }),
    ]);
    expect(JSON.parse(fields.err).error).toMatchObject({
      code: 'invalid_message',
      errors: [{ field: 'line 3 delay', code: 'invalid' }],
    });
    expect([fields.code, fields.out]).toEqual([1, '']);
    expect(garbled).toEqual({
      code: 1,
      out: '',
      err: 'error: line 2 is not JSON (1 messages had been stored before)\n',
    });
    expect(bare).toMatchObject({ code: 2, err: expect.stringContaining('line 1 names no queue') });
    await empty();
  });

  test('takes JSON as it stands, or not at all', async () => {
    const line = (bytes: string) => Buffer.from(bytes, 'latin1');
    const [inexact, deep, notText, inLine, lineNotText, separators] = await Promise.all([
      sluice(['enqueue', 'reports', '{"list": [1, 9007199254740993]}']),
      sluice(['enqueue', 'reports'], { input: '['.repeat(5_000) + ']'.repeat(5_000) }),
      sluice(['enqueue', 'reports'], { input: line('"caf\xe9"') }),
      sluice(['enqueue', 'reports', '--batch'], { input: '{"body": 1}\n{"body": {"n": 1e999}}\n' }),
      sluice(['enqueue', 'reports', '--batch'], { input: line('{"body": 1}\n{"body": "caf\xe9"}\n') }),
      sluice(['enqueue', 'reports', '--batch', '--priority', '1'], { input: '{"body": "one\u2028line\u0085é"}\n' }),
    ]);
    const refused = [inexact, deep, notText, inLine, lineNotText];
    expect(refused.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(refused.map(({ err }) => err.replace('error: ', '').trim())).toEqual([
      'the body (without --text) has a number that would become another one at list.1: send it as text',
      'the body (without --text) is nested more than 1000 levels deep',
      'the body is not UTF-8',
      'line 2 has a number that would become another one at body.n: send it as text',
      'line 2 is not UTF-8',
    ]);
    expect([separators.code, separators.out]).toEqual([0, '1 enqueued, 0 duplicates\n']);
    const ready = await sluice(['peek', 'reports', '--json']);
    expect(JSON.parse(ready.out).messages).toMatchObject([{ body: 'one\u2028line\u0085é' }]);
    await empty();
  });
});

describe('receive', () => {
  test('prints and gives back in the old order; with --ack they are done', async () => {
    for (const n of [1, 2, 3]) await enqueue({ n });
    const looked = await sluice(['receive', 'reports', '--json']);
    expect([looked.code, looked.err]).toEqual([0, '3 received, given back\n']);
    const bodies = looked.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).body);
    expect(bodies).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    const done = await sluice(['receive', 'reports', '--ack']);
    expect(done.out.match(/\{"n":\d\}/g)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
    expect(done.out).toContain('attempt 1'); // giving back does not count
    expect(await report()).toMatchObject({ ready: {}, leased: 0, dead: 0 });
  });

  test('asks again where large messages do not fit in one answer, and leaves none leased', async () => {
    for (let i = 0; i < 30; i++) await enqueue('x'.repeat(200_000));
    const done = await sluice(['receive', 'reports', '--max', '30', '--ack', '--json']);
    expect([done.code, done.err]).toEqual([0, '30 received, acked\n']);
    expect(await report()).toMatchObject({ ready: {}, leased: 0, dead: 0 });
  });

  test('stays with --follow until it is stopped, and has acked what it printed', async () => {
    await enqueue('first');
    const following = sluice(['receive', 'reports', '--follow', '--ack'], { interruptAt: 'second' });
    await eventually('the first is received', async () => (await report()).ready[4] === undefined);
    await enqueue('second');
    expect(await following).toMatchObject({ code: 0, err: '2 received, acked\n' });
    expect(await report()).toMatchObject({ ready: {}, leased: 0 });
  });

  test('refuses what cannot be', async () => {
    const [endless, drained] = await Promise.all([
      sluice(['receive', 'reports', '--follow']),
      sluice(['receive', 'github.review']),
    ]);
    expect(endless).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--ack') });
    expect(drained).toMatchObject({ code: 1, out: '', err: expect.stringContaining('not_a_pull_queue') });
  });
});

describe('looking', () => {
  test('queues: a table, one in detail, and JSON', async () => {
    await enqueue({ n: 1 }, { priority: 2 });
    await api('/v1/queues/reports', 'PATCH', { rate: { limit: 100, per: '90s' } });
    const [table, one, json, unknown] = await Promise.all([
      sluice(['queues']),
      sluice(['queues', 'reports']),
      sluice(['queues', '--json']),
      sluice(['queues', 'nowhere']),
    ]);
    expect(table.out).toMatch(/^queue +kind +ready +delayed +leased +dead +oldest +state\n/);
    expect(table.out).toMatch(/^reports +pull +1 +0 +0 +0 +\S+ +open$/m);
    expect(one.out).toMatch(/^ {2}priority 2 +1$/m);
    expect(one.out).toMatch(/^rate +100 per 1m30s, set by an operator$/m);
    expect(JSON.parse(json.out).queues).toContainEqual(await report());
    expect(unknown).toMatchObject({ code: 1, out: '', err: expect.stringContaining('unknown_queue') });
    await api('/v1/queues/reports', 'PATCH', { rate: null });
    await empty();
  });

  test('peek and message: what is there, with nothing that a terminal would obey', async () => {
    const { id } = await enqueue({ n: '\u009b31m' }, { group: '\x1b[31mred', delay: '1h' });
    const [page, json, message, bad, gone] = await Promise.all([
      sluice(['peek', 'reports', '--state', 'delayed']),
      sluice(['peek', 'reports', '--state', 'delayed', '--json']),
      sluice(['message', id]),
      sluice(['peek', 'reports', '--state', 'lost']),
      sluice(['message', 'nope']),
    ]);
    expect(page.out).toContain(`${id}         4  \\u001b[31mred`);
    expect(`${page.out}${json.out}${message.out}`.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(json.out).messages).toMatchObject([{ id, state: 'delayed', body: { n: '\u009b31m' } }]);
    expect(message.out).toMatch(/^state +delayed$/m);
    expect(bad).toMatchObject({ code: 2, err: expect.stringContaining('ready, delayed, leased, dead') });
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('unknown_message') });
    await empty();
  });

  test('tail: a line for what changed between two looks', async () => {
    const tailing = sluice(['tail', '--queue', 'reports', '--interval', '100ms', '--json'], { interruptAt: '\n' });
    const ended = tailing.then(() => true);
    const enqueued = [];
    // It begins with what is there, and says nothing about it: so messages come until it has seen one come.
    while (!(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 150))]))) {
      enqueued.push(await enqueue('x'));
    }
    const { code, out, err } = await tailing;
    expect([code, err]).toEqual([0, expect.stringContaining('every 100ms')]);
    expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({
      queue: 'reports',
      change: { ready: expect.any(Number) },
    });
    expect((await sluice(['tail', '--interval', '1ms'])).code).toBe(2);
    await empty();
  });

  test('top: the queues with most to do first', async () => {
    await enqueue('x');
    const [text, json] = await Promise.all([
      sluice(['top', '--count', '1']),
      sluice(['top', '--count', '2', '--interval', '100ms', '--json']),
    ]);
    expect(text.out.split('\n')[2]).toMatch(/^reports +pull +1 /);
    const looks = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(looks.map(({ queues }) => queues[0].queue)).toEqual(['reports', 'reports']);
    await empty();
  });
});

describe('changing', () => {
  test('message --cancel takes a confirmation', async () => {
    const { id } = await enqueue('x');
    const unsure = await sluice(['message', id, '--cancel']);
    expect(unsure).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/Cancel message .*say --yes/) });
    expect(await report()).toMatchObject({ ready: { 4: 1 } });
    const sure = await sluice(['message', id, '--cancel', '--yes', '--json']);
    expect([sure.code, JSON.parse(sure.out)]).toEqual([0, { id, was: 'ready' }]);
  });

  test('dead letters are listed, put back and deleted', async () => {
    const ids = [await deadLetter(1), await deadLetter(2), await deadLetter(3)];
    const [listed, unclear, unsure] = await Promise.all([
      sluice(['dead', 'list', 'reports']),
      sluice(['dead', 'redrive', 'reports']),
      sluice(['dead', 'delete', 'reports']),
    ]);
    expect(listed.out).toMatch(/last error\n/);
    for (const id of ids) expect(listed.out).toMatch(new RegExp(`^${id} .*no such month`, 'm'));
    expect(unclear).toMatchObject({ code: 2, err: expect.stringContaining('--all') });
    expect(unsure).toMatchObject({ code: 2, err: expect.stringMatching(/Delete 3 dead letters of reports .*--yes/) });

    const some = await sluice(['dead', 'redrive', 'reports', ids[1] ?? '', 'nope']);
    expect(some).toMatchObject({ code: 1, out: '1 of 2 redriven\n' });
    expect(await sluice(['dead', 'redrive', 'reports', '--limit', '1'])).toMatchObject({
      code: 0,
      out: '1 of 1 redriven\n',
    });
    expect(await report()).toMatchObject({ ready: { 4: 2 }, dead: 1 });
    const deleted = await sluice(['dead', 'delete', 'reports', '--yes', '--json']);
    expect(JSON.parse(deleted.out)).toEqual({ queue: 'reports', deleted: 1 });
    await empty();
  });

  test('pause, resume and purge', async () => {
    await enqueue('x');
    await enqueue('y', { delay: '1h' });
    expect(await sluice(['pause', 'reports'])).toMatchObject({ code: 0, out: 'reports is paused\n' });
    expect(await report()).toMatchObject({ paused: true });
    expect(await sluice(['resume', 'reports', '--json'])).toMatchObject({
      out: '{"queue":"reports","paused":false}\n',
    });
    const [unsure, unknown, outside] = await Promise.all([
      sluice(['purge', 'reports']),
      sluice(['pause', 'nowhere']),
      sluice(['pause', '..']),
    ]);
    expect(unsure).toMatchObject({ code: 2, err: expect.stringMatching(/Purge 2 messages \(ready, delayed\)/) });
    expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('unknown_queue') });
    expect(outside).toMatchObject({ code: 2, err: expect.stringContaining('not a name') });
    expect(await sluice(['purge', 'reports', '--state', 'delayed', '--yes'])).toMatchObject({
      code: 0,
      out: '1 messages of reports purged\n',
    });
    expect(await report()).toMatchObject({ ready: { 4: 1 }, delayed: 0 });
    await empty();
  });

  test('bench: a pull queue is received from, a push queue watched; not one that is in use', async () => {
    const pulled = await sluice(['bench', '--queue', 'reports', '--count', '200', '--json']);
    expect(JSON.parse(pulled.out)).toMatchObject({ count: 200, delivery: { waitMs: { p50: expect.any(Number) } } });
    const drained = await sluice(['bench', '--queue', 'github.review', '--count', '50']);
    expect(drained.out).toMatch(/^delivered +\d+ a second/m);
    expect(await report()).toMatchObject({ ready: {}, leased: 0 });
    await enqueue('of somebody else');
    const [used, far] = await Promise.all([
      sluice(['bench', '--queue', 'reports']),
      sluice(['bench', '--queue', 'reports'], { env: { SLUICE_URL: 'https://sluice.invalid' } }),
    ]);
    expect(used).toMatchObject({ code: 1, out: '', err: expect.stringContaining('holds 1 messages') });
    expect(far).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--yes') });
    await empty();
  });
});

describe('schedules', () => {
  const SCHEDULE = { queue: 'reports', body: { month: 'this' }, cron: '0 3 * * *', tz: 'Europe/Berlin' };
  const tableOf = (out: string) => out.split('\n').map((line) => line.split(/ {2,}/));

  test('are listed with when they fire next; run, paused, resumed, deleted', async () => {
    await api('/v1/schedules/nightly', 'PUT', SCHEDULE);
    await api('/v1/schedules/poll', 'PUT', { queue: 'reports', body: 1, every: '90s' });
    const paused = await sluice(['schedules', 'pause', 'poll', '--json']);
    expect(JSON.parse(paused.out)).toMatchObject({ id: 'poll', state: 'paused' });
    const listed = await sluice(['schedules']);
    const rows = tableOf(listed.out);
    expect(rows[0]).toEqual(['schedule', 'state', 'queue', 'when', 'next']);
    expect(rows).toContainEqual([
      'nightly',
      'active',
      'reports',
      '0 3 * * * Europe/Berlin',
      expect.stringMatching(/^in (\d+h)?(\d+m)?(\d+s)?$/),
    ]);
    expect(rows).toContainEqual(['poll', 'paused', 'reports', 'every 1m30s']);
    const { schedules } = await api('/v1/schedules', 'GET');
    expect(JSON.parse((await sluice(['schedules', 'list', '--json'])).out)).toEqual({ schedules });
    expect(await sluice(['schedules', 'run', 'nightly'])).toMatchObject({ code: 0, out: 'nightly fired\n' });
    expect(await report()).toMatchObject({ ready: { 4: 1 } });
    expect((await sluice(['schedules', 'resume', 'poll'])).out).toBe('poll resumed\n');
    expect((await api('/v1/schedules/poll', 'GET')).state).toBe('active');
    const unsure = await sluice(['schedules', 'delete', 'nightly']);
    expect(unsure).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--yes') });
    for (const id of ['nightly', 'poll'])
      expect(await sluice(['schedules', 'delete', id, '--yes'])).toMatchObject({ code: 0, out: `${id} deleted\n` });
    expect((await api('/v1/schedules/nightly', 'GET')).code).toBe('unknown_schedule');
    await empty();
  });

  test('that there are not, that stand in the code, or that the token may not touch, are refused by name', async () => {
    const [run, pause, resume, deleted, code, forbidden] = await Promise.all([
      sluice(['schedules', 'run', 'nowhere']),
      sluice(['schedules', 'pause', 'nowhere']),
      sluice(['schedules', 'resume', 'nowhere', '--json']),
      sluice(['schedules', 'delete', 'nowhere', '--yes']),
      sluice(['schedules', 'run']),
      sluice(['schedules'], { env: { SLUICE_TOKEN: sender.token } }),
    ]);
    for (const { code, out, err } of [run, pause, resume, deleted])
      expect([code, out, err]).toEqual([1, '', expect.stringContaining('unknown_schedule')]);
    expect(code).toMatchObject({ code: 2, err: expect.stringContaining("missing required argument 'id'") });
    expect(forbidden).toMatchObject({ code: 1, err: expect.stringContaining('forbidden') });
  });
});

describe('rings', () => {
  test('items are added, shown, rotated and removed; a ring is deleted', async () => {
    expect((await sluice(['rings', 'add', 'monitors', 'a', 'b', 'c', 'a'])).out).toBe('added 3, length 3\n');
    const [listed, json, shown] = await Promise.all([
      sluice(['rings']),
      sluice(['rings', 'list', '--json']),
      sluice(['rings', 'show', 'monitors']),
    ]);
    expect(listed.out).toMatch(/^ring +length\nmonitors +3\n$/);
    expect(JSON.parse(json.out)).toEqual({ rings: [{ ring: 'monitors', length: 3 }] });
    expect(shown.out.trim().split('\n').toSorted()).toEqual(['a', 'b', 'c']);
    const turns = [];
    for (const count of [2, 1]) turns.push((await sluice(['rings', 'rotate', 'monitors', '--count', `${count}`])).out);
    expect(turns.join('').trim().split('\n').toSorted()).toEqual(['a', 'b', 'c']);
    expect((await sluice(['rings', 'remove', 'monitors', 'a', 'x'])).out).toBe('removed 1, length 2\n');
    const unsure = await sluice(['rings', 'delete', 'monitors']);
    expect(unsure).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--yes') });
    const deleted = await sluice(['rings', 'delete', 'monitors', '--yes', '--json']);
    expect(JSON.parse(deleted.out)).toEqual({ ring: 'monitors', removed: 2, length: 0 });
    expect((await api('/v1/rings', 'GET')).rings).toEqual([]);
  });

  test('one that is not there, a name that none can have, no items, a count of none', async () => {
    const [shown, named, none, count, rotated, forbidden] = await Promise.all([
      sluice(['rings', 'show', 'nowhere']),
      sluice(['rings', 'remove', 'a b', 'x']),
      sluice(['rings', 'add', 'monitors']),
      sluice(['rings', 'rotate', 'monitors', '--count', '0']),
      sluice(['rings', 'rotate', 'nowhere']),
      sluice(['rings'], { env: { SLUICE_TOKEN: sender.token } }),
    ]);
    for (const { code, out, err } of [shown, named])
      expect([code, out, err]).toEqual([1, '', expect.stringContaining('unknown_ring')]);
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining("missing required argument 'items'") });
    expect(count).toMatchObject({ code: 2, err: expect.stringContaining('1 to 1000') });
    expect(rotated).toEqual({ code: 0, out: '', err: '' });
    expect(forbidden).toMatchObject({ code: 1, err: expect.stringContaining('forbidden') });
  });
});

describe('limit', () => {
  test('sets limits over the definition, and takes them away', async () => {
    const set = await sluice(['limit', 'reports', '--concurrency', '5', '--rate', '100/1m']);
    expect(set.out).toMatch(/^concurrency +5, set by an operator$/m);
    expect(set.out).toMatch(/^rate +100 per 1m, set by an operator$/m);
    expect(await report()).toMatchObject({ overrides: { concurrency: 5, rate: { limit: 100, perMs: 60_000 } } });
    const part = await sluice(['limit', 'reports', '--rate', 'none', '--json']);
    expect(JSON.parse(part.out).overrides).toEqual({ concurrency: 5 });
    await sluice(['limit', 'reports', '--concurrency', 'none']);
    expect((await report()).overrides).toEqual({});
  });

  test('that are none are refused, and change nothing', async () => {
    const [nothing, zero, period, far, unknown] = await Promise.all([
      sluice(['limit', 'reports']),
      sluice(['limit', 'reports', '--concurrency', '0']),
      sluice(['limit', 'reports', '--rate', '100']),
      sluice(['limit', 'reports', '--rate', '100/2d']),
      sluice(['limit', 'nowhere', '--concurrency', '1']),
    ]);
    expect(nothing).toMatchObject({ code: 2, err: expect.stringContaining('--concurrency, --rate') });
    expect(zero).toMatchObject({ code: 2, err: expect.stringContaining('1 to 1000000') });
    expect(period).toMatchObject({ code: 2, err: expect.stringContaining('100/1m') });
    expect(far).toMatchObject({ code: 1, err: expect.stringMatching(/rate\.per: .*to a day/) });
    expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('unknown_queue') });
    expect((await report()).overrides).toEqual({});
  });
});

describe('figures', () => {
  test('top and tail show what ended', async () => {
    const tailing = sluice(['tail', '--interval', '100ms'], { interruptAt: 'ended  ' });
    const over = tailing.then(() => true);
    while (!(await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 150))]))) await deadLetter('x');
    expect((await tailing).out).toMatch(/^\d\d:\d\d:\d\d {2}ended {2}dead \+\d+$/m);
    const { total } = await api('/v1/stats?range=1h', 'GET');
    const top = await sluice(['top', '--count', '1']);
    expect(top.out).toContain(`last hour: ${total.acked} acked, ${total.retried} retried, ${total.dead} dead`);
    await empty();
  });
});

describe('doctor', () => {
  test('finds a sound deployment sound, and says what could not be looked at', async () => {
    const before = await sluice(['doctor']);
    expect(before.out).toMatch(/^warn +cron +no sweep has run yet; .*\n +look again in two minutes/m);
    await deployed().worker.tick();
    await enqueue('later', { delay: '1h' });
    const [text, json, limited] = await Promise.all([
      sluice(['doctor']),
      sluice(['doctor', '--json']),
      sluice(['doctor'], { env: { SLUICE_TOKEN: sender.token } }),
    ]);
    expect([text.code, text.err]).toEqual([0, '']);
    for (const check of ['url', 'reachable', 'storage', 'closed', 'token', 'audit']) {
      expect(text.out).toMatch(new RegExp(`^ok {4}${check} `, 'm'));
    }
    expect(text.out).toMatch(/^ok +cron +swept \S+ ago \(idle, it is noted every 10m\)$/m);
    expect(text.out).toMatch(
      /^warn +secrets +webhook\.out delivers nothing: WEBHOOK_OUT_SECRETS holds no signing secret/m,
    );
    await empty();
    expect(JSON.parse(json.out)).toMatchObject({ ok: true, findings: expect.any(Array) });
    expect(limited.out).toMatch(/^ok +token +it may enqueue; it lacks receive, admin$/m);
    expect(limited.out).toMatch(/^skip +queues /m);
  });

  test('says what is wrong and what to do, and fails', async () => {
    await deadLetter('x');
    await api('/v1/queues/reports/pause', 'POST');
    const [troubled, stranger, nobody, unreachable] = await Promise.all([
      sluice(['doctor']),
      sluice(['doctor'], { env: { SLUICE_TOKEN: 'unknown' } }),
      sluice(['doctor'], { env: { SLUICE_TOKEN: '' } }),
      sluice(['doctor'], { env: { SLUICE_URL: 'http://127.0.0.1:1' } }),
    ]);
    expect(troubled.code).toBe(0); // warnings
    expect(troubled.out).toMatch(/^warn +paused +reports .*\n +sluice resume reports$/m);
    expect(troubled.out).toMatch(/^warn +dead +reports has 1 dead letter\n +sluice dead list reports$/m);
    expect(stranger).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /^fail +token +it is not known here \(unauthorized: .*\)\n +\S[\s\S]*^skip +queues +it answered 401$/m,
      ),
    });
    expect(nobody).toMatchObject({ code: 1, out: expect.stringMatching(/^fail +token +none was given/m) });
    expect(unreachable).toMatchObject({ code: 1, out: expect.stringMatching(/^fail +reachable +unreachable: /m) });
    await api('/v1/queues/reports/resume', 'POST');
    await empty();
  });

  test('S10 repeats what a deployment says that cannot work, and how to store what is missing', async () => {
    const detail = 'Missing or wrong: UPSTASH_REDIS_REST_URL; the log of the Worker says how';
    const server = createServer((_, response) => {
      response.writeHead(500, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'misconfigured', detail }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const told = await sluice(['doctor'], { env: { SLUICE_URL: `http://127.0.0.1:${port}` } });
    server.close();
    expect(told.code).toBe(1);
    expect(told.out).toContain(`GET /health answered 500, misconfigured: ${detail}\n`);
    expect(told.out).toMatch(
      /^ +set it where the platform has its settings\. Of a Worker: npx wrangler secret put NAME, or npx wrangler deploy --secrets-file FILE; what is no secret .* wrangler\.toml$/m,
    );
  });
});

describe('everywhere', () => {
  test.each([
    ['dead', 'list', 'nowhere'],
    ['dead', 'delete', 'nowhere', '--yes'],
    ['dead', 'redrive', 'nowhere', '--all'],
    ['resume', 'nowhere'],
    ['purge', 'nowhere', '--yes'],
    ['peek', 'nowhere'],
    ['receive', 'nowhere'],
    ['bench', '--queue', 'nowhere'],
  ])('sluice %s %s %s: a queue that there is not is named, and nothing is shown', async (...args) => {
    const { code, out, err } = await sluice(args);
    expect([code, out, err]).toEqual([1, '', expect.stringMatching(/unknown_queue[\s\S]*sluice queues/)]);
  });

  test('an interval of less than 100 ms is wrong usage', async () => {
    expect(await sluice(['top', '--interval', '1ms'])).toMatchObject({ code: 2, out: '' });
  });

  test('options win over the environment, and a token on the command line is warned of but never shown', async () => {
    const env = { SLUICE_URL: 'http://127.0.0.1:1', SLUICE_TOKEN: 'wrong' };
    const well = await sluice(['queues', '--url', deployed().worker.url, '--token', admin.token], { env });
    expect([well.code, well.err]).toEqual([0, expect.stringContaining('warning')]);
    const wrong = await sluice(['queues', '--token', 'hunter2-hunter2', '--json']);
    expect(wrong.code).toBe(1);
    expect(`${wrong.out}${wrong.err}${well.out}${well.err}`).not.toMatch(new RegExp(`hunter2|${admin.token}`));
    expect(JSON.parse(wrong.err.split('\n')[1] ?? '').error).toMatchObject({ code: 'unauthorized', status: 401 });
  });

  test('without a deployment, a token or a known command it is wrong usage', async () => {
    const [noUrl, badUrl, noToken, unknown, nothing, unreachable] = await Promise.all([
      sluice(['queues'], { env: { SLUICE_URL: '' } }),
      sluice(['queues', '--url', 'sluice.example']),
      sluice(['queues'], { env: { SLUICE_TOKEN: '' } }),
      sluice(['frobnicate']),
      sluice([]),
      sluice(['pause', 'reports'], { env: { SLUICE_URL: 'http://127.0.0.1:1' } }),
    ]);
    expect(noUrl).toMatchObject({ code: 2, out: '', err: expect.stringContaining('SLUICE_URL') });
    expect(badUrl).toMatchObject({ code: 2, err: expect.stringContaining('http') });
    expect(noToken).toMatchObject({ code: 2, err: expect.stringContaining('SLUICE_TOKEN') });
    expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining("unknown command 'frobnicate'") });
    expect(nothing).toMatchObject({ code: 2, err: expect.stringContaining('Usage: sluice') });
    expect(unreachable).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: unreachable: .*\n {2}is the URL right/),
    });
  });

  test('a token of too small a scope is told so', async () => {
    const env = { SLUICE_TOKEN: sender.token };
    expect(await sluice(['queues'], { env })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: forbidden: .*admin/),
    });
  });
});

if (!terminalPresent) console.warn('skipped: the command line on a terminal: there is no `script` on the PATH');

describe.skipIf(!terminalPresent)('on a terminal', () => {
  const onTerminal = (args: string[], typed = '', env: Record<string, string> = {}) =>
    runOnTerminal(args, typed, { SLUICE_URL: deployed().worker.url, SLUICE_TOKEN: admin.token, ...env });

  test('it asks before it destroys, and only a yes is a yes', async () => {
    await enqueue('x');
    const unsure = await Promise.all(
      ['n\n', '\n', '\x04', '\x03'].map((typed) => onTerminal(['purge', 'reports'], typed)),
    );
    expect(unsure.map(({ code }) => code)).toEqual([1, 1, 1, 1]);
    for (const { out } of unsure) expect(out).toMatch(/Purge 1 messages .*\[y\/N\][\s\S]*nothing was changed/);
    expect(await report()).toMatchObject({ ready: { 4: 1 } });
    expect(await onTerminal(['purge', 'reports'], 'y\n')).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 messages'),
    });
    expect(await report()).toMatchObject({ ready: {} });
  });

  test('its tables fit the screen', async () => {
    await enqueue('x'.repeat(300));
    const { out } = await onTerminal(['peek', 'reports'], '', { NO_COLOR: '1' });
    const rows = out.split('\r\n').filter((line) => line !== '');
    expect(rows.map((line) => line.length)).toEqual([expect.any(Number), COLUMNS]);
    expect(rows[1]).toMatch(/x…$/);
    await empty();
  });

  test('it has colours, unless NO_COLOR is set', async () => {
    const [coloured, plain] = await Promise.all([
      onTerminal(['doctor']),
      onTerminal(['doctor'], '', { NO_COLOR: '1' }),
    ]);
    expect(coloured.out).toContain('\x1b[32mok');
    expect(plain.out).toMatch(/^ok +url/m);
    expect(plain.out).not.toContain('\x1b');
  });

  test('without a body and with nobody to send one, enqueue does not wait', async () => {
    expect(await onTerminal(['enqueue', 'reports'])).toMatchObject({
      code: 2,
      out: expect.stringContaining('no body'),
    });
  });
});
