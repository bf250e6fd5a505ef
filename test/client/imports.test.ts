// The client stands alone: at run time it needs its own files, the errors, the formats, and what every runtime with fetch has.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { importsOf, reachedFrom } from '../support/imports.ts';

const reached = reachedFrom(globSync('src/client/**/*.ts'));

test('it reaches no package, and nothing of the library but the errors and the formats', () => {
  expect(reached.filter((path) => !/^src\/(client|formats)\/[a-z/-]+\.ts$|^src\/errors\.ts$/.test(path))).toEqual([]);
});

test.each(reached)('%s uses nothing of one runtime', (file) => {
  expect(readFileSync(file, 'utf8')).not.toMatch(/\b(process|Buffer|require)\b[.(]/);
});

test('the rule itself sees what is wrong', () => {
  const source = "import { x } from '../errors.ts';\nimport type { Y } from '../y.ts';\nimport z from 'zod';\nx(z);";
  expect(importsOf(source)).toEqual(['../errors.ts', 'zod']);
});
