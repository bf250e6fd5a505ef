// The probe, asked of the emulator: what it answers is what is expected of the service, but for what is listed here.
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answers, compare, EXPECTED, readAnswers } from '../scripts/probe/answers.ts';
import { askAll } from '../scripts/probe/ask.ts';
import { type Database, openDatabase } from '../scripts/probe/database.ts';
import { COMMANDS } from '../scripts/probe/lua.ts';
import type { Question } from '../scripts/probe/question.ts';
import { QUESTIONS } from '../scripts/probe/questions.ts';
import { costOf } from '../scripts/probe/report.ts';
import type { Fault } from '../src/dev/emulator/faults.ts';
import { type Redises, startEmbedded, startServer } from './support/bench.ts';
import { FRONT, redisServerPresent } from './support/redis-server.ts';

type Kind = 'the embedded Redis' | 'redis-server';

/** Where the emulator is not as the service is expected to be, and why it stays so. */
const DIFFERENCES: Record<string, { why: string; on?: Kind }> = {
  'acl.setUser': { why: 'it has the tokens that it was started with' },
  'config.policy': {
    why: 'it refuses to tell what the service answers with nothing: who asks here would trust the answer',
  },
  'error-after-write.write': { why: 'Redis undoes nothing; scripts have to bear both' },
  'info.policy': { why: 'the embedded one does not tell', on: 'the embedded Redis' },
  'key-locking.sameTag': { why: 'it is as strict as the page of August: what it takes is taken under either rule' },
  'key-size.field': { why: 'it limits keys alone' },
  'key-size.member': { why: 'it limits keys alone' },
  'lua-numbers.argument': { why: 'the Lua of Redis writes numbers otherwise; scripts format them' },
  'script-errors.readOnly': { why: 'errors of scripts have the words of the Redis behind it' },
};

/** Not asked there, and why. */
const UNASKED: Record<string, { why: string; on?: Kind }> = {
  'busy-1s': { why: 'it ends each script that computes for long', on: 'the embedded Redis' },
  'busy-3s': { why: 'it tells nothing more than busy-1s' },
  'busy-6s': { why: 'it tells nothing more than busy-1s' },
};

const namesOn = (kind: Kind, listed: Record<string, { on?: Kind }>) =>
  Object.keys(listed).filter((name) => (listed[name]?.on ?? kind) === kind);

const expected = readAnswers(EXPECTED);
const isUnderFront = FRONT !== undefined;
const kinds: [Kind, typeof startEmbedded, boolean][] = [
  ['the embedded Redis', startEmbedded, !isUnderFront],
  ['redis-server', startServer, redisServerPresent()],
];

/** Those of a free database, but for the record: one of 100 MB takes too long to fill. */
const LIMITS = { capacityBytes: 256e6, keyBytes: 32_768, recordBytes: 15e6 };

interface Run {
  redises: Redises;
  answers: Answers;
  costs: { commands: number; bytes: number }[];
  left: string[];
}

const askedOn = (kind: Kind) => QUESTIONS.filter(({ name }) => !namesOn(kind, UNASKED).includes(name));

async function runOn(kind: Kind, start: typeof startEmbedded): Promise<Run> {
  const redises = await start({ limits: LIMITS });
  const run: Run = { redises, answers: {}, costs: [], left: [] };
  const { emulator } = redises;
  for (const question of askedOn(kind)) {
    const database = openDatabase(emulator.url, emulator.token);
    const before = await emulator.billed();
    const found = await askAll({ database, questions: [question], signal: new AbortController().signal });
    run.costs.push({ commands: (await emulator.billed()) - before, bytes: database.bytes() });
    Object.assign(run.answers, found.answers);
    run.left.push(...found.left);
  }
  return run;
}

