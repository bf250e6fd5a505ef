/** What files of the library need at run time: their imports, and those of these, without imports of types. */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, normalize } from 'node:path';

/** Where the imports of a source lead, without those of types. */
export function importsOf(source: string): string[] {
  const js = stripTypeScriptTypes(source).replaceAll(/\/\*\*.*?\*\//gs, ''); // examples in docstrings import too
  return [...js.matchAll(/(?:from|import) *\(? *'([^']+)'/g)].map(([, from]) => from ?? '');
}

/** All that these files need at run time, themselves included; packages by their names. */
export function reachedFrom(files: string[]): string[] {
  const reached = new Set(files);
  for (const file of reached) {
    if (!file.endsWith('.ts')) continue;
    for (const from of importsOf(readFileSync(file, 'utf8'))) {
      reached.add(from.startsWith('.') ? normalize(join(dirname(file), from)) : from);
    }
  }
  return [...reached];
}
