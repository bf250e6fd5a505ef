// One kind of statement that a Lua written in Go compiles wrongly: scripts have none of it.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** `a, b = …` of names that are there, one line each: what is declared by it is compiled rightly, and so are fields of tables. */
const ASSIGNMENT = /^\s*(?!local )([a-z_]\w*(?:, [\w.]+)+|[\w.]+(?:, [\w.]+)*, [a-z_]\w*(?:, [\w.]+)*) = (.+)$/gm;

/** The expressions of a list. */
function partsOf(list: string): string[] {
  let depth = 0;
  return list
    .replace(/[([{]|[)\]}]|,/g, (sign) => {
      if ('([{'.includes(sign)) depth += 1;
      else if (sign !== ',') depth -= 1;
      return sign === ',' && depth === 0 ? '\n' : sign;
    })
    .split('\n');
}

const isWrong = (targets: string, list: string) =>
  targets.split(', ').some((target) => !target.includes('.')) &&
  partsOf(list)
    .slice(0, -1)
    .some((part) => /\w\(/.test(part));

const findWrong = (text: string) =>
  [...text.matchAll(ASSIGNMENT)]
    .filter(([, targets = '', list = '']) => isWrong(targets, list))
    .map(([line]) => line.trim());

// gopher-lua writes the result of the call over the function's first variable: `a` of `function (a) … k, n = f(k), n + 1 end`.
test.each(globSync('src/redis/lua/**/*.lua'))(
  '%s assigns no call to one of several names at once, but as the last',
  (file) => {
    expect(findWrong(readFileSync(file, 'utf8'))).toEqual([]);
  },
);

test.each([
  ['k, n = f(k), n + 1', 1],
  ['  t.k, n = f(k), g(n)', 1],
  ['n, k = n + 1, f(k, n)', 0],
  ['local k, n = f(k), 1', 0],
  ['t.k, t.n = f(k), 1', 0],
  ["k, n = k and (n or '0'), f(n)", 0],
])('of %j it finds %i', (line, count) => {
  expect(findWrong(line)).toHaveLength(count);
});