const present = kinds.filter(([, , isPresent]) => isPresent);
const runs = new Map<Kind, Run>();
beforeAll(async () => {
  // At the same time: they wait for most of it.
  await Promise.all(present.map(async ([kind, start]) => runs.set(kind, await runOn(kind, start))));
}, 120_000);
afterAll(async () => {
  for (const { redises } of runs.values()) await redises.stop();
});

describe.each(present)('on %s', (kind) => {
  const asked = askedOn(kind);
  const run = () => runs.get(kind) as Run;

  test.skipIf(isUnderFront)('it answers as the service is expected to, but for what is listed', () => {
    const rows = compare(
      run().answers,
      expected.answers,
      asked.map(({ name }) => name),
    );
    const differing = rows.filter(({ verdict }) => verdict === 'differs').map(({ name }) => name);
    expect(differing.sort()).toEqual(namesOn(kind, DIFFERENCES).sort());
  });

  test('each part that is answered stands among what is expected', () => {
    expect(Object.keys(run().answers).filter((name) => !(name in expected.answers))).toEqual([]);
  });

  test('it costs what is announced, at most, and not much less', () => {
    const { costs } = run();
    for (const [i, question] of asked.entries()) {
      const { commands, bytes } = costOf([question]);
      expect(costs[i]?.commands, question.name).toBeLessThanOrEqual(commands);
      expect(costs[i]?.bytes, question.name).toBeLessThanOrEqual(bytes);
    }
    const sized = asked.filter(({ name }) => name !== 'record'); // how much it takes to fill one is another matter here
    const billed = sized.reduce((sum, question) => sum + (costs[asked.indexOf(question)]?.commands ?? 0), 0);
    expect(costOf(sized).commands).toBeLessThan(1.15 * billed);
  });

  test('nothing is left there', async () => {
    expect(run().left).toEqual([]);
    expect(await run().redises.raw.dbsize()).toBe(0);
  });
});

describe('a question that fails', () => {
  const page = '<html><body><h1>503 Service Unavailable</h1></body></html>';
  let fault: Fault | undefined;
  let redises: Redises;
  beforeAll(async () => {
    redises = await startEmbedded({
      faults: ({ commands: [command = []] }) => (command[0] === 'EVALSHA' ? fault : undefined),
    });
  });
  afterAll(() => redises?.stop());
  const questions = QUESTIONS.filter(({ name }) => ['script-errors', 'noscript', 'error-after-write'].includes(name));
  const ask = async () => {
    const { url, token } = redises.emulator;
    const signal = new AbortController().signal;
    return (await askAll({ database: openDatabase(url, token), questions, signal })).answers;
  };

  test('has its failure as its answer, and stops no other', async () => {
    fault = { kind: 'status-before', status: 503 };
    const answers = await ask();
    expect(Object.keys(answers)).toEqual(['script-errors.failed', 'error-after-write.write', 'noscript.failed']);
    expect(answers['noscript.failed']?.answer).toBe(`HTTP 503, text/html: ${page}`);
    const rows = compare(answers, expected.answers, ['noscript']);
    expect(rows.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['noscript.failed', 'differs'],
      ['noscript.status', 'open'],
      ['noscript.text', 'open'],
    ]);
    expect(await redises.raw.dbsize()).toBe(0);
  });

  test('where no answer comes that is said', async () => {
    fault = { kind: 'reset' };
    expect((await ask())['noscript.failed']?.answer).toMatch(/^no answer: fetch failed: /);
  });
});

test('a key whose removal is refused keeps no other, and is told', async () => {
  const there = new Set<string>();
  const database: Database = {
    async send([name, ...keys]) {
      const reply = { status: 200, type: 'application/json', text: '', syncToken: undefined, ms: 0 };
      if (name === 'UNLINK' && keys.some((key) => String(key).endsWith(':held'))) return { ...reply, error: 'ERR no' };
      for (const key of keys) there[name === 'UNLINK' ? 'delete' : 'add'](String(key));
      return { ...reply, result: 1 };
    },
    post: () => Promise.reject(new Error('not asked')),
    bytes: () => 0,
  };
  const question: Question = {
    name: 'q',
    asks: '',
    matters: '',
    commands: 1,
    ask: async ({ key, keyElsewhere, send }) => {
      await send(['SET', key('held'), keyElsewhere('free')]);
      return {};
    },
  };
  const { left } = await askAll({ database, questions: [question], signal: new AbortController().signal });
  expect(left).toEqual([expect.stringMatching(/^\{probe-[0-9a-f]{12}\}:held$/)]);
  expect([...there]).toEqual(left);
});

