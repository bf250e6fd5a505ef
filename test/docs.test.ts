// The pages that list things list all of them: settings with their defaults, keys, scripts, folders; and their links lead somewhere.
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config/config.ts';
import { makeKeys } from '../src/redis/keys.ts';
import * as scripts from '../src/redis/lua/generated.ts';

const read = (path: string) => readFileSync(path, 'utf8');
const storage = read('docs/storage.md');

describe('docs/configuration.md', () => {
  const rows = new Map(
    [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)` \|([^|]*)\|/gm)].map(([, name = '', text = '']) => [
      name,
      text.trim(),
    ]),
  );
  const given = { UPSTASH_REDIS_REST_URL: 'https://x.example', UPSTASH_REDIS_REST_TOKEN: 'x' };

  test('has every setting, and no other', () => {
    const settings = [...read('src/config/config.ts').matchAll(/^ {2}((?:SLUICE|UPSTASH|CRON)_[A-Z_]+):/gm)].map(
      ([, name]) => name,
    );
    expect([...rows.keys()].toSorted()).toEqual(settings.toSorted());
  });

  test('has the defaults that are taken', () => {
    const taken = Object.entries(readConfig(given)).filter(([, value]) => /^(?:number|boolean)$/.test(typeof value));
    for (const [name, value] of taken)
      expect([name, rows.get(name)]).toEqual([name, expect.stringContaining(`\`${value}\``)]);
    expect(taken.length).toBeGreaterThan(8);
  });
});

test('docs/storage.md has every script and every fixed key', () => {
  const column = [...storage.matchAll(/^\| ((?:`[^`|]+`(?:, )?)+) \|/gm)].flatMap(([, cells = '']) =>
    cells.match(/[^`, ]+/g),
  );
  for (const { name } of Object.values(scripts)) expect(column).toContain(name);
  const { root, ...keys } = makeKeys('x');
  for (const key of Object.values(keys).filter((of) => typeof of === 'string'))
    expect(column).toContain(key.slice(root.length));
});

test('docs/architecture.md has every folder of src', () => {
  const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) expect(read('docs/architecture.md')).toContain(`\`src/${name}/\``);
});

test('docs/reliability.md names only tests that there are', () => {
  const named = [...read('docs/reliability.md').matchAll(/^\| [A-Z]{2}\d+ .* \| (`.*`) \|$/gm)].flatMap(
    ([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)],
  );
  expect(named.length).toBeGreaterThan(60);
  for (const [, name] of named) expect(existsSync(`test/${name}.test.ts`), `test/${name}.test.ts`).toBe(true);
});

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...globSync('docs/**/*.md')];

test.each(PAGES)('the links of %s lead to files and headings', (page) => {
  for (const [, to = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(to)) continue;
    const [path = '', heading] = to.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    expect(existsSync(file), `${page} links to ${to}`).toBe(true);
    if (heading !== undefined) expect(headingsOf(read(file)), `${page} links to ${to}`).toContain(heading);
  }
});

/** A file, or a folder; of a test the name may do. */
const isThere = (path: string) => globSync([path, `${path}.test.ts`]).length > 0;

test.each(PAGES)('the files that %s names are there', (page) => {
  const named = [
    ...read(page).matchAll(/`(?:npx node )?((?:src|functions|scripts|examples|test|docs)\/[^\s`<>]*)[^`\n]*`/g),
  ];
  expect(named.map(([, path = '']) => path).filter((path) => !isThere(path))).toEqual([]);
});

test('npm scripts are the ten that people need, and pages name no other', () => {
  const { prepare, prepublishOnly, ...scripts } = JSON.parse(read('package.json')).scripts as Record<string, string>;
  expect([prepare, prepublishOnly]).not.toContain(undefined); // npm calls these
  expect(Object.keys(scripts).length).toBeLessThanOrEqual(10);
  for (const page of [...PAGES, 'CHANGELOG.md', '.ci/run', 'wrangler.toml']) {
    for (const [, name] of read(page).matchAll(/\bnpm run (?:-s )?([a-z][\w:]*)/g))
      expect(Object.keys(scripts), `${page} names npm run ${name}`).toContain(name);
  }
});

test('CONTRIBUTING.md names what there is in its files', () => {
  const named = [...read('CONTRIBUTING.md').matchAll(/`([\w./-]+\.(?:tsx?|lua))` `(\w+)`/g)];
  expect(named.length).toBeGreaterThan(30);
  for (const [, file = '', name] of named)
    expect(read(file), `${name} in ${file}`).toMatch(new RegExp(`\\b${name}\\b`));
});

/** As GitHub names them. */
function headingsOf(text: string): string[] {
  const titles = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title.toLowerCase());
  return titles.map((title) => title.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));
}
