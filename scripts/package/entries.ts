/**
 * The modules of the package that have a name of their own: what programs may import, by `exports` of the repository's package.json, and
 * what a platform chooses of its ways, by `imports`. Those two are the only lists.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export interface Entry {
  /** Its source, from the root of the repository. */
  source: string;
  /** Of its files in the package, without their endings. */
  name: string;
}

/** The parts of the repository's package.json of which the published one is made. */
export interface Manifest {
  name: string;
  version: string;
  /** Sources by what a program imports, such as `./client`. */
  exports: Record<string, string>;
  /** Sources by condition, by what modules import, such as `#send`. */
  imports?: Record<string, Record<string, string>>;
  dependencies: Record<string, string>;
  peerDependencies?: Record<string, string>;
  [field: string]: unknown;
}

/** The command line. It is no entry of programs. */
export const COMMAND: Entry = { source: 'src/cli/bin.ts', name: 'cli' };

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
}

export function listEntries({ exports, imports = {} }: Pick<Manifest, 'exports' | 'imports'>): Entry[] {
  const ways = new Set(Object.values(imports).flatMap((byCondition) => Object.values(byCondition)));
  return [
    ...Object.keys(exports).map((specifier) => toEntry(specifier, exports[specifier] ?? '')),
    ...[...ways].map(toWay),
    COMMAND,
  ];
}

/** `.` is the index. */
export function nameOfEntry(specifier: string): string {
  return specifier === '.' ? 'index' : specifier.slice('./'.length);
}

/** `./src/redis/fetch.ts` is redis-fetch: nobody outside names it. */
export function nameOfWay(path: string): string {
  return path.replace(/^\.\/src\/|\.ts$/g, '').replaceAll('/', '-');
}

const toEntry = (specifier: string, path: string): Entry => ({ source: sourceOf(path), name: nameOfEntry(specifier) });
const toWay = (path: string): Entry => ({ source: sourceOf(path), name: nameOfWay(path) });
const sourceOf = (path: string) => path.replace(/^\.\//, '');
