// What the command line says about itself: --help, docs/cli.md and completion agree; and its rules, by themselves.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { changesOf, type Snapshot } from '../../src/cli/changes.ts';
import { completionScript } from '../../src/cli/completion-script.ts';
import {
  judgeClock,
  judgeCron,
  judgeDestinations,
  judgeQueues,
  judgeScopes,
  judgeSources,
  uncountedOf,
} from '../../src/cli/doctor/rules.ts';
import { messageDetail, messageTable } from '../../src/cli/message-table.ts';
import { paintFor } from '../../src/cli/output.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { barOf } from '../../src/cli/progress.ts';
import { queueDetail, queueTable } from '../../src/cli/queue-table.ts';
import { isLoopback } from '../../src/cli/settings.ts';
import { tableOf } from '../../src/cli/table.ts';
import { fromNow, lengthOf } from '../../src/cli/time.ts';
import { runCli } from '../support/cli.ts';
import { AT_MOST, bash } from '../support/shell.ts';

const program = buildProgram();

/** Every command that does something, with the words that lead to it. */
function leaves(command: Command, words: string[] = ['sluice']): { name: string; command: Command }[] {
  if (command.commands.length === 0) return [{ name: words.join(' '), command }];
  return command.commands.flatMap((sub) => leaves(sub, [...words, sub.name()]));
}

const commands = leaves(program);
const plain = (_: string, text: string) => text;
const SCREEN = { paint: plain, width: Number.POSITIVE_INFINITY };

