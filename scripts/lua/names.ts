/**
 * Short names: what stands at the top of a Lua file has a capital letter in what is deployed, and where other files use it two letters,
 * the same two in each script.
 */
import { GLOBALS, type Program } from './link.ts';
import type { Source } from './sources.ts';
import { KEYWORDS } from './tokens.ts';

/** Of the names at the top of a file, and of those that it may use of others. */
export type ShortNames = ReadonlyMap<string, string>;

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const CAPITALS = LETTERS.map((letter) => letter.toUpperCase());
/** One such letter is for what is local within a statement. */
const SHARED = pairsOf(LETTERS, LETTERS);
const OWN = [...CAPITALS, ...pairsOf(CAPITALS, LETTERS)];

/** In the order in which they are declared: what stands together has similar names, which compress best. */
export function shortNamesIn({ includes, exports }: Program): (source: Source) => ShortNames {
  const exported = new Set(includes.flatMap((include) => [...(exports.get(include) ?? [])]));
  const shared = shorten(exported, SHARED);
  return (source) => {
    const isShared = (name: string) => exports.get(source)?.has(name);
    const own = source.statements.flatMap(({ declares }) => declares.filter((name) => !isShared(name)));
    return new Map([...shared, ...shorten(new Set(own), OWN)]);
  };
}

function shorten(names: Set<string>, short: string[]): [name: string, short: string][] {
  const renamed = [...names].filter((name) => !GLOBALS.has(name));
  if (renamed.length > short.length)
    throw new Error(`more than ${short.length} names: ${renamed.at(-1)} is one of them`);
  return renamed.map((name, index) => [name, short[index] as string]);
}

function pairsOf(firsts: string[], seconds: string[]): string[] {
  return firsts.flatMap((first) => seconds.map((second) => first + second)).filter((pair) => !KEYWORDS.has(pair));
}
