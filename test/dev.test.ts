// `npm run dev` of a developer who edits, errs and restarts: in a copy of this project, as a process.
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { freePort, redisServerPresent } from './support/redis-server.ts';
import { eventually } from './support/worker.ts';

const real = redisServerPresent();
if (!real) console.warn('skipped: data kept by a redis-server: there is none on the PATH');

/** Builds the Worker and starts it, beside whatever else the machine does; usually it takes a second or two. */
const RELOAD_MS = 60_000;

let folder: string;
const app = (name: string) => join(folder, 'functions/queues', name);
const started: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-dev-'));
  for (const name of ['functions', 'scripts', 'src', 'examples', 'wrangler.toml', 'package.json', 'tsconfig.json']) {
    await cp(name, join(folder, name), { recursive: true });
  }
  await symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
});
afterEach(async () => {
  for (const { pid = 0 } of started.splice(0)) {
    try {
      process.kill(-pid, 'SIGKILL'); // with what it has started, where that outlived it
    } catch {
      // all of them have ended
    }
  }
  await cp('functions', join(folder, 'functions'), { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Dev {
  url: string;
  token: string;
  said(): string;
  end(signal: NodeJS.Signals): Promise<void>;
  call<Answer>(method: string, path: string, body?: object): Promise<Answer>;
}

function spawnDev(...args: string[]) {
  const command = ['scripts/dev.ts', '--json', ...args];
  const env = { ...process.env, NO_COLOR: '1' };
  const child = spawn(process.execPath, command, { cwd: folder, env, detached: true }); // a group of its own
  started.push(child);
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (output.out += chunk));
  child.stderr.on('data', (chunk) => (output.err += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, output, ended };
}

async function dev(...args: string[]): Promise<Dev> {
  const { child, output, ended } = spawnDev('--port', String(await freePort()), ...args);
  const ready = () => output.out.includes('\n');
  await eventually('it is ready, or has ended', () => ready() || child.exitCode !== null, RELOAD_MS);
  if (!ready()) throw new Error(output.err);
  onTestFailed(() => console.error(`what it had said:\n${output.err}`));
  const { url, token } = JSON.parse(output.out) as { url: string; token: string };
  return {
    url,
    token,
    said: () => output.err,
    async end(signal) {
      child.kill(signal);
      await ended;
    },
    async call(method, path, body) {
      const init = { method, headers: { authorization: `Bearer ${token}` } };
      const answer = await fetch(url + path, body ? { ...init, body: JSON.stringify(body) } : init);
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return await answer.json();
    },
  };
}

const later = { body: { to: 'ada@example.com', article: 'later' }, delay: '1d' };
const MAIL = '/v1/queues/notification.email';
const enqueue = async ({ call }: Dev, message: object) =>
  (await call<{ id: string }>('POST', `${MAIL}/messages`, message)).id;
const delayedIn = async ({ call }: Dev) => {
  const path = `${MAIL}/messages?state=delayed`;
  return (await call<{ messages: { id: string }[] }>('GET', path)).messages.map(({ id }) => id);
};

/** In one of the files that are kept. */
async function isOnDisk(text: string): Promise<boolean> {
  const kept = join(folder, '.wrangler/sluice/redis');
  const files = (await readdir(kept, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const contents = await Promise.all(files.map((file) => contentOf(join(file.parentPath, file.name))));
  return contents.some((content) => content?.includes(text));
}

/** None where the server has renamed the file since the folder was listed: a snapshot is written beside the one it replaces. */
async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

describe('a file that is saved', () => {
  test('runs in a new Worker, with the same data, token and address; one that is wrong leaves the old one at work', async () => {
    const running = await dev('--drainer');
    const kept = await enqueue(running, later);
    const outbox = await readFile(app('outbox.ts'), 'utf8');
    await writeFile(app('outbox.ts'), outbox.replace('console.log(`', 'console.log(`edited, '));
    await eventually('it has reloaded', () => running.said().includes('reloaded in'), RELOAD_MS);
    for (const [i, text] of ['once', 'twice', 'more'].entries()) {
      const fresh = join(folder, 'outbox.new'); // where nobody watches: in the folder it would be a change by itself
      await writeFile(fresh, outbox.replace('console.log(`', `console.log(\`${text}, `));
      await rename(fresh, app('outbox.ts')); // as many editors save
      const reloads = () => running.said().split('reloaded in').length - 1;
      await eventually(`it has reloaded ${text}`, () => reloads() === i + 2, RELOAD_MS);
    }
    await writeFile(app('outbox.ts'), outbox.replace('console.log(`', 'console.log(`edited, '));
    await eventually(
      'it has reloaded what was written in place',
      () => running.said().split('reloaded in').length === 6,
      RELOAD_MS,
    );
    const id = await enqueue(running, { body: { to: 'ada@example.com', article: 'now' } });
    await eventually('the new code ran', () => running.said().includes(`edited, notification.email: ${id}`));
    expect(await delayedIn(running)).toEqual([kept]);

    await writeFile(app('outbox.ts'), 'export const = 1;');
    await eventually('the error is shown', () => /functions\/queues\/outbox\.ts:1:13/.test(running.said()), RELOAD_MS);
    expect(await delayedIn(running)).toEqual([kept]);
    await writeFile(app('outbox.ts'), outbox);
    await eventually('it has reloaded again', () => running.said().split('reloaded in').length === 7, RELOAD_MS);

    const queues = await readFile(app('index.ts'), 'utf8');
    await writeFile(app('index.ts'), queues.replace('  notificationEmail,\n', ''));
    const wrong =
      'error: schedule weekly-digest: there is no queue notification.email here (functions/schedules.ts)\n' +
      'the Worker from before goes on\n';
    await eventually('it says what is wrong', () => running.said().includes(wrong), RELOAD_MS);
    expect(await delayedIn(running)).toEqual([kept]);
    await writeFile(app('index.ts'), queues);
    await running.end('SIGTERM');
  }, 240_000);
});

describe('a definition that is wrong', () => {
  test('ends it with one sentence and its place, and no other word', async () => {
    const mail = await readFile(app('mail.ts'), 'utf8');
    await writeFile(app('mail.ts'), mail.replace(/priority: 0/, 'priority: 12'));
    const { output, ended } = spawnDev('--port', '0');
    expect(await ended).toBe(1);
    await writeFile(app('mail.ts'), mail);
    expect(output.err).toMatch(
      /^error: priority of queue "confirmation\.email" must be a whole number from 0 to 9; got 12 \(functions\/queues\/mail\.ts:\d+:\d+\)\n$/,
    );
    expect(output.out).toBe('');
  }, 180_000);
});

/** Each start builds the Worker, which takes seconds: so the one after an orderly end begins anew, too. */
describe.each<[string, NodeJS.Signals, string[]]>([
  ['on the embedded Redis', 'SIGTERM', []],
  ['on the embedded Redis', 'SIGKILL', []],
  ...(real ? [['on a redis-server', 'SIGKILL', ['--redis', 'auto']] as [string, NodeJS.Signals, string[]]] : []),
])('restarted %s after %s', (_, signal, args) => {
  test('it has the token and the messages of before, and with --fresh neither', async () => {
    const first = await dev('--fresh', ...args);
    const id = await enqueue(first, later);
    if (signal === 'SIGKILL') await eventually('it is on the disk', () => isOnDisk(id));
    await first.end(signal);
    const second = await dev(...args);
    expect(second.token).toBe(first.token);
    expect(await delayedIn(second)).toEqual([id]);
    expect(second.said()).toMatch(/^kept \d+ keys from the last run/m);
    await second.end('SIGTERM');
    if (signal === 'SIGKILL' && args.length === 0) return;
    const third = await dev('--fresh', ...args);
    expect(third.token).not.toBe(first.token);
    expect(await delayedIn(third)).toEqual([]);
    expect(third.said()).not.toContain('from the last run');
    const { mode } = await stat(join(folder, '.wrangler/sluice/token'));
    expect((mode & 0o777).toString(8)).toBe('600');
    await third.end('SIGTERM');
  }, 240_000);
});
