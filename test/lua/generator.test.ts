// The generator of scripts: what it makes of Lua files, and that what is wrong with one is told by file and line.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import { describe, expect, test } from 'vitest';
import { readSignature, tupleOf } from '../../scripts/lua/card.ts';
import { linkAll } from '../../scripts/lua/link.ts';
import { joinLines, linesOf, printAll } from '../../scripts/lua/segments.ts';
import { readSources, type Sources, sourceOf } from '../../scripts/lua/sources.ts';
import * as scripts from '../../src/redis/lua/generated.ts';

function sourcesOf(files: { commands: Record<string, string>; includes?: Record<string, string> }): Sources {
  const read = (folder: string, texts: Record<string, string> = {}) =>
    new Map(Object.entries(texts).map(([name, text]) => [name, sourceOf(`${folder}/${name}.lua`, text)]));
  return { commands: read('commands', files.commands), includes: read('includes', files.includes) };
}

function linesBuilt(command: string, includes: Record<string, string> = {}) {
  const program = linkAll(sourcesOf({ commands: { it: command }, includes }));
  return linesOf(program.scripts[0] as (typeof program.scripts)[0], printAll(program));
}

/** The text of the only script. */
function built(command: string, includes: Record<string, string> = {}): string {
  return joinLines(linesBuilt(command, includes));
}

describe('a script', () => {
  const includes = {
    low: 'local step, UNUSED = 2, 3\nlocal FOUR, FIVE = 4, 5\nlocal function hidden(a) return a * step + FIVE end\nlocal function twice(number) return hidden(number) end',
    high: '--- @include low\nlocal function four(number) return twice(twice(number)) end\nlocal function five() return four(1) + 1 end',
  };

  test('has what it needs of its includes, each a block of which others see what they use', () => {
    expect(built('--- @include high\nreturn four(tonumber(ARGV[1]))', includes)).toBe(
      [
        'local aa do',
        'local A,B=2,3',
        'local function C(a)return a*A+5 end',
        'function aa(a)return C(a)end',
        'end',
        'local ab do',
        'function ab(a)return aa(aa(a))end',
        'end',
        'return ab(tonumber(ARGV[1]))',
      ].join('\n'),
    );
  });

  test('has what adds to a table that it needs, and nothing that adds to others', () => {
    const tables = {
      low: "local used, other = {}, {}\nlocal spare = {}\nfunction used.one() return 1 end\nused['two'] = 2\nfunction spare.three() end",
    };
    const text = built('--- @include low\nreturn used.one()', tables);
    expect(text).toContain('function aa.one()');
    expect(text).toContain("aa['two']=2");
    expect(text).not.toContain('three');
  });

  test.each<[string, string, string]>([
    [
      'a local within a local of that name',
      'local a = 1\ndo local a = a; a = 2 end\nreturn a',
      'local A=1\ndo local a=A;a=2 end\nreturn A',
    ],
    [
      'a field, and a name in a text',
      "local t = { one = 1 }\nlocal function f(one) return t.one, one, 'one' end\nreturn f",
      "local A={one=1}\nlocal function B(a)return A.one,a,'one'end\nreturn B",
    ],
    [
      'those of a loop',
      'local s = 0\nfor i, v in ipairs(KEYS) do s = s + i + #v end\nreturn s',
      'local A=0\nfor a,b in ipairs(KEYS)do A=A+a+#b end\nreturn A',
    ],
    [
      'what until sees',
      'local n = 0\nrepeat local done = n > 3; n = n + 1 until done\nreturn n',
      'local A=0\nrepeat local a=A>3;A=A+1 until a\nreturn A',
    ],
    [
      'numbers beside dots, and one minus behind another',
      'local a = 1 .. 2\nreturn a - -1',
      'local A=1 ..2\nreturn A- -1',
    ],
  ])('is printed without blanks and long names: %s', (_, source, text) => expect(built(source)).toBe(text));

  test('knows of each line where it comes from', () => {
    const adding = { low: '-- low\n\nlocal function sum(a,\n  b)\n  return a + b\nend' };
    expect(linesBuilt('-- it\n--- @include low\nreturn sum(1, 2)', adding).map(({ from }) => from)).toEqual([
      'includes/low.lua',
      'includes/low.lua:3',
      'includes/low.lua:4',
      'includes/low.lua:5',
      'includes/low.lua:6',
      'includes/low.lua',
      'commands/it.lua:3',
    ]);
  });

  test('gives each name its own, which is no word of Lua, and leaves what Lua gives it', () => {
    const names = Array.from({ length: 150 }, (_, i) => `name_${i}`);
    const low = names.map((name) => `local function ${name}() return 1 end`).join('\n');
    const command = `--- @include low\nlocal own = {${names.map((name) => `${name}()`).join(',')}}\nreturn tostring(own)`;
    const text = built(command, { low });
    const declared = /^local (.+) do$/m.exec(text)?.[1]?.split(',') ?? [];
    expect(new Set(declared).size).toBe(names.length);
    expect(declared.filter((name) => ['do', 'if', 'in', 'or'].includes(name))).toEqual([]);
    expect(text).toMatch(/\nlocal A=\{aa\(\),.+\}\nreturn tostring\(A\)$/);
  });
});

