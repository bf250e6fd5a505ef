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
}

/** What a platform has itself, and what is chosen by platform when the package is used. */
const OF_PLATFORMS = [/^node:/, /^cloudflare:/, /^#/];

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
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } }, // names stay, for those who read a stack
    dts: true,
    tsconfig: 'tsconfig.json',
    // A file that a module reads stands beside it: so all of them are in one folder.
    // Types keep what they say; for bundlers the marks are kept by which they leave out what nobody uses.
    outputOptions: { chunkFileNames: '[name]-[hash].js', comments: { annotation: true, jsdoc: false, legal: false } },
    logLevel: 'warn',
    checks: { pluginTimings: false },
    report: false,
  });
  return bundles.flatMap(({ chunks }) => chunks.filter(isModule).map(toChunk));
}

type Output = Awaited<ReturnType<typeof build>>['bundles'][number]['chunks'][number];
type Module = Extract<Output, { type: 'chunk' }>;

const isModule = (output: Output): output is Module => output.type === 'chunk' && output.fileName.endsWith('.js');

function toChunk({ fileName, imports, moduleIds }: Module): Chunk {
  return { file: fileName, imports, sources: moduleIds.map((path) => relative(ROOT, path)) };
}
