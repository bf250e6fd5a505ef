// sluice init: what it writes for each platform, what it leaves alone, and that what it writes does the main job.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { queues } from '../../examples/node/sluice.ts';
import { PLATFORMS, type Platform } from '../../src/cli/init/platform.ts';
import { initProject } from '../../src/cli/init/project.ts';
import { readTemplate, readTemplateFile } from '../../src/cli/init/template.ts';
import type { Client } from '../../src/client/client.ts';
import { readConfig } from '../../src/config/config.ts';
import type { Sluice } from '../../src/index.ts';
import { type Redises, startEmbedded } from '../support/bench.ts';
import { runCli } from '../support/cli.ts';
import { eventually } from '../support/worker.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-init-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder with these files. */
async function project(files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(root, 'project-'));
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  return folder;
}

const read = (folder: string, file: string) => readFile(join(folder, file), 'utf8');
const OWN = { dependencies: { sluice: '^1.2.3' }, devDependencies: { ioredis: '^5.0.0' } };
const init = (folder: string, ...asked: Platform[]) => initProject(folder, asked, OWN);
const settingsIn = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths.map((path) => path.slice(folder.length + 1)).toSorted();
}

describe.each(PLATFORMS)('for %s', (platform) => {
  const { files, settings } = readTemplate(platform);

  test('an empty folder gets what the platform needs, and nothing else', async () => {
    const folder = await project();
    const report = await init(folder, platform);
    const expected = [...files, 'package.json', settings.file, '.gitignore'].toSorted();
    expect(await listFiles(folder)).toEqual(expected);
    expect(report.written.toSorted()).toEqual(expected);
    expect([report.changed, report.left]).toEqual([[], []]);
    for (const file of files) expect(await read(folder, file)).toBe(readTemplateFile(platform, file));
    const manifest = JSON.parse(await read(folder, 'package.json'));
    expect(manifest).toMatchObject({ private: true, type: 'module', dependencies: { sluice: '^1.2.3' } });
  });

  test('the settings of this machine are a secret of its own, and are read as they are', async () => {
    const [one, other] = await Promise.all([project(), project()]);
    await Promise.all([init(one, platform), init(other, platform)]);
    const [first, second] = await Promise.all([one, other].map(async (folder) => read(folder, settings.file)));
    const given = settingsIn(first ?? '');
    for (const name of settings.secrets) {
      expect(given[name], name).toMatch(/^[\w-]{43}$/);
      expect(given[name], name).not.toBe(settingsIn(second ?? '')[name]);
    }
    const redis = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1', UPSTASH_REDIS_REST_TOKEN: 'local' };
    expect(readConfig({ ...redis, ...given }).SLUICE_TOKEN).toBe(given.SLUICE_TOKEN);
    expect((await stat(join(one, settings.file))).mode & 0o077).toBe(0);
    expect((await read(one, '.gitignore')).split('\n')).toContain(settings.file);
    const example = files.find((file) => file.endsWith('.example')) ?? '';
    expect(Object.keys(settingsIn(await read(one, example)))).toEqual(expect.arrayContaining(settings.secrets));
  });

  test('a project that has each of the files keeps each of them, and is told what to add', async () => {
    const mine = [...files, settings.file];
    const before = Object.fromEntries(mine.map((file) => [file, `mine: ${file}\n`]));
    const folder = await project(before);
    const report = await init(folder, platform);
    for (const file of mine) expect(await read(folder, file)).toBe(before[file]);
    expect(report.written.toSorted()).toEqual(['.gitignore', 'package.json']);
    expect(report.left.map(({ file }) => file)).toEqual(files);
    for (const { file, add } of report.left) {
      const isOfWorker = ['wrangler.toml', 'worker.ts'].includes(file); // of which only what is lacking is told
      if (!isOfWorker) expect(add, file).toBe(readTemplateFile(platform, file));
    }
    expect(report.notes.slice(-1)).toEqual([
      expect.stringMatching(`${settings.file} has no SLUICE_TOKEN.*: .npx sluice dev. adds`),
    ]);
  });

  test('a second time nothing is written, and nothing is left to do', async () => {
    const folder = await project();
    await init(folder, platform);
    expect(await init(folder, platform)).toMatchObject({ written: [], changed: [], left: [], notes: [] });
  });

  test('its folder is taken for one of it from then on, but for plain Node', async () => {
    const folder = await project();
    await init(folder, platform);
    const hasSign = !['node', 'bun'].includes(platform); // these have only what others may have, too
    if (hasSign) expect((await init(folder)).platform).toBe(platform);
    else await expect(init(folder)).rejects.toThrow('nothing in this folder says');
  });
});

