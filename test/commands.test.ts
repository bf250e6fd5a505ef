// The commands of the README, as processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { tickBy } from '../src/dev/cron.ts';
import { findProject } from '../src/dev/project.ts';
import { builtOnce } from './support/built-once.ts';
import { eventually } from './support/worker.ts';

/** On a machine that does much else; usually it takes four seconds. */
const READY_MS = 60_000;

const children: ChildProcess[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** Of its own: a developer may have one running here. */
async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-data-'));
  folders.push(folder);
  return folder;
}

/** What wrangler needs of this project, in a folder of its own. */
async function deployable(): Promise<string> {
  const folder = await dataFolder();
  for (const name of ['wrangler.toml', 'package.json', 'functions', 'scripts', 'src', 'dist', 'node_modules']) {
    await symlink(resolve(name), join(folder, name));
  }
  return folder;
}

/** Runs on the Node of these tests, as npm scripts do. */
function start(args: string[], env: Record<string, string> = {}, cwd = '.') {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, cwd });
  children.push(child);
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (output.out += chunk));
  child.stderr.on('data', (chunk) => (output.err += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, output, ended };
}

const script = (file: string, ...args: string[]) => [file, ...args];

/** For one that is started elsewhere. */
const absolute = (file: string, ...args: string[]) => [resolve(file), ...args];

describe('npm run demo', () => {
  test('does the main job with a crash in the middle, loses nothing, and says so in one line', async () => {
    const { output, ended } = start(script('examples/demo/demo.ts', '--json'));
    expect([await ended, output.err.match(/error.*/is)?.[0]]).toEqual([0, undefined]);
    const figures = JSON.parse(output.out.trim().split('\n').at(-1) ?? '');
    expect(figures).toMatchObject({
      enqueued: 1_370,
      delivered: 1_370,
      lost: 0,
      inversions: 0,
      dead: 0,
      redis: 'embedded',
      shards: [{ name: 'main', messages: 1_370 }],
      webhooks: { accepted: 329, duplicates: 33, refused: 17, fooled: 0 },
    });
    expect(figures.heldWhenKilled).toBeGreaterThan(0);
    expect(Object.keys(figures.queues).toSorted()).toEqual([
      'confirmation.email',
      'github.activity',
      'github.review',
      'github.security',
      'notification.email',
    ]);
    expect(output.out).toMatch(/^queue +enqueued +delivered/m);
  }, 240_000);
});

describe('npm run demo -- --scenario monitor', () => {
  test('several Workers check each site once in each turn and alert each outage once, and it says so in one line', async () => {
    const { output, ended } = start(script('examples/demo/demo.ts', '--scenario', 'monitor', '--json'));
    expect([await ended, output.err.match(/error.*/is)?.[0]]).toEqual([0, undefined]);
    const figures = JSON.parse(output.out.trim().split('\n').at(-1) ?? '');
    expect(figures).toMatchObject({ turns: 6, checks: 180, missed: 0, repeated: 0, misjudged: 0, wronglyAlerted: 0 });
    expect([figures.outages, figures.alerts]).toEqual([5, 5]);
    expect(figures.drains).toBeGreaterThan(figures.turns); // or one Worker did it all
    expect(output.out).toMatch(/^site +checks +failures +outages +alerts/m);
  }, 180_000);

  test('a scenario that there is not is refused', async () => {
    const { output, ended } = start(script('examples/demo/demo.ts', '--scenario', 'mall'));
    expect([await ended, output.out]).toEqual([1, '']);
    expect(output.err).toMatch(/^error: --scenario must be one of main, monitor/);
  });
});

