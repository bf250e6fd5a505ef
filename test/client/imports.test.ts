// The client can be copied out: at run time it needs its own files and what every runtime with fetch has.
import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { expect, test } from 'vitest';

const files = globSync('src/client/*.ts');

/** Where its imports lead, without those of types. */
function importsOf(source: string): string[] {
  const js = stripTypeScriptTypes(source);
  return [...js.matchAll(/(?:from|import) *\(? *'([^']+)'/g)].map(([, from]) => from ?? '');
}

test.each(files)('%s imports nothing but its neighbours', (file) => {
  const source = readFileSync(file, 'utf8');
  expect(importsOf(source).filter((from) => !/^\.\/[a-z-]+\.ts$/.test(from))).toEqual([]);
  expect(source).not.toMatch(/\b(process|Buffer|require)\b[.(]/);
});

test('the rule itself sees what is wrong', () => {
  const source = "import { x } from '../errors.ts';\nimport type { Y } from '../y.ts';\nimport z from 'zod';\nx(z);";
  expect(importsOf(source)).toEqual(['../errors.ts', 'zod']);
});
