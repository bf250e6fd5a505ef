/** The tokens of a Lua 5.1 text, without its comments. Long brackets are not needed, and are an error. */

export interface Token {
  kind: 'name' | 'keyword' | 'number' | 'string' | 'symbol';
  text: string;
  line: number;
}

export const KEYWORDS = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
);

const TOKEN =
  /(?<skip>[ \t\r\n]+|--(?!\[=*\[)[^\n]*)|(?<name>[A-Za-z_]\w*)|(?<number>0[xX][\da-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(?<symbol>\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}[\];:,.](?!=*\[\[))/y;

/** @throws Error that says at which line something is no token of Lua 5.1 */
export function tokensOf(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) throw new Error(`${file}:${line}: this is not understood: ${text.slice(at, at + 20).split('\n')[0]}`);
    const [kind, found] = Object.entries(groups).find(([, part]) => part !== undefined) as [string, string];
    if (kind === 'name') tokens.push({ kind: KEYWORDS.has(found) ? 'keyword' : 'name', text: found, line });
    else if (kind !== 'skip') tokens.push({ kind: kind as Token['kind'], text: found, line });
    line += found.split('\n').length - 1;
  }
  return tokens;
}
