/** Which statements of its includes a script needs, and what each name in them means. What nothing uses is left out. */
import { withoutConstants } from './constants.ts';
import type { Statement } from './scopes.ts';
import { includesOf, type Source, type Sources } from './sources.ts';

/** What Redis gives a script, and of Lua what every Redis has. */
export const GLOBALS = new Set(
  'KEYS ARGV redis string table math tonumber tostring type pairs ipairs next unpack select error pcall'.split(' '),
);

/** A script: all of its own statements, and what it needs of its includes. */
export interface Linked {
  name: string;
  source: Source;
  needs: Set<Statement>;
}

export interface Program {
  scripts: Linked[];
  /** Each behind what it builds on. */
  includes: Source[];
  /** Of each include the names that others use. */
  exports: Map<Source, Set<string>>;
}

/** @throws Error that names file and line where a name is declared nowhere, or in two places */
export function linkAll(read: Sources): Program {
  const sources = withoutConstants(read);
  const all = [...sources.includes.keys()].map((name) => ({ name, line: 1 }));
  const includes = includesOf({ name: '', file: '', text: '', statements: [], includes: all }, sources);
  const exports: Program['exports'] = new Map(includes.map((include) => [include, new Set()]));
  for (const include of includes) {
    for (const statement of include.statements) {
      if (statement.form !== 'other' || tableOf(statement) !== undefined) continue;
      throw new Error(
        `${include.file}:${statement.tokens[0]?.line}: an include only declares, it does nothing by itself`,
      );
    }
  }
  const scripts = [...sources.commands.values()].map((source) => link(source, sources, exports));
  return { scripts, includes, exports };
}

function link(source: Source, sources: Sources, exports: Program['exports']): Linked {
  const needed = new Set<Statement>();
  const adding = includesOf(source, sources).flatMap((file) =>
    file.statements.filter((statement) => tableOf(statement) !== undefined).map((statement) => ({ file, statement })),
  );
  const need = (file: Source, statement: Statement) => {
    if (needed.has(statement)) return;
    needed.add(statement);
    for (const { name, from, declaring } of meaningsIn(file, statement, sources)) {
      if (from !== file) for (const declared of declaring.declares) exports.get(from)?.add(declared);
      if (from === source) continue;
      need(from, declaring);
      for (const added of adding) if (tableOf(added.statement) === name) need(added.file, added.statement);
    }
  };
  for (const statement of source.statements) need(source, statement);
  return { name: source.name, source, needs: needed };
}

interface Meaning {
  name: string;
  from: Source;
  declaring: Statement;
}

/** Where the names are declared that a statement uses. */
function meaningsIn(file: Source, statement: Statement, sources: Sources): Meaning[] {
  const meanings = new Map<string, Meaning>();
  for (const [place, name] of statement.free) {
    if (statement.declares.includes(name) || meanings.has(name)) continue;
    const line = statement.tokens[place]?.line;
    const found = declarersOf(name, file, sources);
    if (found[0] === file && !isBefore(name, statement, file))
      throw new Error(`${file.file}:${line}: ${name} is used before it is declared`);
    if (found.length > 1)
      throw new Error(
        `${file.file}:${line}: ${name} is declared by ${found.map((each) => each.name).join(' and by ')}`,
      );
    const [from] = found;
    const declaring = from?.statements.find(({ declares }) => declares.includes(name));
    if (from && declaring) meanings.set(name, { name, from, declaring });
    else if (!GLOBALS.has(name))
      throw new Error(`${file.file}:${line}: ${name} is declared neither here nor in what this includes`);
  }
  return [...meanings.values()];
}

function declarersOf(name: string, file: Source, sources: Sources): Source[] {
  const declares = ({ statements }: Source) => statements.some((statement) => statement.declares.includes(name));
  return declares(file) ? [file] : includesOf(file, sources).filter(declares);
}

function isBefore(name: string, statement: Statement, { statements }: Source): boolean {
  return statements.findIndex(({ declares }) => declares.includes(name)) < statements.indexOf(statement);
}

/** The table to which a statement adds a field: `function <table>.<field>(`, `<table>.<field> =` or `<table>['<field>'] =`. */
function tableOf({ form, tokens }: Statement): string | undefined {
  const words = tokens.slice(0, 5).map(({ text }) => text);
  if (form !== 'other') return undefined;
  if (words[0] === 'function' && words[2] === '.') return words[1];
  return (words[1] === '.' && words[3] === '=') || (words[1] === '[' && words[4] === '=') ? words[0] : undefined;
}
