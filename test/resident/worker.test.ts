// `sluice worker` as a process: it delivers, ends by its signals, and says what is wrong with a project.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tokensSetting } from '../../src/dev/stack.ts';
import { Bench, type Redises, startEmbedded } from '../support/bench.ts';
import { runCli } from '../support/cli.ts';
import { AT_MOST } from '../support/shell.ts';
import { eventually } from '../support/worker.ts';

const PROJECT = 'test/support/slow-sluice.ts';
const TOKEN = 'known';

let redises: Redises;
let folder: string;
beforeAll(async () => {
  redises = await startEmbedded();
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
});
afterAll(async () => {
  await redises.stop();
  await rm(folder, { recursive: true });
});

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

const envOn = ({ prefix }: { prefix: string }) => ({
  UPSTASH_REDIS_REST_URL: redises.emulator.url,
  UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
  SLUICE_PREFIX: prefix,
  SLUICE_TOKENS: tokensSetting(TOKEN),
  SLUICE_CONCURRENCY: '25',
});

/** A worker that works. */
async function startWorker(b: Bench, ...options: string[]) {
  const child = spawn(process.execPath, ['src/cli/sluice.js', 'worker', PROJECT, '--json', ...options], {
    env: { PATH: process.env.PATH ?? '', ...envOn(b) },
  });
  children.push(child);
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  await eventually(`it works: ${said.err}`, () => said.out.includes('"started"'));
  const count = (word: string) => said.out.split('\n').filter((line) => line.includes(word)).length;
  return { child, said, count };
}

const enqueue = (b: Bench, bodies: unknown[]) =>
  b.openStore().enqueue({ messages: bodies.map((body) => b.message('jobs', body)) });