describe('package.json', () => {
  test('of a project keeps what it has, its order and how it is indented', async () => {
    const mine = { name: 'mine', version: '2.0.0', type: 'module', scripts: { test: 'vitest' }, custom: [1] };
    const folder = await project({ 'package.json': `${JSON.stringify(mine, undefined, '\t')}\n` });
    const report = await init(folder, 'node');
    const text = await read(folder, 'package.json');
    const { dependencies, devDependencies, ...rest } = JSON.parse(text);
    expect(Object.keys(rest)).toEqual(Object.keys(mine));
    expect(rest).toEqual({ ...mine, scripts: { test: 'vitest', start: expect.stringContaining('server.ts') } });
    expect(Object.keys({ ...dependencies, ...devDependencies })).toEqual(['sluice', 'zod', 'ioredis', '@types/node']);
    expect(text).toMatch(/^\{\n\t"name": "mine",\n/);
    const added = ['scripts.start', 'dependencies.sluice', 'dependencies.zod'];
    const tools = ['devDependencies.ioredis', 'devDependencies.@types/node'];
    expect(report.changed).toContainEqual({ file: 'package.json', added: [...added, ...tools] });
  });

  test('keeps a dependency in whichever part and range, and a script of a name that is wanted', async () => {
    const mine = { scripts: { start: 'node mine.js' }, devDependencies: { zod: '3.25.0', sluice: 'file:../sluice' } };
    const folder = await project({ 'package.json': JSON.stringify(mine) });
    const { left, next } = await init(folder, 'node');
    expect(JSON.parse(await read(folder, 'package.json'))).toMatchObject(mine);
    expect(JSON.parse(await read(folder, 'package.json')).dependencies).toBeUndefined();
    expect(left).toEqual([]);
    expect(next).toEqual([
      'npm install',
      expect.stringMatching(/^npx sluice dev --cron http:\/\/localhost:3001 +# Redis on this machine/),
      expect.stringMatching(/^PORT=3001 node --env-file\S+ server\.ts +# beside it; open http:\/\/localhost:3001 /),
    ]);
  });

  test('whose scripts of Next.js are its own is told of none in their place', async () => {
    const mine = { dependencies: { next: '16' }, scripts: { dev: 'next dev --turbopack', start: 'next start -p 80' } };
    const folder = await project({ 'package.json': JSON.stringify(mine) });
    const { left, next } = await init(folder);
    expect(JSON.parse(await read(folder, 'package.json')).scripts).toMatchObject(mine.scripts);
    expect([left, next]).toEqual([[], readTemplate('next').next]);
  });

  test('that npm install made in an empty folder is one of modules', async () => {
    const folder = await project({ 'package.json': '{"dependencies": {"sluice": "^1.0.0"}}' });
    const { changed } = await init(folder, 'deno');
    expect(JSON.parse(await read(folder, 'package.json')).type).toBe('module');
    expect(changed[0]?.added).toContain('type');
  });

  test.each(['', '{', '[]', '"a"', 'null', '{"dependencies": []}'])(
    '%j is refused before anything is written',
    async (text) => {
      const folder = await project({ 'package.json': text });
      await expect(init(folder, 'node')).rejects.toThrow('package.json is not one that npm could read');
      expect(await listFiles(folder)).toEqual(['package.json']);
    },
  );

  test.each([
    ['My App', 'my-app'],
    ['_äöü', 'app'],
  ])('of the folder %j has the name %s', async (name, expected) => {
    const folder = join(await project(), name);
    await init(folder, 'bun');
    expect(JSON.parse(await read(folder, 'package.json')).name).toBe(expected);
  });
});

describe('for Node, the package.json', () => {
  /** As `npm init -y` writes it. */
  const MADE = { name: 'a', version: '1.0.0', main: 'index.js', scripts: { test: 'exit 1' }, type: 'commonjs' };
  const written = async (folder: string) => (await init(folder, 'node')).written.filter((file) => /ts$/.test(file));
  const typeIn = async (folder: string) => JSON.parse(await read(folder, 'package.json')).type;

  test.each([{}, { type: 'commonjs' }])('with %j in a folder without code gets to be one of modules', async (type) => {
    const folder = await project({
      'package.json': JSON.stringify({ ...MADE, ...type }),
      'node_modules/a/index.js': '',
    });
    const { notes, changed } = await init(folder, 'node');
    expect(await typeIn(folder)).toBe('module');
    expect(changed).toContainEqual({ file: 'package.json', added: expect.arrayContaining(['type']) });
    expect(notes).toEqual([expect.stringContaining('"type": "module"')]);
    expect(await init(folder, 'node')).toMatchObject({ written: [], changed: [], left: [], notes: [] });
  });

  test.each([['commonjs'], [undefined]])(
    'of the type %j stays it where there is code, and .mts files are written',
    async (type) => {
      const folder = await project({
        'package.json': JSON.stringify({ ...MADE, type }),
        'src/index.js': 'require("fs")',
      });
      const report = await init(folder, 'node');
      expect([await typeIn(folder), report.written]).toEqual([
        type,
        expect.arrayContaining(['sluice.mts', 'server.mts']),
      ]);
      expect(existsSync(join(folder, 'sluice.ts'))).toBe(false);
      expect(report.notes).toEqual([expect.stringContaining('npx sluice worker ./sluice.mts')]);
      expect(JSON.parse(await read(folder, 'package.json')).scripts.start).toMatch(/ server\.mts$/);
      expect(await read(folder, 'server.mts')).toContain("from './sluice.mts'");
      expect(await init(folder, 'node')).toMatchObject({ written: [], changed: [], left: [] });
    },
  );

  test('of a project of modules, or with the file of an earlier run, has the names of the template', async () => {
    const modules = await project({ 'package.json': '{"type": "module"}', 'index.js': '' });
    expect(await written(modules)).toEqual(['sluice.ts', 'server.ts']);
    const earlier = await project({ 'package.json': '{}', 'sluice.ts': readTemplateFile('node', 'sluice.ts') });
    expect(await written(earlier)).toEqual(['server.ts']);
  });

  test('with a server in it is taken for one of Node, and told how that server serves Sluice', async () => {
    const mine = { type: 'module', dependencies: { express: '^5' }, scripts: { start: 'node app.js' } };
    const folder = await project({ 'package.json': JSON.stringify(mine), 'app.js': '' });
    const { platform, notes } = await init(folder);
    expect([platform, notes]).toEqual([
      'node',
      [expect.stringMatching(/by express.*toListener\(sluice\).*run\(sluice/)],
    ]);
  });

  test('with other code leaves Node with files that it runs', async () => {
    const folder = await project({ 'package.json': JSON.stringify(MADE), 'index.js': '' });
    await init(folder, 'node');
    await mkdir(join(folder, 'stands'));
    // Instead of the package, which is built by other tests, what a template takes of it.
    const text = (await read(folder, 'server.mts')).replace("'sluice/node'", "'./stands/node.mts'");
    await writeFile(join(folder, 'server.mts'), text);
    await writeFile(join(folder, 'sluice.mts'), 'export const sluice = "loaded";');
    await writeFile(
      join(folder, 'stands/node.mts'),
      'export const serve = async (sluice: string) => ({ url: sluice, closed: Promise.resolve() });',
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['server.mts'], { cwd: folder });
    expect(stdout).toBe('Sluice is ready at loaded\n');
  });
});

describe('a project', () => {
  test.each([
    ['', 'node_modules\n.wrangler\n.dev.vars\n.prod.vars\n', ['node_modules', '.wrangler', '.dev.vars', '.prod.vars']],
    [
      '/node_modules/\ndist',
      '/node_modules/\ndist\n.wrangler\n.dev.vars\n.prod.vars\n',
      ['.wrangler', '.dev.vars', '.prod.vars'],
    ],
    [
      'node_modules\n.wrangler\n.dev.vars*\n.prod.vars\n',
      'node_modules\n.wrangler\n.dev.vars*\n.prod.vars\n',
      undefined,
    ],
    [
      'node_modules\n.wrangler/\n.dev.vars/\n.prod.vars\n',
      'node_modules\n.wrangler/\n.dev.vars/\n.prod.vars\n.dev.vars\n',
      ['.dev.vars'],
    ],
    [
      'node_modules\n.wrangler\n.dev.vars*\n!.dev.vars.example\n!.dev.vars\n.prod.vars\n',
      'node_modules\n.wrangler\n.dev.vars*\n!.dev.vars.example\n!.dev.vars\n.prod.vars\n.dev.vars\n',
      ['.dev.vars'],
    ],
  ])('with the .gitignore %j ignores what it has to', async (before, after, added) => {
    const folder = await project({ '.gitignore': before });
    const { changed } = await init(folder, 'workers');
    expect(await read(folder, '.gitignore')).toBe(after);
    expect(changed).toEqual(added ? [{ file: '.gitignore', added }] : []);
  });

  test.each([
    ['SLUICE_TOKEN=mine\n', ['.env.local has no CRON_SECRET: `npx sluice dev` adds what is missing there.']],
    ['export SLUICE_TOKEN = "mine"\nCRON_SECRET=', []],
  ])(
    'whose settings are %j is told of the tokens that it lacks, and of none that nobody has',
    async (before, notes) => {
      const folder = await project({ '.env.local': before });
      expect((await init(folder, 'vercel')).notes).toEqual(notes);
      expect(await read(folder, '.env.local')).toBe(before);
    },
  );

  test('with a configuration under another name gets no second one', async () => {
    const folder = await project({ 'vercel.ts': 'mine' });
    const { left } = await init(folder, 'vercel');
    expect(left).toEqual([{ file: 'vercel.ts', add: expect.stringContaining('"crons"') }]);
    expect(existsSync(join(folder, 'vercel.json'))).toBe(false);
    expect(await read(folder, 'vercel.ts')).toBe('mine');
  });

  test.each(['src/app/page.tsx', 'src/pages/index.tsx'])(
    'of Next.js with %s has its routes below src',
    async (page) => {
      const folder = await project({ [page]: '', 'package.json': '{"dependencies": {"next": "16"}}' });
      const { written } = await init(folder);
      expect(written).toEqual(expect.arrayContaining(['src/sluice.ts', 'src/app/api/cron/route.ts', 'vercel.json']));
      expect(existsSync(join(folder, 'app'))).toBe(false);
    },
  );
});

describe('a Worker that is there', () => {
  const ENTRY = 'export default { fetch: () => new Response("yours") };\n';
  /** What is printed of each of its files. */
  const lacks = async (files: Record<string, string>) => {
    const folder = await project(files);
    const { written, left, notes, next } = await init(folder, 'workers');
    const added = Object.fromEntries(left.map(({ file, add }) => [file, add]));
    return { folder, written, added, notes, next };
  };
  const TOML = `name = "mine"
main = "src/index.ts" # the entry
compatibility_date = "2026-01-01"
compatibility_flags = [
  "nodejs_compat", # mine
]

[triggers]
crons = ["0 3 * * *"]
`;

  test('is told of its wrangler.toml what that lacks, and where it goes, and no more', async () => {
    const { folder, added } = await lacks({ 'wrangler.toml': TOML, 'src/index.ts': ENTRY });
    expect(added['wrangler.toml']).toBe(`# in compatibility_flags, before what is there:
"global_fetch_strictly_public",

# at the top, before the first table:
preview_urls = false

# in crons under [triggers], before what is there:
"* * * * *",

# at the end:
[vars]
SLUICE_DRAIN_REQUESTS = "45"
`);
    expect(await read(folder, 'wrangler.toml')).toBe(TOML);
  });

  test('that names its secrets is told to name those of Sluice too, and the settings that it would not get else', async () => {
    const named = `${TOML}[vars]\nMINE = "1"\n[secrets]\nrequired = ['API_KEY', 'SLUICE_TOKEN']\n`;
    const { added } = await lacks({ 'wrangler.toml': named, 'src/index.ts': ENTRY });
    expect(added['wrangler.toml']).toContain(`# under [vars], which is there:
SLUICE_DRAIN_REQUESTS = "45"
SLUICE_DESTINATION_LOCAL = "false"
SLUICE_LOG_ERRORS = "false"

# in required under [secrets], before what is there:
"UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN",
`);
  });

  test('with a configuration in JSON is told in JSON, and gets no second one', async () => {
    const mine = `{
      // "preview_urls": false, "vars": {}
      "main": "./src/index.ts", "compatibility_date": "2026-01-01", /* mine */
      "triggers": { "crons": ["0 3 * * *", "// no comment",], },
      "secrets": {},
    }`;
    const { folder, added } = await lacks({ 'wrangler.jsonc': mine, 'src/index.ts': ENTRY });
    expect(added['wrangler.jsonc']).toBe(`// at the top, behind the first {:
"compatibility_flags": ["global_fetch_strictly_public"],
"preview_urls": false,

// in "crons" of "triggers", before what is there:
"* * * * *",

// at the top, behind the first {:
"vars": {
  "SLUICE_DRAIN_REQUESTS": "45",
  "SLUICE_DESTINATION_LOCAL": "false",
  "SLUICE_LOG_ERRORS": "false",
},

// in "secrets", which is there, behind its {:
"required": ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "SLUICE_TOKEN"],
`);
    expect(existsSync(join(folder, 'wrangler.toml'))).toBe(false);
    expect(await read(folder, 'wrangler.jsonc')).toBe(mine);
  });

  test('is told in the file that main names what passes requests and cron on, and gets no other entry', async () => {
    const { written, added, notes, next } = await lacks({ 'wrangler.toml': TOML, 'src/index.ts': ENTRY });
    expect(written).toContain('sluice.ts');
    expect(written).not.toContain('worker.ts');
    expect(added['src/index.ts']).toContain("import { sluice } from '../sluice.ts';");
    expect(added['src/index.ts']).toContain('return sluice.fetch(request, env, ctx);');
    expect(added['src/index.ts']).toContain(
      "if (event.cron === '* * * * *') return sluice.scheduled(event, env, ctx);",
    );
    expect([notes.join(), next.join()]).toEqual([
      expect.stringContaining('The dashboard is left out'),
      expect.not.stringContaining('open http'),
    ]);
  });

  test('that does something each minute goes on with that, and one that has Sluice is told nothing', async () => {
    const minute = TOML.replace('0 3 * * *', '* * * * *');
    const { added } = await lacks({ 'wrangler.toml': minute, 'src/index.ts': ENTRY });
    expect(added['src/index.ts']).toContain("if (event.cron === '* * * * *') await sluice.scheduled(");
    const done = `${minute.replace('[\n', '["global_fetch_strictly_public",\n')}[vars]\nSLUICE_DRAIN_REQUESTS = "9000"\n`;
    const entry = "import { sluice } from '../sluice.ts';\n";
    const whole = await lacks({ 'wrangler.toml': `preview_urls = true\n${done}`, 'src/index.ts': entry });
    expect(whole.added).toEqual({});
  });

  test.each([
    ['triggers.crons = ["* * * * *"]', 'crons'],
    ['triggers = { crons = [ "* * * * *" ] }', 'crons'],
    ["vars = { A = 'x, y', SLUICE_DRAIN_REQUESTS = '1' }", 'SLUICE_DRAIN_REQUESTS'],
    ['preview_urls = true\r\n', 'preview_urls'],
  ])('is understood where it says %s', async (line, key) => {
    const { added } = await lacks({ 'wrangler.toml': `${line}\n` });
    expect(added['wrangler.toml']).not.toContain(key);
    expect(added['wrangler.toml']).toContain('main = "worker.ts"');
  });
});

describe('the platform', () => {
  test.each<[Record<string, string>, Platform]>([
    [{ 'wrangler.json': '{}' }, 'workers'],
    [{ 'package.json': '{"devDependencies": {"next": "16"}}', 'vercel.json': '{}' }, 'next'],
    [{ 'next.config.mjs': '', 'bun.lock': '' }, 'next'],
    [{ 'vercel.json': '{}' }, 'vercel'],
    [{ 'samconfig.toml': '' }, 'lambda'],
    [{ 'bun.lockb': '' }, 'bun'],
    [{ 'deno.jsonc': '{}' }, 'deno'],
  ])('of a folder with %j is %s', async (files, platform) => {
    expect((await init(await project(files))).platform).toBe(platform);
  });

  test('is asked for where the folder says none, or more than one, and two are one too many', async () => {
    const both = await project({ 'wrangler.toml': '', 'next.config.ts': '' });
    const all = PLATFORMS.map((name) => `--${name}`).join(', ');
    await expect(init(await project({ 'package.json': '{}' }))).rejects.toThrow(all);
    await expect(init(both)).rejects.toThrow("more than one platform's: say --workers, --next");
    await expect(init(both, 'node', 'bun')).rejects.toThrow('one platform at a time: --node, --bun');
    expect(await listFiles(both)).toEqual(['next.config.ts', 'wrangler.toml']);
  });
});

describe('the command', () => {
  test('says what it wrote and what comes next, or the same as JSON, and asks nothing', async () => {
    const [folder, other] = [join(await project(), 'new/queue'), await project({ 'worker.ts': 'mine' })];
    const [people, machines] = await Promise.all([
      runCli(['init', '--workers', folder]),
      runCli(['init', '--workers', other, '--json']),
    ]);
    expect([people.code, people.err]).toEqual([0, '']);
    expect(people.out).toMatch(
      /^wrote {2}package\.json\nwrote {2}sluice\.ts\n[\s\S]*\nNext steps:\n\n {2}cd .*\n {2}npm install\n/,
    );
    expect([machines.code, machines.err]).toEqual([0, '']);
    expect(JSON.parse(machines.out)).toMatchObject({
      platform: 'workers',
      written: expect.arrayContaining(['sluice.ts', 'wrangler.toml', '.dev.vars']),
      left: [{ file: 'worker.ts' }],
    });
    for (const { out } of [people, machines]) {
      for (const where of [folder, other]) {
        expect(out).not.toContain(settingsIn(await read(where, '.dev.vars')).SLUICE_TOKEN);
      }
    }
  });

  test('fails with 2 where it cannot know what to write, and with 1 where it cannot write', async () => {
    const folder = await project({ file: '' });
    const [unknown, impossible] = await Promise.all([
      runCli(['init', folder]),
      runCli(['init', '--node', join(folder, 'file/below')]),
    ]);
    expect(unknown).toMatchObject({ code: 2, out: '', err: expect.stringContaining('say --workers, --next') });
    expect(impossible).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^error: E(NOTDIR|EXIST)/) });
  });
});

describe('what is written', () => {
  test('has the same queues on each platform', () => {
    const texts = PLATFORMS.map((platform) => readTemplateFile(platform, 'sluice.ts'));
    expect(new Set(texts).size).toBe(1);
  });

  test('exports its list of queues, by whose type a client of another program knows them', () => {
    const calls = (client: Client<typeof queues>) => {
      client.enqueue('welcome.email', { to: 'ada@example.com' });
      // @ts-expect-error there is no such queue
      client.enqueue('welcome', { to: 'ada@example.com' });
      // @ts-expect-error its body has an address
      client.enqueue('welcome.email', {});
    };
    expect(calls).toBeTypeOf('function');
  });

  describe('for', () => {
    let redises: Redises;
    beforeAll(async () => {
      redises = await startEmbedded();
    });
    afterAll(() => redises.stop());

    test.each(PLATFORMS)('%s takes a message, refuses a wrong one, and delivers', async (platform) => {
      const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
      const lines = () => printed.mock.calls.map(([line]) => String(line));
      const { sluice }: { sluice: Sluice<object> } = await import(`../../examples/${platform}/sluice.ts`);
      const env = {
        UPSTASH_REDIS_REST_URL: redises.emulator.url,
        UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
        SLUICE_PREFIX: platform,
        SLUICE_TOKEN: 't'.repeat(32),
      };
      const enqueue = (body: unknown) => {
        const headers = { authorization: `Bearer ${env.SLUICE_TOKEN}` };
        const sent = { method: 'POST', headers, body: JSON.stringify({ body }) };
        return sluice.fetch(new Request('http://localhost/v1/queues/welcome.email/messages', sent), env);
      };
      expect((await enqueue({ to: `${platform}@example.com` })).status).toBe(202);
      expect((await enqueue({ to: 'nobody' })).status).toBe(422);
      await eventually('the mail is sent', () =>
        lines().includes(`welcome mail to ${platform}@example.com, attempt 1`),
      );
      printed.mockRestore();
    });
  });
});