test('it asks for each command and option that the scripts use', () => {
  const words = (text: string) => [...text.matchAll(/'([A-Z]{3,})'/g)].map(([, word]) => word);
  const used = globSync('src/redis/lua/*/*.lua').flatMap((file) => words(readFileSync(file, 'utf8')));
  const errorCodes = ['WRONGTYPE'];
  expect([...new Set(used)].filter((word) => !words(COMMANDS.join('\n')).includes(word))).toEqual(errorCodes);
});

describe('what is expected', () => {
  const all = { ...expected.answers, ...expected.unasked };

  test('says where each of it comes from, and nothing of it was measured', () => {
    for (const [name, { source, date, from, answer }] of Object.entries(all)) {
      expect(['documented', 'seen', 'unknown'], name).toContain(source);
      if (source === 'unknown') continue;
      expect(answer, name).toBeDefined();
      expect(from, name).toBeTruthy();
      expect(date, name).toMatch(/^2026-\d\d-\d\d$/);
    }
  });

  test('is of questions that there are, and of each of them', () => {
    const questions = new Set(Object.keys(expected.answers).map((name) => name.split('.')[0]));
    expect([...questions].sort()).toEqual(QUESTIONS.map(({ name }) => name).sort());
  });
});

test('a value is compared with what is expected of it, and new where nobody says', () => {
  const measured = (answer: string | string[]) => ({ answer, source: 'measured' as const });
  const found = {
    'a.same': measured(['x']),
    'a.other': measured('x'),
    'a.new': measured('x'),
    'a.assumed': measured('x'),
  };
  const file: Answers = {
    'a.same': { answer: ['x'], source: 'seen' },
    'a.other': { answer: 'y', source: 'documented' },
    'a.new': { source: 'unknown' },
    'a.assumed': { answer: 'y', source: 'unknown' },
    'a.open': { answer: 'y', source: 'seen' },
    'b.unasked': { answer: 'y', source: 'seen' },
  };
  expect(compare(found, file, ['a']).map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
    'a.same same',
    'a.other differs',
    'a.new new',
    'a.assumed differs',
    'a.open open',
  ]);
});

