// The README as a whole: its queue type-checks and bundles in a copy of this project, and its curl commands do what it says.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bundle } from '../src/dev/bundle.ts';
import { type Stack, startStack } from '../src/dev/stack.ts';
import { freePort } from './support/redis-server.ts';
import { bash } from './support/shell.ts';
import { eventually } from './support/worker.ts';

const run = promisify(execFile);
const README = await readFile('README.md', 'utf8');
const HOST = 'http://127.0.0.1:8787'; // where `wrangler dev` serves, and so what the README says

/** The contents of the README's fenced blocks of one language. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, of]) => of === language)
    .map(([, , text = '']) => text);
}

/** Each command that begins with curl, with its continued lines. */
function curls(block: string): string[] {
  return block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.startsWith('curl '));
}

const curlPresent = await run('curl', ['--version']).then(
  () => true,
  () => false,
);
if (!curlPresent) console.warn('skipped: the curl commands of the README: there is no curl on the PATH');

const commands = blocks('sh').flatMap(curls);
const queues = blocks('ts').filter((block) => block.includes('defineQueue('));

test('the README has one sluice.ts to copy and the curl commands to go with it', () => {
  expect(queues).toHaveLength(1);
  expect(queues[0]).toContain('createSluice(');
  expect(commands.length).toBeGreaterThanOrEqual(2);
  for (const command of commands) expect(command).toContain(HOST);
});

test('the README is short', () => {
  expect(README.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

describe('with sluice.ts of the README in place of our queues', () => {
  let folder: string;
  let stack: Stack | undefined;
  let url: string;
  const logs: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-readme-'));
    for (const name of ['functions', 'src', 'scripts', 'examples', 'wrangler.toml', 'package.json', 'tsconfig.json']) {
      await cp(name, join(folder, name), { recursive: true });
    }
    await symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'functions/sluice.ts'), queues[0] ?? '');
    await cp('examples/workers/worker.ts', join(folder, 'functions/worker.ts')); // the entry that `init` writes beside it
  });
  afterAll(async () => {
    await stack?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const node = (command: string, ...args: string[]) =>
    run(process.execPath, [join(folder, 'node_modules', command), ...args], {
      cwd: folder,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', CI: '1' },
    }).then(
      ({ stdout, stderr }) => ({ ok: true, output: stdout + stderr }),
      ({ stdout, stderr }) => ({ ok: false, output: `${stdout}${stderr}` }),
    );

  test('it type-checks', async () => {
    expect(await node('typescript/bin/tsc')).toEqual({ ok: true, output: expect.any(String) });
  }, 120_000);

  test('it is what wrangler deploys, and it starts', async () => {
    const built = await node('wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'bundle');
    expect(built).toEqual({ ok: true, output: expect.any(String) });
    const port = await freePort();
    stack = await startStack({ bundle: await readBundle(join(folder, 'bundle')), log: (line) => logs.push(line) });
    ({ url } = await stack.startWorker(port));
    expect(url).toBe(`http://127.0.0.1:${port}`);
  }, 120_000);

  test.skipIf(!curlPresent).each(commands)('%s', async (command) => {
    const script = `${command.replaceAll(HOST, url)} --silent --show-error --max-time 20 --write-out '\\n%{http_code}'`;
    const said = await bash(script, { TOKEN: stack?.token, SLUICE_TOKEN: stack?.token });
    const [answer = '', status] = said.split(/\n(?=\d{3}$)/);
    expect([answer, Number(status)]).toEqual([expect.stringMatching(/^\{.*"id"/), 202]);
  });

  test.skipIf(!curlPresent)('its handler gets the message that does not wait, and the other one waits', async () => {
    await eventually('bob has his invoice', () => logs.join('\n').includes('invoice of 100 cents to bob, attempt 1'));
    let messages: object[] = [];
    let isHandled = false;
    await eventually('it waits, or its ten seconds have passed', async () => {
      const answer = await fetch(`${url}/v1/queues/invoice/messages?state=delayed`, {
        headers: { authorization: `Bearer ${stack?.token}` },
      });
      ({ messages } = (await answer.json()) as { messages: object[] });
      isHandled = logs.join('\n').includes('invoice of 4200 cents to ada');
      return messages.length > 0 || isHandled;
    });
    const ada = { body: { customer: 'ada', cents: 4200 }, group: 'ada' };
    if (!isHandled) expect(messages).toMatchObject([ada]);
  });

  test('a body that does not fit its schema: 422, with the field', async () => {
    const answer = await fetch(`${url}/v1/queues/invoice/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack?.token}` },
      body: JSON.stringify({ body: { customer: 'ada', cents: 0.5 } }),
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ field: 'body.cents', code: 'schema' }] });
  });
});

async function readBundle(folder: string): Promise<Bundle> {
  const modules: Bundle['modules'] = {};
  for (const name of await readdir(folder)) {
    if (name.endsWith('.js')) modules[name] = { type: 'esm', contents: await readFile(join(folder, name), 'utf8') };
  }
  return { mainModule: 'worker.js', modules };
}
