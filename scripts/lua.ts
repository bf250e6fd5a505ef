/**
 * Makes src/redis/lua/generated.ts of the Lua files, where one of them has changed since. `npm ci`, tests, builds and every command that
 * runs the library do so first. With the name of a script it prints the lines that Redis gets, by which its errors say where they arose, and
 * of which file each is.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { linkAll } from './lua/link.ts';
import { moduleOf } from './lua/module.ts';
import { linesOf, printAll } from './lua/segments.ts';
import { readSources } from './lua/sources.ts';
import { writeWhole } from './whole-file.ts';

const ROOT = join(import.meta.dirname, '..');
const LUA = join(ROOT, 'src/redis/lua');
const MODULE = join(LUA, 'generated.ts');

/** All that it is made of. */
const MADE_OF = ['src/redis/lua/prologue.lua', 'src/redis/lua/{commands,includes}/*.lua', 'scripts/lua/*.ts'];

/** @throws Error that names file and line where a script is wrong */
export async function buildScripts(): Promise<void> {
  const stamp = stampOfSources();
  const made = await readFile(MODULE, 'utf8').catch(() => '');
  if (!made.startsWith(`// ${stamp}\n`)) await writeWhole(MODULE, moduleOf(readSources(LUA), stamp));
}

function stampOfSources(): string {
  const stamp = createHash('sha256');
  for (const file of globSync(MADE_OF, { cwd: ROOT }).toSorted()) {
    stamp.update(`${file}\n`).update(readFileSync(join(ROOT, file)));
  }
  return stamp.digest('hex');
}

/** As Redis gets it: the number of each line, where it comes from, and its text. @throws Error where there is no script of this name */
function listScript(name: string): string {
  const program = linkAll(readSources(LUA));
  const script = program.scripts.find((each) => each.name === name);
  if (!script) throw new Error(`there is no script named ${name}`);
  const lines = linesOf(script, printAll(program));
  const widest = Math.max(...lines.map(({ from }) => from.length));
  return lines.map(({ text, from }, i) => `${String(i + 1).padStart(4)}  ${from.padEnd(widest)}  ${text}`).join('\n');
}

if (import.meta.main) {
  const [name] = process.argv.slice(2);
  if (name === undefined) await buildScripts();
  else console.log(listScript(name));
}
