/** Short names: what stands at the top of a Lua file has two letters in what is deployed, the same two in each script. */
import { GLOBALS, type Program } from './link.ts';
import { KEYWORDS } from './tokens.ts';

/** Of the names that the files declare. */
export type ShortNames = ReadonlyMap<string, string>;

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
/** One letter is for what is local within a statement. */
const PAIRS = LETTERS.flatMap((first) => LETTERS.map((second) => first + second)).filter((pair) => !KEYWORDS.has(pair));

/** In the order in which they are declared: what stands together has similar names, which compress best. */
export function shortNamesIn({ includes, scripts }: Program): ShortNames {
  const statements = [...includes, ...scripts.map(({ source }) => source)].flatMap((source) => source.statements);
  const declared = new Set(statements.flatMap(({ declares }) => declares));
  const names = [...declared].filter((name) => !GLOBALS.has(name));
  if (names.length > PAIRS.length) throw new Error(`more than ${PAIRS.length} names at the top of files`);
  return new Map(names.map((name, index) => [name, PAIRS[index] as string]));
}
