// `sluice dev` in a project: what it starts, what it writes, what it leaves alone, and what its cron calls.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv as parse } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { tellingTick, tickBy } from '../../src/dev/cron.ts';
import type { DevReport } from '../../src/dev/dev-command.ts';
import { completeFile } from '../../src/dev/environment-file.ts';
import { cronCallsFor, findProject, leavesOut } from '../../src/dev/project.ts';
import { freePort, isFree } from '../support/redis-server.ts';
import { eventually } from '../support/worker.ts';

const COMMAND = resolve('src/cli/sluice.js');
const children: ChildProcess[] = [];
const folders: string[] = [];
const closes: (() => void)[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const close of closes.splice(0)) close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A folder with these files. */
async function project(files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-project-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

function spawnDev(cwd: string, ...args: string[]) {
  const child = spawn(process.execPath, [COMMAND, 'dev', '--port', '0', ...args], { cwd });
  children.push(child);
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (output.out += chunk));
  child.stderr.on('data', (chunk) => (output.err += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, output, ended };
}

async function dev(cwd: string, ...args: string[]) {
  const { child, output, ended } = spawnDev(cwd, '--json', ...args);
  await eventually('it is ready, or has ended', () => output.out.includes('\n') || child.exitCode !== null);
  expect(output.err).toBe('');
  const report = JSON.parse(output.out) as DevReport;
  return {
    report,
    async redis(...command: string[]): Promise<unknown> {
      const headers = { authorization: `Bearer ${report.redisToken}` };
      const answer = await fetch(report.redisUrl, { method: 'POST', headers, body: JSON.stringify(command) });
      return ((await answer.json()) as { result: unknown }).result;
    },
    async interrupt() {
      child.kill('SIGINT');
      return ended;
    },
  };
}

/** As Node reads it. */
const parseEnv = (text: string) => parse(text) as Record<string, string>;

const read = (folder: string, name: string) => readFile(join(folder, name), 'utf8');

/** A server that keeps what it is asked. */
async function server(status: (request: IncomingMessage) => number) {
  const asked: string[] = [];
  const serving = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    response.writeHead(status(request)).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => serving.once('listening', resolve));
  closes.push(() => serving.close());
  return { origin: `http://127.0.0.1:${(serving.address() as AddressInfo).port}`, asked, stop: () => serving.close() };
}

describe('in an empty folder', () => {
  test('it starts, keeps its data and its token for the next time, and begins anew where that is asked for', async () => {
    const cwd = await project();
    const port = String(await freePort()); // at which the third starts, when the first has long ended
    const first = await dev(cwd, '--port', port);
    expect(first.report).toMatchObject({
      redis: 'embedded',
      environment: { file: '.env' },
      cron: 'http://localhost:3000/v1/drain',
      dashboard: 'http://localhost:3000/',
      warnings: [],
    });
    const { redisUrl, redisToken, token } = first.report;
    expect(await read(cwd, '.env')).toBe(
      `UPSTASH_REDIS_REST_URL=${redisUrl}\nUPSTASH_REDIS_REST_TOKEN=${redisToken}\nSLUICE_TOKEN=${token}\n` +
        'SLUICE_DESTINATION_LOCAL=true\nSLUICE_LOG_ERRORS=true\n',
    );
    expect((await stat(join(cwd, '.env'))).mode & 0o777).toBe(0o600);
    expect(await read(cwd, '.sluice/.gitignore')).toBe('*\n');
    await first.redis('SET', 'a', '1');
    expect((await fetch(`${redisUrl}/get/a?_token=local`)).status).toBe(401); // as any page in a browser could ask
    expect(await first.interrupt()).toBe(0);
    await expect(fetch(redisUrl)).rejects.toThrow();

    const second = await dev(cwd);
    expect([await second.redis('GET', 'a'), second.report.token]).toEqual(['1', token]);
    expect(second.report.redisToken).toBe(redisToken);
    expect(second.report.environment.added).toEqual([]);
    expect(second.report.warnings).toEqual([
      `UPSTASH_REDIS_REST_URL of .env leads to ${new URL(redisUrl).host}: the Redis that was started here is not used. Without that line the next start writes it anew`,
    ]);
    await second.interrupt();

    expect(new URL(redisUrl).port).toBe(port); // at which .env has the storage, and its token
    const third = await dev(cwd, '--fresh', '--port', port, '--limit', 'request-bytes=1000', '--cron', 'none');
    expect([third.report.redisToken, third.report.warnings]).toEqual([redisToken, []]);
    expect([await third.redis('GET', 'a'), third.report.cron]).toEqual([null, null]);
    expect(await third.redis('SET', 'a', 'x'.repeat(2_000))).toBeUndefined();
    await third.interrupt();
  });

  test('a second one is refused while the first runs, and not when that was killed', async () => {
    const cwd = await project();
    const first = spawnDev(cwd, '--json');
    await eventually('it is ready', () => first.output.out.includes('\n'));
    const second = spawnDev(cwd, '--fresh');
    expect([await second.ended, second.output.err]).toEqual([
      1,
      expect.stringContaining(`.sluice is in use by process ${first.child.pid}`),
    ]);
    first.child.kill('SIGKILL');
    await first.ended;
    const third = await dev(cwd);
    expect(await third.interrupt()).toBe(0);
    await expect(read(cwd, '.sluice/lock')).rejects.toThrow('ENOENT');
  });

  test('it says what is wrong, and ends', async () => {
    const { origin } = await server(() => 200);
    const runs = [
      [
        ['--port', new URL(origin).port],
        `port ${new URL(origin).port} is taken: another \`sluice dev\` may be running. --port takes another; give the same one each time`,
      ],
      [['--cron', 'localhost:3000'], '--cron must be a URL such as http://localhost:3000, or none'],
      [['--redis', 'localhost'], '--redis must be "auto", redis://host:port'],
      [['--limit', 'bytes=1'], 'It must be one of monthly-commands'],
    ] as const;
    const ended = await Promise.all(
      runs.map(async ([args]) => {
        const { output, ended } = spawnDev(await project(), ...args);
        return [await ended, output.err];
      }),
    );
    for (const [i, [, said]] of runs.entries())
      expect(ended[i]).toEqual([i === 3 ? 2 : 1, expect.stringContaining(said)]);
  });
});

