// The house: a folder's place says what it may import, folders never import each other in a circle, and nothing local is deployed.
import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PLATFORMS } from '../src/cli/init/platform.ts';

/** From the bottom up. A folder imports itself and what stands below it; those of one line are peers, and do not know each other. */
const LAYERS: string[][] = [
  ['formats', 'errors', 'log'],
  ['runtime'],
  ['message'],
  ['queue'],
  ['define'],
  ['config'],
  ['redis'],
  ['store'],
  ['shards'],
  ['broker'],
  ['delivery'],
  ['schedules', 'topics', 'rings', 'stats', 'webhooks'],
  ['drain'],
  ['telemetry'],
  ['engine'],
  ['http'],
  ['rehearsal'],
  ['sluice'],
  ['index', 'adapters'],
  ['functions'],
];
/** What knows nothing of queues: errors hold durations and durations throw errors, so to each other these are one folder. */
const BASICS = LAYERS[0] ?? [];
/** What is not part of a Worker, with what it may import besides itself. */
const BESIDE: Record<string, string[]> = {
  client: ['errors', 'formats', 'queue', 'http'], // of the last two types: test/client/imports.test.ts sees that it is no more
  cli: ['errors', 'formats', 'client', 'config', 'message', 'package.json'], // of messages the words of their options, which are pure; the version
  dashboard: ['client', 'message'], // of messages what is pure
  'redis-http': [], // what needs Redis itself, and nothing of queues: the emulator is made of it too
  dev: [...LAYERS.flat(), 'redis-http'],
  testing: [...LAYERS.flat(), 'dev'],
  lua: [...LAYERS.flat(), 'dev'], // scripts/lua: what is made of Lua, and what calls of it say
  examples: [...LAYERS.flat(), 'client', 'dev', 'lua'],
  scripts: [...LAYERS.flat(), 'client', 'cli', 'dashboard', 'dev', 'examples', 'lua'],
};
/** `sluice dev`, `worker` and `redis-http` are verbs as others are, and what they start is loaded where it is asked for. */
const EXCEPTIONS = [
  'src/cli/commands/dev.ts > dev',
  'src/cli/commands/redis-http.ts > redis-http',
  'src/cli/load-sluice.ts > adapters',
];
/** Imports that stand against the rule today: each is taken out with the change that mends it. */
const DEBTS: string[] = [];

/** The parts of src/, and the other folders. */
function folderOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  if (file.startsWith('scripts/lua/')) return 'lua';
  return top === 'src' ? second.replace(/\.ts$/, '') : top;
}

const rank = (folder: string) => LAYERS.findIndex((layer) => layer.includes(folder));

/** @returns whether a file of this folder may import one of that */
function isAllowed(from: string, to: string): boolean {
  if (from === to) return true;
  const besides = BESIDE[from];
  if (besides) return besides.includes(to);
  if (rank(to) < 0) return false; // tools, or a folder without a place
  return rank(to) < rank(from) || (BASICS.includes(from) && BASICS.includes(to));
}

const files = globSync(['{src,functions,scripts,examples}/**/*.{ts,tsx}'], { exclude: ['**/*.d.ts'] });
type Ways = Record<string, string | Record<string, string>>;
const { imports: IMPORTS, exports: DOORS }: { imports: Ways; exports: Record<string, string> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
);

/** Each way that a specifier of package.json may lead. */
function pathsOf(specifier: string): string[] {
  const entry = Object.entries(IMPORTS).find(([name]) =>
    name.endsWith('*') ? specifier.startsWith(name.slice(0, -1)) : specifier === name,
  );
  if (!entry) return [`unknown/${specifier}`];
  const [name, to] = entry;
  const rest = specifier.slice(name.length - 1);
  const paths = typeof to === 'string' ? [to] : Object.values(to);
  return paths.map((path) => normalize(path.replace('*', rest))).filter((path) => !path.startsWith('dist/'));
}