describe('what is wrong is told by file and line', () => {
  test.each<[string, { commands: Record<string, string>; includes?: Record<string, string> }, string]>([
    [
      'an include that is not there',
      { commands: { it: '-- it\n--- @include nothing\nreturn 1' } },
      'commands/it.lua:2: there is no include named nothing',
    ],
    [
      'an include that comes back to itself',
      { commands: {}, includes: { one: '--- @include two\nlocal a', two: '-- two\n--- @include one\nlocal b' } },
      'includes/two.lua:2: it includes itself: one > two > one',
    ],
    [
      'a name that is declared nowhere',
      { commands: { it: 'local a = 1\nreturn a + unknown' } },
      'commands/it.lua:2: unknown is declared neither here nor in what this includes',
    ],
    [
      'a name of what it does not include',
      { commands: { it: '--- @include one\nreturn b' }, includes: { one: 'local a = 1', two: 'local b = 1' } },
      'commands/it.lua:2: b is declared neither here nor in what this includes',
    ],
    [
      'a name that is declared later',
      { commands: { it: 'local function f() return a end\nlocal a = 1\nreturn f() + a' } },
      'commands/it.lua:1: a is used before it is declared',
    ],
    [
      'a name that two includes declare',
      { commands: { it: '--- @include one two\nreturn a' }, includes: { one: 'local a = 1', two: 'local a = 2' } },
      'commands/it.lua:2: a is declared by one and by two',
    ],
    [
      'an include that does something',
      { commands: {}, includes: { one: "\nredis.call('PING')" } },
      'includes/one.lua:2: an include only declares, it does nothing by itself',
    ],
    ['what is not Lua', { commands: { it: 'local a =\nreturn !' } }, 'commands/it.lua:2: this is not understood: !'],
    [
      'a block without its end',
      { commands: { it: 'if KEYS then\nreturn 1' } },
      'commands/it.lua:2: expected elseif at 1',
    ],
  ])('%s', (_, files, message) => expect(() => linkAll(sourcesOf(files))).toThrow(message));
});

describe('a card', () => {
  const signature = (text: string) => {
    const { keys, args } = readSignature(sourceOf('commands/it.lua', text));
    return [tupleOf(keys), tupleOf(args)];
  };

  test('becomes the types of what a call has to give', () => {
    const card = [
      '-- it: does something.',
      '--',
      '-- KEYS[1]  zset     ready:<pool>',
      '-- KEYS[2]  string?  req:<token>|awake  words',
      '-- ARGV[1]  clock    clock',
      '-- ARGV[2]  number   leaseMs  how long',
      '-- ARGV[…]  text…    ids',
      'return { KEYS[2], ARGV[2] }',
    ].join('\n');
    const ready = "ready: Key<'ready'>";
    expect(signature(card)).toEqual([
      `[${ready}] | [${ready}, req: Key<'req' | 'awake'>]`,
      "[clock: Digits | '', leaseMs: Digits, ...ids: string[]]",
    ]);
  });

  test.each([
    ['-- it\n-- ARGV[1]  text  root\nreturn ARGV[2]', 'commands/it.lua:3: ARGV[2] is beyond the card'],
    [
      '-- it\n-- ARGV[1]  text   root\n-- ARGV[…]  text…  ids\nreturn ARGV[2]',
      'commands/it.lua:4: ARGV[2] is beyond the card',
    ],
    ['return KEYS[1]', 'commands/it.lua:1: KEYS[1] is beyond the card'],
    ['-- ARGV[1]  text  root\n-- ARGV[3]  text  id', 'commands/it.lua:2: this is number 2'],
    ['-- ARGV[1]  words  root', 'commands/it.lua:1: this is no argument of a card'],
    ['-- KEYS[1]  thing  timers', 'commands/it.lua:1: this is no key of a card'],
    ['-- ARGV[…]  text…  ids\n-- ARGV[2]  text  id', 'commands/it.lua:2: nothing can stand behind the last'],
  ])('is refused where it is wrong: %j', (text, message) => expect(() => signature(text)).toThrow(message));
});

test('a bundle has the scripts that it uses, and of all others no more than what scripts share', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-scripts-'));
  const entry = join(folder, 'entry.ts');
  await writeFile(entry, `export { rotate } from ${JSON.stringify(resolve('src/redis/lua/generated.ts'))};`);
  const lib = { entry, formats: ['es' as const] };
  const built = await build({ configFile: false, logLevel: 'silent', build: { write: false, minify: false, lib } });
  await rm(folder, { recursive: true });
  const [bundle] = Array.isArray(built) ? built : [];
  const code = bundle?.output[0].code ?? '';
  expect(code).toContain('RPOPLPUSH');
  for (const { name } of Object.values(scripts).filter((script) => script !== scripts.rotate))
    expect(code).not.toContain(`"${name}"`);
  const { segments } = printAll(linkAll(readSources('src/redis/lua')));
  const shared = segments.reduce((sum, { lines }) => sum + JSON.stringify(joinLines(lines)).length, 0);
  expect(code.length).toBeLessThan(shared + scripts.rotate.source.length + 1_500);
});