/** A port that is free, with the one behind it. */
async function portOfTwo(): Promise<string> {
  const port = await freePort();
  return (await isFree(port + 1)) ? String(port) : portOfTwo();
}

describe('several shards', () => {
  test('are in the settings, each with an address; a database that was alone is the first of them', async () => {
    const cwd = await project();
    const port = await portOfTwo();
    const alone = await dev(cwd, '--port', port);
    expect(alone.report.shards).toEqual([{ name: 'main', redisUrl: alone.report.redisUrl, state: 'active' }]);
    await alone.redis('SET', 'a', '1');
    await alone.interrupt();
    const grown = await dev(cwd, '--shards', '2', '--port', port);
    expect([grown.report.warnings, grown.report.environment.added]).toEqual([[], ['SLUICE_SHARDS']]);
    const [a, b] = grown.report.shards;
    expect([a, b?.name, b?.state]).toEqual([
      { name: 'a', redisUrl: alone.report.redisUrl, state: 'active' },
      'b',
      'joining',
    ]);
    expect(await grown.redis('GET', 'a')).toBe('1');
    expect(parseEnv(await read(cwd, '.env')).SLUICE_SHARDS).toBe(
      `[{"name":"a","url":"${a?.redisUrl}","secret":"UPSTASH_REDIS_REST_TOKEN"},` +
        `{"name":"b","url":"${b?.redisUrl}","secret":"UPSTASH_REDIS_REST_TOKEN","state":"joining"}]`,
    );
    const reached = readConfig(parseEnv(await read(cwd, '.env'))).SLUICE_SHARDS;
    for (const { url, token } of reached)
      expect((await fetch(`${url}/ping`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    await grown.interrupt();

    const fewer = spawnDev(cwd, '--shards', '1');
    expect([await fewer.ended, fewer.output.err]).toEqual([1, expect.stringContaining('has the data of 2 shards')]);
    const again = await dev(cwd, '--port', port);
    expect([again.report.shards, again.report.warnings]).toEqual([grown.report.shards, []]);
    await again.interrupt();
    const anew = await dev(cwd, '--fresh', '--port', port);
    expect(anew.report.warnings).toEqual([
      'SLUICE_SHARDS of .env has other shards: what was started here is not used. Without that line it is',
    ]);
    await anew.interrupt();
  });

  test('are not seen by a Worker whose configuration names its secrets, and not the list', async () => {
    const toml = (...names: string[]) => `[secrets]\nrequired = ${JSON.stringify(names)}`;
    const left = await Promise.all(
      ['', '# required = []', toml('UPSTASH_REDIS_REST_URL'), toml('SLUICE_SHARDS')].map(async (text) =>
        leavesOut(await project({ 'wrangler.toml': text }), 'SLUICE_SHARDS'),
      ),
    );
    expect([...left, leavesOut(await project(), 'SLUICE_SHARDS')]).toEqual([false, false, true, false, false]);
  });
});

describe('the project', () => {
  test.each([
    [['wrangler.toml'], '.dev.vars', 'GET http://localhost:8787/cdn-cgi/local/scheduled?cron=*+*+*+*+*'],
    [
      ['wrangler.jsonc', 'vercel.json'],
      '.dev.vars',
      'GET http://localhost:8787/cdn-cgi/local/scheduled?cron=*+*+*+*+*',
    ],
    [['next.config.mjs', 'vercel.json'], '.env.local', 'GET http://localhost:3000/api/cron'],
    [['vercel.json'], '.env.local', 'GET http://localhost:3000/api/cron'],
    [['deno.json'], '.env', 'POST http://localhost:3000/v1/drain'],
  ])('with %j has %s, and %s', async (files, environmentFile, cron) => {
    const found = findProject(await project(Object.fromEntries(files.map((name) => [name, '']))));
    const [call] = cronCallsFor(found, undefined, {});
    expect([found.environmentFile, `${call?.method} ${call?.url}`]).toEqual([environmentFile, cron]);
  });

  test('that depends on Next.js is one of it, also without a file of its own', async () => {
    const manifest = { 'package.json': '{"dependencies": {"next": "^16"}}', 'vercel.json': '' };
    const found = findProject(await project(manifest));
    expect([found.environmentFile, found.dashboard]).toEqual(['.env.local', '/api/sluice']);
  });

  test.each(['template.yaml', 'sst.config.ts'])('of AWS Lambda, by %s, has no dashboard', async (name) => {
    const found = findProject(await project({ [name]: '' }));
    expect([found.environmentFile, found.dashboard]).toEqual(['.env', null]);
  });

  test('of Workers has one where its configuration has the files of it', async () => {
    const [own, bare] = await Promise.all(
      ['[assets]\ndirectory = "node_modules/sluice/dist/assets"', '[assets]\ndirectory = "public"'].map(async (text) =>
        findProject(await project({ 'wrangler.toml': text })),
      ),
    );
    expect([own?.dashboard, bare?.dashboard]).toEqual(['/', null]);
  });

  test('may serve elsewhere, and be called elsewhere', async () => {
    const settings = { SLUICE_TOKEN: 'token', CRON_SECRET: 'secret' };
    const [worker, next, other] = await Promise.all(
      ['wrangler.toml', 'next.config.ts', 'x'].map(async (name) => findProject(await project({ [name]: '' }))),
    );
    const of = (found: typeof other, url: string) => found && cronCallsFor(found, url, settings)[0];
    expect(of(worker, 'http://localhost:1234')?.url).toContain('http://localhost:1234/cdn-cgi/');
    expect(of(next, 'http://localhost:4000/')).toEqual({
      method: 'GET',
      url: 'http://localhost:4000/api/cron',
      token: 'secret',
    });
    expect(of(next, 'http://a.test/api/sluice/v1/drain')).toEqual({
      method: 'POST',
      url: 'http://a.test/api/sluice/v1/drain',
      token: 'token',
    });
    expect(of(other, 'http://a.test/tick')).toEqual({ method: 'GET', url: 'http://a.test/tick', token: 'secret' });
  });
});

describe('the environment file', () => {
  test('keeps each given line, fills what has no value, and gets the rest', async () => {
    const path = join(
      await project({
        '.env': '# mine\nexport A="given # this"\nB=\nC = \'\' # to be filled in\nD=old\nD=new # the last counts',
      }),
      '.env',
    );
    const settings = { A: '1', B: '2', C: '3', D: '4', E: '5' };
    expect(completeFile(path, settings)).toEqual({
      added: ['B', 'C', 'E'],
      values: { A: 'given # this', B: '2', C: '3', D: 'new', E: '5' },
    });
    expect(await readFile(path, 'utf8')).toBe(
      '# mine\nexport A="given # this"\nB=2\nC=3\nD=old\nD=new # the last counts\nE=5\n',
    );
    expect(completeFile(path, settings).added).toEqual([]);
  });
});

describe('cron', () => {
  test('calls the first path that there is, and says so when something changes', async () => {
    const { origin, asked, stop } = await server(({ url }) => (url === '/b' ? 200 : 404));
    const calls = ['/a', '/b', '/c'].map((path) => ({ method: 'GET' as const, url: origin + path, token: 'secret' }));
    const said: string[] = [];
    const tick = tellingTick(calls, (line) => void said.push(line));
    await tick();
    await tick();
    expect([said, asked.slice(0, 2)]).toEqual([
      [`cron ticks ${origin}`],
      ['GET /a Bearer secret', 'GET /b Bearer secret'],
    ]);
    stop();
    expect(await tickBy(calls)).toBe('nobody');
    await tick();
    expect(said).toHaveLength(1);
  });

  test('says once that it is refused', async () => {
    const { origin } = await server(() => 401);
    const said: string[] = [];
    const tick = tellingTick([{ method: 'POST', url: `${origin}/v1/drain` }], (line) => void said.push(line));
    await tick();
    await tick();
    expect(said).toEqual([`cron: ${origin}/v1/drain answered 401`]);
  });
});

test('no dashboard is named where the platform has none', async () => {
  const cwd = await project({ 'template.yaml': '' });
  const { output, child } = spawnDev(cwd, '--cron', 'none');
  await eventually('it is ready', () => output.out.includes('token') || child.exitCode !== null);
  expect(output.out).toContain('The project has no dashboard');
  expect(output.out).not.toContain('The dashboard is');
});

test('a folder that was there is not hidden from git', async () => {
  const cwd = await project();
  await mkdir(join(cwd, 'kept'));
  const { interrupt } = await dev(cwd, '--data', 'kept');
  await interrupt();
  await expect(read(cwd, 'kept/.gitignore')).rejects.toThrow('ENOENT');
});
