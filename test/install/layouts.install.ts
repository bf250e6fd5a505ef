// However the package is installed and loaded: each entry, from either form of modules, in npm's and in pnpm's layout, and by its command.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

let project: string;
beforeAll(async () => {
  project = await createProject('layouts');
});

/** What a program imports, by the published list; what only Workers have is left out. */
async function importable(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'node_modules/sluice/package.json'), 'utf8');
  const { exports } = JSON.parse(text) as { exports: Record<string, string | object> };
  const entries = Object.entries(exports).filter(([name, ways]) => typeof ways === 'object' && name !== './cloudflare');
  return entries.map(([name]) => `sluice${name.slice(1)}`);
}

/** Writes a program, and runs it. @returns what it printed, as JSON */
async function runProgram(folder: string, runtime: string[], name: string, text: string): Promise<unknown> {
  const [file = '', ...args] = runtime;
  await writeFile(join(folder, name), text);
  return JSON.parse(await run({ file, args: [...args, name], cwd: folder }));
}

const IMPORT = (names: string[]) => `
const counts = {};
for (const name of ${JSON.stringify(names)}) counts[name] = Object.keys(await import(name)).length;
console.log(JSON.stringify(counts));`;

const RUNTIMES: [name: string, runtime: () => string[]][] = [
  ['Node 22.12', () => [runtimes.node22()]],
  ['Node 24', () => [runtimes.node24()]],
  ['Bun', () => [runtimes.bun()]],
  ['Deno', () => [runtimes.deno(), 'run', '--allow-all', '--no-prompt']],
];

describe.each(RUNTIMES)('in %s', (_, runtime) => {
  test('each entry can be loaded', async () => {
    const names = await importable(project);
    expect(names).toContain('sluice/client');
    const counts = (await runProgram(project, runtime(), 'entries.mjs', IMPORT(names))) as Record<string, number>;
    expect(Object.keys(counts)).toEqual(names);
    expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
  });
});

test.each([runtimes.node22, runtimes.node24])('require gets the same as import', async (node) => {
  const names = await importable(project);
  const text = `console.log(JSON.stringify(${JSON.stringify(names)}.filter((name) => Object.keys(require(name)).length > 0)));`;
  expect(await runProgram(project, [node()], 'require.cjs', text)).toEqual(names);
});

test("in pnpm's layout, where a package finds only what it names, each entry can be loaded", async () => {
  const linked = await createProject('linked', { options: ['--install-strategy', 'linked'] });
  const names = await importable(linked);
  const counts = (await runProgram(linked, [runtimes.node24()], 'entries.mjs', IMPORT(names))) as Record<
    string,
    number
  >;
  expect(Object.keys(counts)).toEqual(names);
});

test.each([runtimes.node22, runtimes.node24, runtimes.bun])(
  'the command says its version, and its help',
  async (runtime) => {
    const { version } = JSON.parse(await readFile(join(project, 'node_modules/sluice/package.json'), 'utf8'));
    const sluice = (...args: string[]) =>
      run({ file: runtime(), args: ['node_modules/sluice/dist/cli.js', ...args], cwd: project });
    expect(await sluice('--version')).toBe(`${version}\n`);
    expect(await sluice('--help')).toContain('Usage: sluice');
  },
);

test('npm links the command', async () => {
  const file = join(project, 'node_modules/.bin/sluice');
  expect(await run({ file, args: ['--version'], cwd: project })).toMatch(/^\d+\.\d+\.\d+/);
});
