/** Numbers that have a name stand as numbers in what is deployed: a constant costs a local, of which Lua has 200, in each script. */
import type { Statement } from './scopes.ts';
import { includesOf, type Source, type Sources } from './sources.ts';
import type { Token } from './tokens.ts';

type Numbers = Map<string, Token>;

export function withoutConstants(sources: Sources): Sources {
  const all = [...sources.includes.values(), ...sources.commands.values()];
  const numbers = new Map(all.map(({ file, statements }) => [file, numbersIn(statements)]));
  const replaced = (source: Source): Source => {
    const visible: Numbers = new Map(includesOf(source, sources).flatMap(({ file }) => [...(numbers.get(file) ?? [])]));
    for (const name of source.statements.flatMap(({ declares }) => declares)) visible.delete(name);
    for (const [name, number] of numbers.get(source.file) ?? []) visible.set(name, number);
    const kept = source.statements.filter((statement) => numbersOf(statement) === undefined);
    return { ...source, statements: kept.map((statement) => replaceIn(statement, visible)) };
  };
  const each = (files: Map<string, Source>) => new Map([...files].map(([name, source]) => [name, replaced(source)]));
  return { commands: each(sources.commands), includes: each(sources.includes) };
}

const numbersIn = (statements: Statement[]): Numbers =>
  new Map(statements.flatMap((statement) => [...(numbersOf(statement) ?? [])]));

/** `local ONE, TWO = 1, 2`: names in capitals, which nothing assigns anew. */
function numbersOf({ form, declares, tokens }: Statement): Numbers | undefined {
  const values = tokens.slice(tokens.findIndex(({ text }) => text === '=') + 1).filter(({ text }) => text !== ',');
  const areNumbers = values.length === declares.length && values.every(({ kind }) => kind === 'number');
  if (form !== 'local' || !areNumbers || !declares.every((name) => /^[A-Z][A-Z_]*$/.test(name))) return undefined;
  return new Map(declares.map((name, index) => [name, values[index] as Token]));
}

function replaceIn(statement: Statement, numbers: Numbers): Statement {
  const tokens = [...statement.tokens];
  const free = new Map(statement.free);
  for (const [place, name] of statement.free) {
    const number = numbers.get(name);
    if (!number) continue;
    tokens[place] = { ...number, line: (tokens[place] as Token).line };
    free.delete(place);
  }
  return { ...statement, tokens, free };
}
