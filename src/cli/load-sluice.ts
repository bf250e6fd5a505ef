/** Loading a project's own file, and of it what createSluice returned. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as node from '../adapters/node.ts';
import { Failure, UsageError } from './failure.ts';

type Sluice = Parameters<typeof node.run<object>>[0];

export interface Loaded {
  sluice: Sluice;
  /** `sluice/node` of the package that the project uses, which may be another copy than this. */
  node: typeof node;
}

/** @throws UsageError where there is no such file, or no Sluice in it; Failure where it cannot be loaded */
export async function loadSluice(file: string): Promise<Loaded> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`there is no file ${file}`);
  const exported = (await import(pathToFileURL(path).href).catch((error: unknown) =>
    explain(error, path, file),
  )) as object;
  const found = [Reflect.get(exported, 'default'), Reflect.get(exported, 'sluice')].find(isSluice);
  if (!found) {
    const names = Object.keys(exported).join(', ') || 'nothing';
    throw new UsageError(
      `${file} has no Sluice: export what createSluice returns as default, or as "sluice"; it exports ${names}`,
    );
  }
  return { sluice: found, node: await loadNode(path) };
}

async function loadNode(path: string): Promise<typeof node> {
  let entry: string;
  try {
    entry = pathToFileURL(createRequire(path).resolve('sluice/node')).href;
  } catch {
    return import('../adapters/node.ts');
  }
  return import(entry);
}

const isSluice = (value: unknown): value is Sluice =>
  typeof value === 'object' &&
  value !== null &&
  ['fetch', 'producer'].every((name) => typeof Reflect.get(value, name) === 'function');

/** What Node says of a file that it cannot take, in words that say what to do. */
const ADVICE: Record<string, string> = {
  ERR_UNKNOWN_FILE_EXTENSION: `this is Node ${process.versions.node}, which takes TypeScript from 22.18 on: run a newer one, or compile the file`,
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX:
    'Node takes types away and writes no code: enums, namespaces and parameter properties have to be compiled',
  ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING: 'Node takes no TypeScript from node_modules: it has to be compiled',
};

/** Of a syntax error without a code. */
const AS_MODULE =
  'Node takes it for CommonJS, as package.json says: give it the ending .mts, or package.json "type": "module"';

function explain(error: unknown, path: string, file: string): never {
  const { code = '', message, stack = '' } = error as NodeJS.ErrnoException;
  const place = placeIn(stack, dirname(path));
  const where = place === undefined ? '' : ` (${place})`;
  const advice = ADVICE[code] ?? (/import statement outside a module/.test(message ?? '') ? AS_MODULE : undefined);
  throw new Failure(`cannot load ${file}: ${advice ?? message ?? String(error)}${where}`);
}

/** A syntax error has its place before the stack, and no frame there; others are of the first frame below that folder. */
function placeIn(stack: string, folder: string): string | undefined {
  const [, before] = /^(?:file:\/\/)?(\/.*:\d+)$/m.exec(stack.split('\n', 1)[0] ?? '') ?? [];
  const frames = [...stack.matchAll(/\n\s+at .*?file:\/\/(\/[^\s)]+:\d+:\d+)/g)].map(([, at = '']) => decodeURI(at));
  const own = frames.find((at) => at.startsWith(folder + sep) && !at.includes('node_modules'));
  const place = before ?? own;
  return place && relative(process.cwd(), place);
}