describe.concurrent('sluice worker', () => {
  test('ends by SIGTERM within its grace: what has begun ends, all else is there for others', async () => {
    const b = new Bench(redises);
    await enqueue(b, Array(200).fill(1));
    const { child, said, count } = await startWorker(b, '--grace', '20s');
    await eventually('it has ended some', () => count('ended') > 0 && count('begun') > count('ended'));
    const toldAt = performance.now();
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');
    const endedInMs = performance.now() - toldAt;
    expect([code, said.err]).toEqual([0, '']);
    expect(endedInMs, 'as soon as what has begun has ended').toBeLessThan(10_000);
    const { leases, lanes, failures } = await b.shard();
    expect([count('begun'), leases, failures]).toEqual([count('ended'), {}, {}]);
    expect(lanes['5:jobs']).toHaveLength(200 - count('ended'));
    expect(said.out.trim().split('\n').at(-1)).toBe('{"event":"stopped","cutOff":0,"isSettled":true}');
  });

  test('says for how many handlers the grace was too short: what they had is there for others', async () => {
    const b = new Bench(redises);
    await enqueue(b, ['for ever', 'for ever']);
    const { child, said, count } = await startWorker(b, '--grace', '100ms');
    await eventually('they are at work', () => count('begun') === 2);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said.out.trim().split('\n').at(-1)).toBe('{"event":"stopped","cutOff":2,"isSettled":true}');
    expect(said.err).toMatch(/^{"level":"warn","event":"handlers cut off","count":2,.*}\n$/);
    expect((await b.shard()).lanes['5:jobs']).toHaveLength(2);
  });

  test('ends at once by a second signal', async () => {
    const b = new Bench(redises);
    await enqueue(b, ['for ever']);
    const { child, count } = await startWorker(b, '--grace', '10m');
    await eventually('it is at work', () => count('begun') === 1);
    child.kill('SIGINT');
    await eventually('it is about to end', () => count('stopping') === 1);
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
  });

  test('answers over HTTP, and is woken by what producers elsewhere send there', async () => {
    const b = new Bench(redises);
    const { child, said, count } = await startWorker(b, '--port', '0');
    const { url } = JSON.parse(said.out.split('\n')[0] ?? '');
    const call = (path: string, body?: object) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    await eventually('it is idle', async () => (await call('/v1/drain')).status === 200);
    await enqueue(b, [1]);
    expect((await call('/v1/drain')).status).toBe(200);
    await eventually('it has that', () => count('ended') === 1);
    expect((await call('/v1/queues/jobs/messages', { body: 2, priority: 99 })).status).toBe(422);
    expect((await call('/v1/queues/jobs/messages', { body: 2 })).status).toBe(202);
    await eventually('it has this one too', () => count('ended') === 2);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});

describe('sluice worker refuses', () => {
  test('a module that package.json makes CommonJS, and says how it becomes one', async () => {
    const cwd = join(folder, 'commonjs');
    await mkdir(cwd);
    await writeFile(join(cwd, 'package.json'), '{"type": "commonjs"}');
    await writeFile(join(cwd, 'sluice.ts'), "import 'node:fs';\n");
    const ended = await runCli(['worker', join(cwd, 'sluice.ts')]);
    expect(ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(/cannot load .*the ending \.mts, or package\.json "type"/),
    });
  });

  test('to go on without settings, and names the file that has some and that nobody named', async () => {
    const cwd = join(folder, 'unread');
    await mkdir(cwd);
    await writeFile(join(cwd, '.env.local'), `UPSTASH_REDIS_REST_URL=${redises.emulator.url}\n`);
    const args = [resolve('src/cli/sluice.js'), 'worker', resolve(PROJECT)];
    const refused = promisify(execFile)(process.execPath, args, { cwd, env: { PATH: process.env.PATH }, ...AT_MOST });
    await expect(refused).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /UPSTASH_REDIS_REST_URL.*\. \.env\.local was not read: --env-file \.env\.local does so\n/s,
      ),
    });
  });

  const files: [what: string, source: string | undefined, code: number, said: RegExp][] = [
    ['no file', undefined, 2, /there is no file .*no-file\.ts/],
    ['no Sluice', 'export const queues = [];', 2, /has no Sluice: .* it exports queues/],
    [
      'what throws',
      'throw new RangeError("two queues have the same name");',
      1,
      /cannot load .*two queues have the same name \(\S*what-throws\.ts:1:7\)$/m,
    ],
    [
      'wrong syntax',
      'const a = 1;\nexport const jobs: string = ;',
      1,
      /cannot load .*wrong-syntax\.ts: Expression expected \(\S*wrong-syntax\.ts:2\)$/m,
    ],
    ['syntax that needs a compiler', 'enum Kind { A }', 1, /cannot load .*enums, namespaces/],
    ['wrong settings', undefined, 2, /bad settings: .*SLUICE_CONCURRENCY/],
  ];

  test.concurrent.each(files)('%s', async (what, source, code, said) => {
    const file = what === 'wrong settings' ? PROJECT : join(folder, `${what.replaceAll(' ', '-')}.ts`);
    if (source !== undefined) await writeFile(file, source);
    const settings = what === 'wrong settings' ? join(folder, 'wrong.env') : undefined;
    if (settings) await writeFile(settings, 'SLUICE_CONCURRENCY=many\n');
    const { SLUICE_CONCURRENCY: _, ...env } = envOn({ prefix: 'refused' });
    const ended = await runCli(['worker', file, ...(settings ? ['--env-file', settings] : [])], { env });
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toMatch(said);
  });

  test('settings that nobody has loaded, in one line that says how', async () => {
    const { code, out, err } = await runCli(['worker', PROJECT]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^error: bad settings: .*No database is set: .*`npx sluice dev`.*--env-file.*\n$/);
  });

  test('a port that is taken, in one line that names it', async () => {
    const taken = createServer().listen(0, '0.0.0.0');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, out, err } = await runCli(['worker', PROJECT, '--port', `${port}`], {
      env: envOn({ prefix: 'refused' }),
    });
    taken.close();
    expect([code, out, err]).toEqual([
      1,
      '',
      `error: port ${port} is taken by another program: end that, or set PORT to another\n`,
    ]);
  });
});