const STATEMENT = /^(?:import|export)[^'"]*from '([^']+)'|^import '([^']+)'|import\('([^']+)'\)/gm;

/** @returns the files that a file imports, by relative paths, by `#…`, and through the doors of this package; others are left out */
function importsOf(file: string, source: string): string[] {
  const specifiers = [...source.matchAll(STATEMENT)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '');
  return specifiers.flatMap((specifier) => {
    if (specifier.startsWith('#')) return pathsOf(specifier);
    if (/^sluice(\/|$)/.test(specifier)) return [normalize(DOORS[`.${specifier.slice('sluice'.length)}`] ?? specifier)];
    return specifier.startsWith('.') ? [normalize(join(dirname(file), specifier))] : [];
  });
}

const graph = new Map(files.map((file) => [file, importsOf(file, readFileSync(file, 'utf8'))]));

/** What a file imports though it may not. */
function faultsOf(file: string, imported: string[]): string[] {
  const from = folderOf(file);
  return imported.flatMap((path) => {
    if (path.includes('node_modules/')) return [`${file} > ${path}`];
    return isAllowed(from, folderOf(path)) ? [] : [`${file} > ${folderOf(path)}`];
  });
}

function circles(graph: Map<string, Iterable<string>>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, path: string[]) => {
    if (path.includes(node)) found.push([...path.slice(path.indexOf(node)), node].join(' > '));
    if (done.has(node) || path.includes(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

const nodeOf = (file: string) => (BASICS.includes(folderOf(file)) ? 'basics' : folderOf(file));

/** The same graph, of folders: what one file of a folder imports, the folder does. */
function byFolder(graph: Map<string, string[]>): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>();
  for (const [file, imported] of graph) {
    const from = nodeOf(file);
    const to = folders.get(from) ?? new Set();
    for (const path of imported) if (nodeOf(path) !== from) to.add(nodeOf(path));
    folders.set(from, to);
  }
  return folders;
}

describe('the house', () => {
  test('each folder has a place', () => {
    const placed = [...LAYERS.flat(), ...Object.keys(BESIDE)];
    expect([...new Set(files.map(folderOf))].filter((folder) => !placed.includes(folder))).toEqual([]);
    expect(globSync('src/*.ts').length, 'loose files').toBeLessThanOrEqual(8);
  });

  test('nothing imports upward, but for the debts that are listed, and each of those is still owed', () => {
    const faults = [...new Set([...graph].flatMap(([file, imported]) => faultsOf(file, imported)))];
    expect(faults.toSorted()).toEqual([...DEBTS, ...EXCEPTIONS].toSorted());
  });

  test('the rule itself sees what is wrong', () => {
    expect(importsOf('src/store/a.ts', "import { x } from '../drain/b.ts';\nexport * from './c.ts';")).toEqual([
      'src/drain/b.ts',
      'src/store/c.ts',
    ]);
    expect(importsOf('src/delivery/a.ts', "import { chooseSend } from '#send';")).toContain(
      'src/delivery/send-guarded.ts',
    );
    const fault = (file: string, imported: string) => faultsOf(file, [imported]);
    expect(fault('src/store/a.ts', 'src/drain/b.ts')).toEqual(['src/store/a.ts > drain']);
    expect(fault('src/topics/a.ts', 'src/rings/b.ts')).toEqual(['src/topics/a.ts > rings']);
    expect(fault('src/index.ts', 'src/dev/dev.ts')).toEqual(['src/index.ts > dev']);
    expect(fault('src/http/a.ts', 'functions/b.ts')).toEqual(['src/http/a.ts > functions']);
    expect(fault('src/cli/a.ts', 'src/store/b.ts')).toEqual(['src/cli/a.ts > store']);
    expect(fault('functions/a.ts', 'src/cli/b.ts')).toEqual(['functions/a.ts > cli']);
    expect(fault('src/redis/a.ts', 'node_modules/x/y.js')).toEqual(['src/redis/a.ts > node_modules/x/y.js']);
    expect(fault('src/drain/a.ts', 'src/store/b.ts')).toEqual([]);
    const circle = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['a']],
    ]);
    expect(circles(circle)).toEqual(['a > b > c > a']);
  });

  test('the engine knows features by their types: a deployment has in its bundle what it is given', () => {
    const features = ['schedules', 'topics', 'rings', 'stats', 'webhooks'];
    const engine = files.filter((file) => ['engine', 'sluice', 'rehearsal', 'drain'].includes(folderOf(file)));
    const known = engine.flatMap((file) => {
      const values = readFileSync(file, 'utf8').replace(/^(?:import|export) type [^;]*;/gm, '');
      return importsOf(file, values).filter((path) => features.includes(folderOf(path)));
    });
    expect(engine.length).toBeGreaterThan(15);
    expect(known).toEqual([]);
  });

  test('no file imports itself in a circle', () => {
    expect(circles(graph)).toEqual([]);
  });

  test('no folder imports itself in a circle, but for the debts', () => {
    const owed = new Map(
      [...graph].map(([file, paths]) => [file, paths.filter((path) => !DEBTS.includes(`${file} > ${folderOf(path)}`))]),
    );
    expect(circles(byFolder(owed))).toEqual([]);
  });
});

/** All that is loaded with a file. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const path of graph.get(file) ?? []) loadedWith(path, loaded);
  return loaded;
}

test('undici comes with sluice/node alone', () => {
  const doors = Object.entries(DOORS).filter(([, file]) => loadedWith(normalize(file)).has('src/redis/undici.ts'));
  expect(doors.map(([door]) => door)).toEqual(['./node']);
});

test('what a user writes imports its own files, packages, and this one through its doors', () => {
  const projects = ['functions', ...PLATFORMS.map((platform) => `examples/${platform}`)];
  for (const project of projects) {
    const files = globSync(`${project}/**/*.ts`);
    expect(files.length, project).toBeGreaterThan(1);
    for (const file of files) {
      for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)) {
        if (from.startsWith('.')) expect(normalize(join(dirname(file), from)), file).toMatch(`${project}/`);
        else if (/^sluice\b/.test(from)) expect(Object.keys(DOORS), file).toContain(`.${from.slice('sluice'.length)}`);
      }
    }
  }
});

test('local runs use the compatibility date and flags of the deployment, and look for files where it does', async () => {
  const [, deployed] = /^compatibility_date = "(.+)"$/m.exec(await readFile('wrangler.toml', 'utf8')) ?? [];
  const local = await readFile('src/dev/worker.ts', 'utf8');
  expect(local).toContain(`COMPATIBILITY_DATE = '${deployed}'`);
  const [, flags = ''] = /^compatibility_flags = (.+)$/m.exec(await readFile('wrangler.toml', 'utf8')) ?? [];
  expect(flags).not.toBe('');
  expect(local).toContain(`COMPATIBILITY_FLAGS = ${flags.replaceAll('"', "'")}`);
  for (const file of ['wrangler.toml', 'examples/workers/wrangler.toml']) {
    const [, first = ''] = /^run_worker_first = (\[.+\])/m.exec(await readFile(file, 'utf8')) ?? [];
    expect(first, file).not.toBe('');
    expect(local).toContain(`RUN_WORKER_FIRST = ${first.replaceAll('"', "'")}`);
  }
});
