/**
 * Statements as the text that is deployed: without comments, and with a letter for each local within a statement. What stands at the top
 * of a file keeps its name, and a line stays a line, so that an error of Redis can be read.
 */
import type { Statement } from './scopes.ts';
import type { Token } from './tokens.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** @param isExported its names are declared before it: see headOf */
export function printed(statement: Statement, isExported = false): string {
  const { tokens, form } = statement;
  const skipped = isExported ? 1 : 0; // the word `local`
  if (isExported && form === 'local' && !tokens.some(({ text }) => text === '=')) return '';
  let text = '';
  for (let at = skipped; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    const before = at > skipped ? tokens[at - 1] : undefined;
    text += (before ? gap(before, token) : '') + nameOf(statement, at, token);
  }
  return text;
}

function nameOf({ inner }: Statement, at: number, { text }: Token): string {
  const local = inner.get(at);
  if (!local) return text;
  const letter = LETTERS[local.depth];
  if (letter === undefined) throw new Error(`more than ${LETTERS.length} locals in one scope, such as ${local.name}`);
  return letter;
}

const isWord = ({ kind }: Token) => kind === 'name' || kind === 'keyword' || kind === 'number';

/** What has to stand between two tokens. */
function gap(before: Token, token: Token): string {
  if (before.line !== token.line) return '\n';
  if (isWord(before) && isWord(token)) return ' ';
  if (before.kind === 'number' && token.text.startsWith('.')) return ' ';
  return before.text === '-' && token.text === '-' ? ' ' : '';
}
