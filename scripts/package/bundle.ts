/** Builds the modules and types of the package from its sources: a file for each entry, and what several entries share in files of its own. */
import { relative } from 'node:path';
import { build } from 'tsdown';
import { type Entry, type Manifest, ROOT } from './entries.ts';

/** A built module. */
export interface Chunk {
  file: string;
  /** Built modules that it imports at once; those that it imports when they are asked for are left out. */
  imports: string[];
  /** The sources that are in it, from the root of the repository. */
  sources: string[];
  code: string;
}

/** What a platform has itself, and what is chosen by platform when the package is used. */
const OF_PLATFORMS = [/^node:/, /^cloudflare:/, /^#/];

/**
 * Local names get short; names that stacks of errors show stay. So do blanks and the ends of lines, and statements stay apart: of an
 * error that nobody catches, Node prints the line where it was thrown.
 */
const MINIFY = {
  compress: { sequences: false, joinVars: false },
  mangle: { toplevel: false, keepNames: true },
  codegen: { removeWhitespace: false },
};

/**
 * @param folder where the files go, and nothing else is
 * @throws Error where it does not build, or would import a package that is no dependency
 */
export async function buildModules(entries: Entry[], manifest: Manifest, folder: string): Promise<Chunk[]> {
  const packages = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const { bundles } = await build({
    cwd: ROOT,
    config: false,
    entry: Object.fromEntries(entries.map(({ name, source }) => [name, source])),
    outDir: folder,
    format: 'esm',
    platform: 'neutral',
    target: 'es2024',
    deps: { neverBundle: OF_PLATFORMS, onlyBundle: [], onlyImport: [...packages, ...OF_PLATFORMS] },
    dts: true,
    tsconfig: 'tsconfig.json',
    // A file that a module reads stands beside it: so all of them are in one folder.
    // Types keep what they say; for bundlers the marks are kept by which they leave out what nobody uses.
    inputOptions: { preserveEntrySignatures: 'allow-extension' }, // as parts need it
    outputOptions: {
      chunkFileNames: '[name]-[hash].js',
      comments: { annotation: true, jsdoc: false, legal: false },
      codeSplitting: { groups: [{ name: nameOfPart }], includeDependenciesRecursively: false },
    },
    minify: MINIFY,
    logLevel: 'warn',
    checks: { pluginTimings: false },
    report: false,
  });
  return bundles.flatMap(({ chunks }) => chunks.filter(isModule).map(toChunk));
}

/**
 * Sources that are files of their own in the package. What a deployment may do without is: bundlers of users leave out files that
 * nobody needs, and little of a file. What nearly everybody needs is one file: each more of them is half a millisecond of a cold start.
 */
const PARTS: [sources: RegExp, name: string][] = [
  [/\/src\/http\/v1\/([\w-]+)/, 'v1-$1'],
  [/\/src\/(schedules|topics|rings|stats|webhooks|telemetry)\//, '$1'],
  [
    /\/src\/(?:shards\/(?:admin|change-map|counts|evacuate|features|groups|next-map|sending|tend|things|verify)|engine\/shard-admin)\./,
    'v1-shards',
  ],
  [/\/src\/shards\/measure\./, 'v1-metrics'],
  [/\/src\/http\/(?!functions\.)/, 'http'], // else it would be with the entry, which imports all resources
  [/\/src\/(?:errors|log|runtime|formats\/(?:bytes|digest|duration|json|thrown)\.)/, 'basics'],
];

/** @returns null where the bundler decides: by which entries need it */
function nameOfPart(path: string): string | null {
  if (path.endsWith('.d.ts')) return null; // types are made of those, and of nothing else
  const [sources, name = ''] = PARTS.find(([pattern]) => pattern.test(path)) ?? [];
  return sources ? name.replace('$1', sources.exec(path)?.[1] ?? '') : null;
}

type Output = Awaited<ReturnType<typeof build>>['bundles'][number]['chunks'][number];
type Module = Extract<Output, { type: 'chunk' }>;

const isModule = (output: Output): output is Module => output.type === 'chunk' && output.fileName.endsWith('.js');

function toChunk({ fileName, imports, moduleIds, code }: Module): Chunk {
  return { file: fileName, imports, sources: moduleIds.map((path) => relative(ROOT, path)), code };
}
