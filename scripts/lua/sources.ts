/** The Lua files: commands are scripts, includes are what these share, and a line `--- @include <name> …` says what a file builds on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Statement, statementsOf } from './scopes.ts';

export interface Source {
  name: string;
  /** As errors name it. */
  file: string;
  text: string;
  includes: { name: string; line: number }[];
  statements: Statement[];
}

export interface Sources {
  commands: Map<string, Source>;
  includes: Map<string, Source>;
}

/** @param change what tests make of each text */
export function readSources(root: string, change = (text: string) => text): Sources {
  const read = (folder: string) =>
    new Map(
      readdirSync(join(root, folder))
        .filter((name) => name.endsWith('.lua'))
        .toSorted()
        .map((name) => {
          const text = change(readFileSync(join(root, folder, name), 'utf8'));
          return [name.slice(0, -'.lua'.length), sourceOf(`${folder}/${name}`, text)];
        }),
    );
  const prologue = sourceOf('prologue.lua', readFileSync(join(root, 'prologue.lua'), 'utf8'));
  const commands = [...read('commands')].map(([name, source]) => [name, begin(source, prologue)] as const);
  return { commands: new Map(commands), includes: read('includes') };
}

/** What every script begins with comes before it, where it does not include itself what that includes. */
function begin(source: Source, prologue: Source): Source {
  const names = new Set(prologue.includes.map(({ name }) => name));
  if (source.includes.some(({ name }) => names.has(name))) return source;
  const includes = [...prologue.includes, ...source.includes];
  return { ...source, includes, statements: [...prologue.statements, ...source.statements] };
}

/** @param file `commands/<name>.lua` or `includes/<name>.lua` */
export function sourceOf(file: string, text: string): Source {
  const name = /([^/]+)\.lua$/.exec(file)?.[1] ?? file;
  const includes = text.split('\n').flatMap((line, index) => {
    const names = /^--- @include (.+)$/.exec(line)?.[1]?.trim().split(/\s+/) ?? [];
    return names.map((included) => ({ name: included, line: index + 1 }));
  });
  return { name, file, text, includes, statements: statementsOf(text, file) };
}

/**
 * @returns what a file builds on, each behind what it builds on itself
 * @throws Error that names file and line where an include is unknown, or comes back to itself
 */
export function includesOf(source: Source, { includes }: Sources): Source[] {
  const ordered = new Set<Source>();
  const visit = (from: Source, path: Source[]) => {
    for (const { name, line } of from.includes) {
      const included = includes.get(name);
      if (!included) throw new Error(`${from.file}:${line}: there is no include named ${name}`);
      if (path.includes(included)) {
        const circle = [...path.slice(path.indexOf(included)), included].map((each) => each.name).join(' > ');
        throw new Error(`${from.file}:${line}: it includes itself: ${circle}`);
      }
      if (!ordered.has(included)) visit(included, [...path, included]);
      ordered.add(included);
    }
  };
  visit(source, [source]);
  return [...ordered];
}