describe('npm run dev', () => {
  test('prints where it is, takes a message, and ends when told to', async () => {
    const { child, output, ended } = start(
      script(
        'scripts/dev.ts',
        '--json',
        '--port',
        '0',
        '--data',
        await dataFolder(),
        '--var',
        'GITHUB_WEBHOOK_SECRET:a:b',
      ),
    );
    await eventually('it is ready', () => output.out.includes('\n'), READY_MS);
    const { url, redisUrl, redisToken, token } = JSON.parse(output.out);
    const answer = await fetch(`${url}/v1/queues/notification.email/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ body: { to: 'ada@example.com', article: 'x' } }),
    });
    const { id } = (await answer.json()) as { id: string };
    await eventually('the handler has logged it', () => output.err.includes(`notification.email: ${id}, attempt 1`));
    const ping = await fetch(`${redisUrl}/ping`, { headers: { authorization: `Bearer ${redisToken}` } });
    expect(await ping.json()).toEqual({ result: 'PONG' });
    const forged = await fetch(`${url}/hooks/github`, { method: 'POST', body: '{}' });
    expect(forged.status, 'open by --var, without it 503').toBe(401);
    child.kill('SIGTERM');
    expect([0, 143]).toContain(await ended); // Miniflare ends its process at a signal with the signal's number
    await expect(fetch(url)).rejects.toThrow();
  }, 180_000);
});

test.each(['scripts/dev.ts', 'examples/demo/demo.ts'])(
  '%s: a number of shards that there cannot be is refused',
  async (file) => {
    const { output, ended } = start(script(file, '--shards', '17'));
    expect([await ended, output.err]).toEqual([1, 'error: --shards must be a whole number from 1 to 16; got 17\n']);
  },
);

test('npm run dev: a binding that cannot be read is not shown, because it may be a secret', async () => {
  const { output, ended } = start(script('scripts/dev.ts', '--port', '0', '--var', 'hunter2'));
  expect([await ended, output.err]).toEqual([1, 'error: --var must be NAME:value\n']);
});

describe('npm run dev -- --demo', () => {
  test('keeps messages coming, some of which fail, and says where the dashboard is', async () => {
    const { child, output, ended } = start(
      script('scripts/dev.ts', '--json', '--port', '0', '--data', await dataFolder(), '--demo', '--shards', '2'),
    );
    await eventually('it is ready', () => output.out.includes('\n'), READY_MS);
    const { url, dashboard, token, shards } = JSON.parse(output.out);
    expect(shards).toMatchObject([{ name: 'a' }, { name: 'b', state: 'active' }]);
    expect(await (await fetch(dashboard)).text()).toContain('<title>Sluice</title>');
    const states = ['leased', 'delayed'];
    await eventually(
      'messages are leased, and delayed',
      async () => {
        const answer = await fetch(`${url}/v1/queues`, { headers: { authorization: `Bearer ${token}` } });
        const { queues } = (await answer.json()) as { queues: Record<string, number>[] };
        return states.every((state) => queues.some((queue) => (queue[state] ?? 0) > 0));
      },
      READY_MS,
    );
    const failed = () => /"event":"delivery failed".*"attempt":1/.test(output.err);
    await eventually('a delivery has failed', failed, READY_MS);
    child.kill('SIGTERM');
    expect([0, 143]).toContain(await ended);
  }, 180_000);
});

describe('npx sluice dev', () => {
  test('writes what wrangler dev needs, which reads that and works on this machine, offline', async () => {
    const cwd = await deployable();
    const dev = start(absolute('src/cli/sluice.js', 'dev', '--json', '--port', '0'), {}, cwd);
    await eventually('it is ready', () => dev.output.out.includes('\n'), READY_MS);
    const { token, cron, environment } = JSON.parse(dev.output.out);
    expect([cron, environment.file]).toEqual([
      'http://localhost:8787/cdn-cgi/local/scheduled?cron=*+*+*+*+*',
      '.dev.vars',
    ]);
    const wrangler = start(
      ['node_modules/wrangler/bin/wrangler.js', 'dev', '--port', '0', '--show-interactive-dev-session=false'],
      { CLOUDFLARE_CF_FETCH_ENABLED: 'false', WRANGLER_SEND_METRICS: 'false', CI: '1' },
      cwd,
    );
    const { output } = wrangler;
    await eventually('it is ready', () => /Ready on (\S+)/.test(output.out), READY_MS);
    const url = /Ready on (\S+)/.exec(output.out)?.[1];
    const enqueue = async (queue: string, message: object) => {
      const headers = { authorization: `Bearer ${token}` };
      const init = { method: 'POST', headers, body: JSON.stringify(message) };
      const answer = await fetch(`${url}/v1/queues/${queue}/messages`, init);
      return { status: answer.status, ...((await answer.json()) as { id: string }) };
    };
    const { status, id } = await enqueue('notification.email', { body: { to: 'ada@example.com', article: 'x' } });
    expect(status).toBe(202);
    await eventually('the handler has logged it', () => output.out.includes(`notification.email: ${id}, attempt 1`));
    const calls = findProject(cwd).cronAt(url ?? '', {});
    expect(await tickBy(calls)).toBe('ok'); // before there is what a drain of cron would try again, as long as it lives
    // The settings that are for one machine count, too.
    const here = { body: 1, destination: 'http://127.0.0.1:1/' };
    expect(await enqueue('webhook.out', here)).toMatchObject({ status: 202 });
    expect(`${output.out}${output.err}`).not.toContain('Missing required secrets');
    wrangler.child.kill('SIGTERM');
    dev.child.kill('SIGTERM');
    expect((await Promise.all([wrangler.ended, dev.ended]))[1]).toBe(0);
  }, 180_000);
});

describe('npx sluice token', () => {
  const TOKENS = [
    'src/cli/sluice.js',
    'token',
    '--json',
    '--name',
    'ci',
    '--scopes',
    'enqueue,receive',
    '--queues',
    'mail.*',
  ] as const;

  test('makes a token whose digest the settings take', async () => {
    const { output, ended } = start(script(...TOKENS));
    expect(await ended).toBe(0);
    const { token, entry } = JSON.parse(output.out);
    const sha256 = createHash('sha256').update(token).digest('hex');
    expect(entry).toEqual({ name: 'ci', sha256, scopes: ['enqueue', 'receive'], queues: ['mail.*'] });
  });

  test('refuses a scope that there is not', async () => {
    const { output, ended } = start(script('src/cli/sluice.js', 'token', '--scopes', 'root'));
    expect([await ended, output.out]).toEqual([2, '']);
    expect(output.err).toBe('error: --scopes: must be a list of enqueue, receive, admin, tick\n');
  });
});

describe('npx node src/dev/positions-command.ts', () => {
  test('says which lines a stack of a deployment means', async () => {
    const { modules } = await builtOnce();
    const thrown = 'two queues have the name '; // once in the code
    const [line = 0, column = 0] = placeOf(modules['worker.js']?.contents ?? '', thrown);
    const { child, output, ended } = start(script('src/dev/positions-command.ts'));
    child.stdin?.end(`at a (worker.js:${line}:${column})\nat b (elsewhere.js:1:1)\n`);
    expect(await ended).toBe(0);
    const source = readFileSync('src/sluice.ts', 'utf8');
    const [inSource] = placeOf(source, thrown);
    expect(output.out).toMatch(
      new RegExp(`^at a \\(src/sluice\\.ts:${inSource}:\\d+\\)\nat b \\(elsewhere\\.js:1:1\\)\n$`),
    );
  });

  /** Line and column, from 1. */
  function placeOf(text: string, part: string): [number, number] {
    const before = text.slice(0, text.indexOf(part)).split('\n');
    return [before.length, (before.at(-1)?.length ?? 0) + 1];
  }
});

describe('--help', () => {
  test.each([
    'examples/demo/demo.ts',
    'scripts/dev.ts',
    'src/dev/positions-command.ts',
    'scripts/sizes.ts',
    'scripts/cpu/cpu-command.ts',
    'scripts/check.ts',
  ])('%s says what it does and ends', async (file) => {
    const { output, ended } = start(script(file, '--help'));
    expect(await ended).toBe(0);
    expect(output.out).toMatch(/^Usage: np(?:m run|x node) \S+ \[?(?:-- )?\S+/);
  });

  test('a part of the check that there is not is refused', async () => {
    const { output, ended } = start(script('scripts/check.ts', 'style'));
    expect([await ended, output.out]).toEqual([1, '']);
    expect(output.err).toBe(
      'error: there is no part "style": types, lint, unused, openapi, sizes, package, install, cpu\n',
    );
  });

  test('an unknown option is refused', async () => {
    const { output, ended } = start(script('scripts/dev.ts', '--prot', '1'));
    expect(await ended).not.toBe(0);
    expect(output.err).toContain('--prot');
  });
});