describe('--help and docs/cli.md', () => {
  const docs = readFileSync('docs/cli.md', 'utf8');

  test.each(commands)('$name', ({ name, command }) => {
    const cells = `| \`${`${name} ${command.usage()}`.replace('[options]', '').replaceAll(/ +/g, ' ').trim()}\` | ${command.description()} |`;
    expect(docs).toContain(cells);
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toMatch(new RegExp(`Examples:\n {2}.*${name.replace(' list', '')}`));
    for (const option of command.options) {
      expect(option.description, `${name} ${option.long}`).not.toBe('');
      expect(docs.includes(`\`${option.long}`), `docs/cli.md lacks ${option.long} of ${name}`).toBe(true);
    }
  });

  test('defaults stand there in words', () => {
    for (const { command, name } of commands) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help, name).not.toMatch(/default: (null|\[|\d{5,})/);
    }
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await runCli(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  test('the docs name no command that there is not', () => {
    const named = [...docs.matchAll(/^\| `(sluice [a-z -]*[a-z])/gm)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(commands.map(({ name }) => name).toSorted());
  });

  test('--help of the program and of a command end well, on stdout', async () => {
    const [all, one] = await Promise.all([runCli(['--help']), runCli(['dead', 'redrive', '--help'])]);
    expect([all.code, all.err, one.code, one.err]).toEqual([0, '', 0, '']);
    expect(all.out).toMatch(/Exit codes: 0 .*, 1 .*, 2 /);
    expect(one.out).toMatch(/^Usage: sluice dead redrive \[options\] <queue> \[ids\.\.\.\]/);
    expect(one.out).toContain('--url');
  });
});

describe('token and completion talk to nobody', () => {
  test('token', async () => {
    const [made, refused] = await Promise.all([
      runCli(['token', '--name', 'ci', '--scopes', 'enqueue,receive', '--json']),
      runCli(['token', '--scopes', 'root']),
    ]);
    expect(JSON.parse(made.out)).toMatchObject({
      entry: { name: 'ci', scopes: ['enqueue', 'receive'], queues: ['*'] },
    });
    expect(refused).toMatchObject({ code: 2, out: '', err: expect.stringContaining('scopes') });
  });

  test('bash completes commands and their options', async () => {
    const [{ code, out }, bad] = await Promise.all([runCli(['completion', 'bash']), runCli(['completion', 'tcsh'])]);
    expect([code, bad.code]).toEqual([0, 2]);
    const complete = (...words: string[]) => {
      const ask = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _sluice; echo "\${COMPREPLY[@]}"`;
      return bash(`${out}\n${ask}`).then((said) => said.trim());
    };
    expect(await complete('sluice', 'pu')).toBe('purge');
    expect(await complete('sluice', 'dead', 're')).toBe('redrive');
    expect(await complete('sluice', 'dead', 'redrive', 'reports', '--a')).toBe('--all');
    expect(await complete('sluice', '--url', 'x', 'queues', '--js')).toBe('--json');
  });

  test.each([
    ['zsh', '-f'],
    ['fish', '--no-config'],
  ] as const)('%s has every command and option, and its shell can read it', (shell, noProfile) => {
    const script = completionScript(shell, program);
    for (const { name, command } of commands) {
      for (const word of name.split(' ').slice(1)) expect(script).toContain(word);
      for (const { long } of command.options) expect(script).toContain(long?.slice(2));
    }
    const { error, status } = spawnSync(shell, [noProfile, '-n'], { ...AT_MOST, input: script });
    if (error && 'code' in error && error.code === 'ENOENT') console.warn(`not checked by ${shell}: it is not here`);
    else expect(status).toBe(0);
  });
});

describe('which Node it runs on', () => {
  test('the bin of the package is there and can be run', () => {
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: { sluice: string } };
    expect(() => accessSync(bin.sluice, constants.X_OK)).not.toThrow();
    expect(readFileSync(bin.sluice, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  const old = ['/usr/bin/node', '/usr/local/bin/node'].filter(existsSync).find((node) => {
    return !execFileSync(node, ['-p', '!!process.features.typescript'], { ...AT_MOST, encoding: 'utf8' }).startsWith(
      'true',
    );
  });
  if (!old) console.warn('skipped: there is no older Node on this machine to hand over from');

  test.skipIf(!old)('an older one hands over to the one that npm ci brings, and passes on how it ended', () => {
    const { status, stderr } = spawnSync(old ?? '', ['src/cli/sluice.js', 'frobnicate'], {
      ...AT_MOST,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining("unknown command 'frobnicate'")]);
  });

  test.skipIf(!old)('an older one alone says what is needed', () => {
    const input = readFileSync('src/cli/sluice.js', 'utf8').replace('../../node_modules', './nowhere');
    const { status, stderr } = spawnSync(old ?? '', ['--input-type=module', '-'], {
      ...AT_MOST,
      input,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: sluice needs Node 22\.18 or later.*npm ci.*\n$/),
    ]);
  });
});

describe('rules', () => {
  test('colour only on a terminal, and never with NO_COLOR', () => {
    const painted = (isTerminal: boolean, env: Record<string, string>) => paintFor(isTerminal, env)('red', 'x');
    expect(painted(true, {})).toBe('\x1b[31mx\x1b[39m');
    expect([painted(false, {}), painted(true, { NO_COLOR: '1' }), painted(true, { TERM: 'dumb' })]).toEqual([
      'x',
      'x',
      'x',
    ]);
    expect(painted(true, { NO_COLOR: '' })).not.toBe('x');
  });

  test('a table is aligned also where cells are coloured, empty, or hostile', () => {
    const rows = [
      ['a\x1b[2J', 5, { text: 'on', style: 'red' as const }],
      ['b', '1000+', undefined],
    ];
    const paint = (_: string, text: string) => `<${text}>`;
    expect(tableOf(['name', 'count', 'state'], rows, { paint, width: Number.POSITIVE_INFINITY }).split('\n')).toEqual([
      '<name>        <count>  <state>',
      'a\\u001b[2J      5  <on>',
      'b           1000+',
    ]);
    expect(tableOf(['name', 'count'], [], SCREEN)).toBe('name  count');
  });

  test.each([80, 100, 200])(
    'a table fits a screen of %d columns: names stay whole, long texts end in an ellipsis',
    (width) => {
      const dead = (n: number) => ({
        id: `0VcNH3LPUCjnld8Zzqr${n}`,
        state: 'dead' as const,
        priority: 1,
        group: 'https://partner.example.com',
        attempt: 5,
        enqueuedAt: 0,
        at: 60_000,
        failures: [
          { attempt: 5, at: 60_000, kind: 'failed', text: `the invoices report has no pages ${'at all '.repeat(30)}` },
        ],
      });
      const lines = messageTable([dead(1), dead(2)], 'dead', 120_000, { paint: plain, width }).split('\n');
      expect(lines).toHaveLength(3);
      for (const line of lines.slice(1)) {
        expect(line).toHaveLength(width);
        expect(line).toMatch(/^0VcNH3LPUCjnld8Zzqr\d .* 2m +1m ago +failed: .*…$/);
      }
    },
  );

  test('a table that is narrow stays so, and one for a file has whole texts, a row to a line', () => {
    const rows = [['a', 'x'.repeat(300)]];
    expect(tableOf(['name', 'body'], [['a', 'x']], { paint: plain, width: 200 })).toBe('name  body\na     x');
    expect(tableOf(['name', 'body'], rows, SCREEN).split('\n')[1]).toBe(`a     ${'x'.repeat(300)}`);
    const [heading, row] = tableOf(['name', 'body'], rows, { paint: plain, width: 5 }).split('\n');
    expect([heading, row]).toEqual(['name  body', `a     ${'x'.repeat(7)}…`]);
    const faces = tableOf(['name', 'body'], [['a', '🙂'.repeat(9)]], { paint: plain, width: 14 }).split('\n')[1];
    expect(faces).toBe(`a     ${'🙂'.repeat(3)}…`);
  });

  test('instants as far from now', () => {
    expect([fromNow(undefined, 0), fromNow(90_000, 0), fromNow(0, 90_000)]).toEqual([
      undefined,
      'in 1m30s',
      '1m30s ago',
    ]);
  });

  test('one message: where it goes, the bytes that came in, and where its handler failed', () => {
    const message = {
      id: 'a',
      state: 'dead' as const,
      destination: 'https://partner.example.com/hook',
      method: 'PUT',
      body: { n: 1 },
      failures: [{ attempt: 1, at: 0, kind: 'failed', text: 'Error: x', stack: 'at a (b.ts:1:2)\nat c (d.ts:3:4)' }],
    };
    const shown = (raw: { type: string; text?: string; base64?: string }) =>
      messageDetail({ ...message, raw }, 0, plain)
        .split('\n')
        .map((line) => line.trim());
    expect(shown({ type: 'text/xml', text: '<a/>\n' })).toEqual(
      expect.arrayContaining([
        'destination   PUT https://partner.example.com/hook',
        'raw text/xml  <a/>\\u000a',
        'attempt 1     1970-01-01T00:00:00Z  failed  Error: x',
        'at a (b.ts:1:2)',
        'at c (d.ts:3:4)',
      ]),
    );
    expect(shown({ type: 'image/png', base64: 'iVBORw0K' })).toContain('raw image/png  6 bytes, in base64: iVBORw0K');
  });

  test('sources: a closed one is doubtful, and one that does not say counts as open', () => {
    const [ok, ...others] = judgeSources([{ source: 'a', open: true }, { source: 'b' }]);
    expect([ok?.status, others]).toEqual(['ok', []]);
    expect(judgeSources([{ source: 'a', open: false, reason: 'no secret' }, { source: 'b' }])).toMatchObject([
      { status: 'warn', found: 'a is closed, and answers 503 to every webhook: no secret' },
    ]);
  });

  test('lengths in two units, as the API takes them', () => {
    const lengths = [0, 350, 1_000, 90_000, 3_600_000, 3_661_000, 200_000_000, -5];
    expect(lengths.map(lengthOf)).toEqual(['0ms', '350ms', '1s', '1m30s', '1h', '1h1m', '2d7h', '0ms']);
  });

  test('a bar is never over or under its ends', () => {
    expect(barOf(0.5)).toBe(`[${'#'.repeat(12)}${'.'.repeat(12)}] 50%`);
    expect([barOf(7).length, barOf(-1)]).toEqual([31, expect.stringContaining('.'.repeat(24))]);
  });

  test('this machine is told from others', () => {
    const urls = [
      'http://127.0.0.1:8787',
      'http://[::1]:1',
      'http://localhost',
      'http://127.0.0.1.example.com',
      'https://x.dev',
    ];
    expect(urls.map(isLoopback)).toEqual([true, true, true, false, false]);
  });

  test('the doctor: clock, cron, scopes', () => {
    expect(judgeClock(10_000, 11_000, 500)).toMatchObject({ status: 'ok' });
    expect(judgeClock(10_000, 20_000, 500)).toMatchObject({ status: 'warn', found: expect.stringContaining('9s') });
    const now = 100_000_000;
    const minutes = (ago: number) => now - ago * 60_000;
    const cron = (signs: object) => judgeCron({ hasStats: true, ...signs }, now).status;
    expect([cron({ hasStats: false }), cron({}), cron({ uncountedAt: minutes(1) })]).toEqual(['skip', 'warn', 'warn']);
    expect([1, 12, 14, 21].map((ago) => cron({ lastSweepAt: minutes(ago) }))).toEqual(['ok', 'ok', 'warn', 'fail']);
    expect([cron({ lastSweepAt: now + 5, overdueAt: minutes(-15) }), cron({ overdueAt: minutes(4) })]).toEqual([
      'ok',
      'warn',
    ]);
    expect(cron({ lastSweepAt: minutes(13), uncountedAt: minutes(12) })).toBe('fail');
    const down = (state: 'open' | 'closed') => ({ queue: 'out', group: 'acme', state, failures: 7 });
    expect([judgeDestinations([]).status, judgeDestinations([down('closed')]).status]).toEqual(['ok', 'ok']);
    expect(judgeDestinations([down('open')])).toMatchObject({ status: 'warn', found: 'left alone: acme (7 failures)' });
    const point = (at: number, acked: number) => ({ at, acked, retried: 0, dead: 0 });
    expect(uncountedOf([point(60_000, 5), point(120_000, 0), point(180_000, 1)], 100_000)).toBe(240_000);
    expect(uncountedOf([point(60_000, 5), point(120_000, 0)], 100_000)).toBeUndefined();
    const refused = { status: 403, code: 'forbidden' };
    expect(judgeScopes({ enqueue: { status: 422, code: 'invalid_message' }, admin: refused })).toMatchObject({
      found: 'it may enqueue; it lacks admin',
    });
  });

  test('the doctor: queues', () => {
    const queue = {
      queue: 'a',
      kind: 'pull',
      priority: 5,
      attempts: 5,
      timeoutMs: 1,
      ready: {},
      delayed: 0,
      leased: 0,
      dead: 0,
      paused: false,
      limits: {},
      overrides: {},
      complete: true,
      oldestComplete: true,
    } as const;
    const now = 10_000_000;
    const checks = (report: object) =>
      judgeQueues([{ ...queue, ...report }], now).map(({ check, status }) => `${check} ${status}`);
    expect(checks({})).toEqual(['queues ok']);
    expect(checks({ oldestReadyAt: now - 60_000 })).toEqual(['queues ok']);
    expect(checks({ oldestReadyAt: now - 600_000, dead: 3 })).toEqual(['backlog warn', 'dead warn']);
    expect(checks({ oldestReadyAt: now - 600_000, paused: true })).toEqual(['paused warn']);
    expect(checks({ missingSecrets: ['A', 'B'] })).toEqual(['secrets warn', 'secrets warn']);
    expect(checks({ kind: 'unknown', oldestReadyAt: now - 600_000, ready: { 5: 1 } })).toEqual(['unknown warn']);
    const told = (report: object) =>
      judgeQueues([{ ...queue, oldestReadyAt: now - 600_000, ...report }], now)[0]?.found;
    expect(told({})).toBe('the oldest message of a has waited 10m');
    expect(told({ oldestComplete: false })).toBe('the oldest message of a has waited 10m or more');
  });

  test('queues: what is a lower bound says so, and so does a queue that left the code', () => {
    const counts = {
      ready: { 5: 2 },
      delayed: 0,
      leased: 1,
      dead: 0,
      oldestReadyAt: 1,
      paused: false,
      limits: {},
      overrides: {},
      complete: false,
    };
    const queue = { queue: 'a', kind: 'pull', priority: 5, attempts: 5, timeoutMs: 1, ...counts } as const;
    const [, seen, old] = queueTable(
      [
        { ...queue, oldestComplete: false },
        { ...counts, queue: 'old', kind: 'unknown', complete: true, oldestComplete: true },
      ],
      60_001,
      SCREEN,
    ).split('\n');
    expect(seen?.split(/ {2,}/)).toEqual(['a', 'pull', '2+', '0+', '1+', '0', '1m+', 'open']);
    expect(old?.split(/ {2,}/).slice(-2)).toEqual(['1m', 'not in the code']);
    expect(queueDetail({ ...counts, queue: 'old', kind: 'unknown', oldestComplete: true }, 60_001, plain)).not.toMatch(
      /priority {2,}|timeout/,
    );
  });

  test('tail: nothing changed is nothing said; a queue that is new counts from nothing', () => {
    const queue = {
      queue: 'a',
      kind: 'pull',
      priority: 5,
      attempts: 5,
      timeoutMs: 1,
      ready: { 5: 2 },
      delayed: 0,
      leased: 0,
      dead: 0,
      paused: false,
      limits: {},
      overrides: {},
      complete: true,
      oldestComplete: true,
    } as const;
    const before: Snapshot = { at: 1, queues: [queue], points: [{ at: 0, acked: 5, retried: 0, dead: 0 }] };
    expect(changesOf(before, { ...before, at: 2 })).toEqual([]);
    const after = {
      at: 2,
      queues: [queue, { ...queue, queue: 'b' }],
      points: [{ at: 60_000, acked: 3, retried: 0, dead: 0 }],
    };
    expect(changesOf(before, after)).toEqual([
      { at: 2, queue: 'b', change: { ready: 2 }, now: { ready: 2, delayed: 0, leased: 0, dead: 0, paused: 0 } },
      { at: 2, change: { acked: 3 } },
    ]);
  });
});
