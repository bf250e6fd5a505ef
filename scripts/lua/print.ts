/**
 * Statements as the text that is deployed: without comments, with a letter for each local within a statement, and a short name for what
 * stands at the top of a file. A line stays a line, and says where it comes from, so that an error of Redis can be read.
 */
import type { ShortNames } from './names.ts';
import type { Statement } from './scopes.ts';
import type { Token } from './tokens.ts';

/** A line that is deployed. */
export interface Line {
  text: string;
  /** Its file and its line there. */
  from: string;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** @param isExported its names are declared before it, at the head of the block of its include */
export function printed(statement: Statement, names: ShortNames, isExported = false): Line[] {
  const { file, tokens, form } = statement;
  const lines: Line[] = [];
  if (isExported && form === 'local' && !tokens.some(({ text }) => text === '=')) return lines;
  let before: Token | undefined;
  for (const [at, token] of tokens.entries()) {
    if (isExported && at === 0) continue; // the word `local`
    if (before?.line !== token.line) lines.push({ text: '', from: `${file}:${token.line}` });
    const line = lines.at(-1) as Line;
    line.text += (before && line.text !== '' ? gap(before, token) : '') + nameOf(statement, at, token, names);
    before = token;
  }
  return lines;
}

function nameOf({ inner, free }: Statement, at: number, { text }: Token, names: ShortNames): string {
  const local = inner.get(at);
  if (!local) return names.get(free.get(at) ?? '') ?? text;
  const letter = LETTERS[local.depth];
  if (letter === undefined) throw new Error(`more than ${LETTERS.length} locals in one scope, such as ${local.name}`);
  return letter;
}

const isWord = ({ kind }: Token) => kind === 'name' || kind === 'keyword' || kind === 'number';

/** What has to stand between two tokens of a line. */
function gap(before: Token, token: Token): string {
  if (isWord(before) && isWord(token)) return ' ';
  if (before.kind === 'number' && token.text.startsWith('.')) return ' ';
  return before.text === '-' && token.text === '-' ? ' ' : '';
}
