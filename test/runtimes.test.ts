// Outside Workers: Node, Bun and Deno answer as a Worker does, and nothing behind an answer ends the process.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tokensSetting } from '../src/dev/stack.ts';
import { createSluice } from '../src/index.ts';
import { type Redises, startEmbedded } from './support/bench.ts';
import type { Ends } from './support/deliveries.ts';
import { startTlsReceiver } from './support/receiving.ts';
import type { SeenByResident } from './support/resident-service.ts';
import type { Seen } from './support/service.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');
const SERVICE = 'test/support/service.ts';
const installed = (name: string) => join(ROOT, 'node_modules/.bin', name);
const versionOf = (command: string) => spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0];

/** A Node of this major version, where the machine has one; of 24 the repository brings its own. */
const nodeOnPath = (major: number) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .find((command) => versionOf(command)?.startsWith(`v${major}.`));

const RUNTIMES: [name: string, command: string | undefined, args: string[]][] = [
  ['Node 24', process.execPath, []],
  ['Node 22', nodeOnPath(22), []],
  ['Bun', installed('bun'), []],
  ['Deno', installed('deno'), ['run', '--allow-all', '--no-prompt']],
];

let redises: Redises;
beforeAll(async () => {
  redises = await startEmbedded();
});
afterAll(() => redises.stop());

/** Runs the service to its end. @throws where it exits with another code than 0 */
async function serve<Report = Seen>(
  name: string,
  command: string,
  args: string[],
  file = SERVICE,
): Promise<{ seen: Report; log: string }> {
  const settings = {
    UPSTASH_REDIS_REST_URL: redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
    SLUICE_PREFIX: `${name} ${basename(file)}`.replace(/\W/g, '-'),
    SLUICE_TOKENS: tokensSetting('known'),
    TOKEN: 'known',
    GITHUB_SECRET: 'a-secret-of-github',
    SLUICE_REDIS_TIMEOUT_MS: '10000', // storage is in this process, and the machine may stand still for seconds
  };
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, DENO_NO_UPDATE_CHECK: '1', ...settings };
  const { stdout, stderr } = await run(command, [...args, file], { cwd: ROOT, env, timeout: 25_000 });
  return { seen: JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), log: stderr };
}

describe.each(RUNTIMES)('in %s, without a context', (name, command, args) => {
  const version = command && versionOf(command);
  if (!version) console.warn(`skipped: Sluice in ${name}, which this machine does not have`);

  test
    .skipIf(!version)
    .concurrent('what is good is taken and delivered, the rest refused, and the process goes on', async () => {
      const { seen, log } = await serve(name, command ?? '', args);
      expect(seen.unhandled).toEqual([]);
      expect(seen.answers).toEqual({
        bad: 422,
        'bad batch': 422,
        'bad topic': 404,
        'no token': 401,
        forged: 401,
        careless: 200,
        good: 202,
      });
      expect(seen.handled).toEqual(['over HTTP', 'from code']);
      // What failed behind an answer is told, by its kind only.
      expect(log).toContain('{"level":"error","event":"work behind an answer failed","error":"RangeError"}');
      expect(log).not.toContain('nobody may read this');
    });
});

describe.each(RUNTIMES)('in %s, deliveries', (_name, command, args) => {
  test.skipIf(!(command && versionOf(command))).concurrent('go to public addresses, and nowhere else', async () => {
    const receiver = await startTlsReceiver();
    // Nobody listens there: a proxy that was used would show.
    const proxy = { NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: 'http://127.0.0.1:1' };
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(receiver.port), ...proxy };
    const options = { cwd: ROOT, env, timeout: 25_000 };
    const { stdout } = await run(command ?? '', [...args, 'test/support/deliveries.ts'], options).finally(
      receiver.close,
    );
    const ends = JSON.parse(stdout) as Ends;
    const refused = expect.stringContaining('leads to an address that is not public');
    expect(ends).toEqual({
      public: '200',
      'rebound, by the connection of before': '200',
      'rebound, by a new one': refused,
      'one of two': refused,
      'one of two families': refused,
      'this machine': refused,
      'another name than the certificate has': expect.stringContaining('does not match certificate'),
      'an address that turns out otherwise': refused,
      listed: refused,
    });
    expect(receiver.received.map(({ path, connection, servername }) => [path, connection, servername])).toEqual([
      ['/', 1, 'partner.example.net'],
      ['/last', 1, 'partner.example.net'],
    ]);
    expect(receiver.connections()).toBe(3); // by two of which nothing was sent
  });
});

describe.each(RUNTIMES)('in %s, in a process that stays', (name, command, args) => {
  const version = command && versionOf(command);

  test.skipIf(!version).concurrent('its server answers, its one loop delivers, and both end', async () => {
    const file = 'test/support/resident-service.ts';
    const { seen, log } = await serve<SeenByResident>(name, command ?? '', args, file);
    expect(seen).toMatchObject({ answers: [422, 400, 202, 202, 0], peak: 5, unhandled: [] });
    expect(seen.taken).toBe('port N is taken by another program: end that, or set PORT to another');
    expect(new Set(seen.handled)).toEqual(new Set(['delayed', ...Array(12).keys()]));
    expect(log).toBe('');
  });
});

describe('an older runtime', () => {
  const SENTENCE = 'Sluice needs Node 22.12 or later';

  test.each<[string, object]>([
    ['withResolvers', Promise],
    ['groupBy', Map],
  ])('without %s is refused at the start', (name, owner) => {
    const feature = Reflect.get(owner, name);
    Reflect.deleteProperty(owner, name);
    const create = () => createSluice({ queues: [] });
    try {
      expect(create).toThrow(SENTENCE);
    } finally {
      Reflect.set(owner, name, feature);
    }
    expect(create).not.toThrow();
  });

  const old = nodeOnPath(20);
  const possible = old !== undefined && versionOf(installed('bun')) !== undefined;
  if (!possible) console.warn('skipped: Sluice on Node 20, for want of one on the PATH, or of Bun to bundle for it');

  test.skipIf(!possible)('Node 20 ends with the sentence, and not with a word of storage', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    const bundle = join(folder, 'service.mjs');
    const args = ['build', SERVICE, '--target', 'node', '--outfile', bundle];
    await run(installed('bun'), args, { cwd: ROOT });
    const ended = await serve('Node 20', old ?? '', [], bundle).catch((error: unknown) => error);
    await rm(folder, { recursive: true });
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining(SENTENCE) });
    expect(ended).not.toMatchObject({ stderr: expect.stringContaining('unreachable') });
  });
});
