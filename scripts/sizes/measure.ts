/** How large a composition is when it is bundled, and what of it takes how much. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { buildBundle } from '../../src/dev/bundle.ts';
import type { Composition } from './compositions.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What a bundle is made of. */
export interface Size {
  text: string;
  /** All of it, compressed. */
  gzipBytes: number;
  /** What is left of each source file, not compressed: what a part takes of the compressed whole depends on its neighbours. */
  sources: Record<string, number>;
}

/** @throws Error where it does not build */
export async function measure({ entry, deployed }: Pick<Composition, 'entry' | 'deployed'>): Promise<Size> {
  const { text, metafile } = deployed ? await buildDeployed(entry) : await bundle(entry);
  return { text, gzipBytes: gzipSync(text).length, sources: sourcesIn(metafile) };
}

async function buildDeployed(entry: string) {
  const { modules, metafile } = await buildBundle(entry);
  const text = Object.values(modules).map(({ contents }) => contents);
  return { text: text.join(''), metafile };
}

/** As wrangler bundles a Worker with the settings of wrangler.toml, and a hundred times as fast. */
async function bundle(entry: string) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    loader: { '.lua': 'text' },
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'error',
  });
  return { text: outputFiles.map((file) => file.text).join(''), metafile };
}

function sourcesIn({ inputs, outputs }: Metafile): Record<string, number> {
  const sources = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const kept = sources.filter(([name, { bytesInOutput }]) => bytesInOutput > 0 && name in inputs);
  return Object.fromEntries(kept.map(([name, { bytesInOutput }]) => [name, bytesInOutput]));
}