describe('the probe, as a command', () => {
  const TOKEN = 'a-token-that-nobody-may-see';
  const folder = mkdtempSync(join(tmpdir(), 'sluice-probe-'));
  let redises: Redises;
  let onCommand: ((command: string[]) => void) | undefined;
  beforeAll(async () => {
    redises = await startEmbedded({ token: TOKEN, observe: ({ command }) => onCommand?.(command) });
  });
  afterAll(async () => {
    await redises?.stop();
    rmSync(folder, { recursive: true });
  });

  function start(args: string[], env: Record<string, string> = {}) {
    const file = ['scripts/probe/probe-command.ts', ...args];
    const none = {
      UPSTASH_REDIS_REST_URL: '',
      UPSTASH_REDIS_REST_TOKEN: '',
      KV_REST_API_URL: '',
      KV_REST_API_TOKEN: '',
    };
    const child = spawn(process.execPath, file, { env: { ...process.env, ...none, ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      child.once('close', (code) => resolve({ code, out, err }));
    });
    return { child, ended };
  }
  const vercel = () => ({ KV_REST_API_URL: redises.emulator.url, KV_REST_API_TOKEN: TOKEN });
  const upstash = () => ({ UPSTASH_REDIS_REST_URL: redises.emulator.url, UPSTASH_REDIS_REST_TOKEN: TOKEN });

  test.concurrent('says first what it costs, then each part, and 0 where all is as expected', async () => {
    const { code, out, err } = await start(['--only', 'noscript,bodies'], upstash()).ended;
    expect(err).toMatch(/^2 questions to 127\.0\.0\.1:\d+: about 3 commands, as they are billed, and 0\.0 MB\./);
    expect(err).toContain('9 as expected, 0 differ');
    expect(out).toMatch(/^same +noscript\.text +"NOSCRIPT No matching script\. Please use EVAL\."$/m);
    expect([code, (out + err).includes(TOKEN)]).toEqual([0, false]);
  });

  test.concurrent('what a run found can be compared with: 0 where it is the same, 1 where not, with what was expected', async () => {
    const only = ['--only', 'noscript,lua', '--url', redises.emulator.url, '--token', TOKEN];
    const { out } = await start([...only, '--json']).ended;
    const found = JSON.parse(out);
    expect(found.answers['lua.version']).toMatchObject({ answer: 'Lua 5.1', source: 'measured' });
    expect(out).not.toContain(redises.emulator.url);
    const file = join(folder, 'found.json');
    writeFileSync(file, out);
    expect(await start([...only, '--against', file]).ended).toMatchObject({ code: 0 });
    found.answers['lua.version'].answer = 'Lua 9';
    writeFileSync(file, JSON.stringify(found));
    const other = await start([...only, '--against', file]).ended;
    expect([other.code, other.out]).toEqual([1, expect.stringMatching(/expected "Lua 9" \(measured, \d{4}-/)]);
  });

  test.concurrent('a database named as Vercel names it is taken; a token that it does not know is told, not shown', async () => {
    const known = await start(['--only', 'noscript'], vercel()).ended;
    expect(known.code).toBe(0);
    const unknown = 'another-token-that-nobody-may-see';
    const { code, out, err } = await start(['--token', unknown], vercel()).ended;
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^error: HTTP 401, application\/json: {"error":"WRONGPASS/);
    expect(err).not.toContain(unknown);
  });

  test.concurrent.each([
    ['no database', [], /^error: no database: give --url and --token/],
    ['no such question', ['--only', 'noscript,nothing-else'], /^error: --only: no question nothing-else/],
    ['no URL', ['--url', 'redis://127.0.0.1', '--token', 'x'], /^error: --url must begin with https/],
    ['nobody there', ['--url', 'http://127.0.0.1:9', '--token', 'x'], /^error: no answer: /],
  ])('2 where it cannot ask: %s', async (_, args, error) => {
    const { code, out, err } = await start(args).ended;
    expect([code, out, err]).toEqual([2, '', expect.stringMatching(error)]);
  });

  test.concurrent('a page that shows the token is not passed on', async () => {
    const server = createServer((request, response) => {
      response.writeHead(502, { 'content-type': 'text/html' }).end(`<p>${request.headers.authorization}</p>`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { err } = await start(['--url', `http://127.0.0.1:${port}`, '--token', TOKEN]).ended;
    expect(err).toBe('error: HTTP 502, text/html: <p>Bearer <token></p>\n');
    await new Promise((resolve) => server.close(resolve));
  });

  test('Ctrl-C ends it, and leaves nothing there', async () => {
    const { child, ended } = start(['--only', 'scan-braces,sync-token,expiry,errors'], upstash());
    onCommand = ([name, , , key = '']) => {
      if (name === 'EVAL' && key.startsWith('{probe-')) child.kill('SIGINT'); // that of expiry has been written
    };
    const { code, out } = await ended;
    onCommand = undefined;
    expect(code).toBe(2);
    expect(out).toMatch(/^same +scan-braces\.escaped/m);
    expect(out).toMatch(/^open +errors\.arity/m);
    expect(await redises.raw.dbsize()).toBe(0);
  });
});
