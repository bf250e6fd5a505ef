/** `npm run check -- sizes`: how large is what users make of Sluice, and of what it consists. Fails where a limit is passed. */

import { runCommand } from '../src/dev/command.ts';
import { pageKiB } from './assets/size.ts';
import { type Composition, compositions } from './sizes/compositions.ts';
import { measure, type Size } from './sizes/measure.ts';

const HELP = `Usage: npm run check -- sizes [options]

Bundles each composition of scripts/sizes/compositions.ts as a deployment would, and prints its size: KiB compressed (gzip), the
most that is allowed, and the largest parts, KiB before compression. The dashboard is what a browser loads of it.

  --json   each part of each composition, in bytes
  --help   this text
`;

/** 150 KB. */
const MOST_PAGE_KIB = 146;
/** Parts that are printed of each. */
const SHOWN = 6;

interface Row {
  name: string;
  kiB: number;
  mostKiB?: number | undefined;
  /** Bytes before compression, the largest first. */
  parts: Record<string, number>;
}

await runCommand(HELP, { json: { type: 'boolean', default: false } }, async ({ json }) => {
  const rows: Row[] = [];
  // One after another: wrangler makes what the others bundle.
  for (const composition of compositions) rows.push(toRow(composition, await measure(composition)));
  rows.push({ name: 'dashboard', kiB: await pageKiB(), mostKiB: MOST_PAGE_KIB, parts: {} });
  console.log(json ? JSON.stringify(rows, undefined, 2) : rows.map(toLine).join('\n'));
  if (rows.some(isTooLarge)) process.exitCode = 1;
});

function isTooLarge({ kiB, mostKiB = Number.POSITIVE_INFINITY }: Row): boolean {
  return kiB > mostKiB;
}

function toRow({ name, mostKiB }: Composition, { gzipBytes, sources }: Size): Row {
  const parts: Record<string, number> = {};
  for (const [source, bytes] of Object.entries(sources)) {
    const part = partOf(source);
    parts[part] = (parts[part] ?? 0) + bytes;
  }
  const sorted = Object.entries(parts).toSorted(([, a], [, b]) => b - a);
  return { name, kiB: gzipBytes / 1024, mostKiB, parts: Object.fromEntries(sorted) };
}

/** A package, the scripts of storage, or the folder. */
function partOf(source: string): string {
  if (/\blua\b/.test(source)) return 'Lua';
  const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
  return name ?? source.split('/').slice(0, 2).join('/');
}

function toLine(row: Row): string {
  const shown = Object.entries(row.parts).slice(0, SHOWN);
  const made = shown.map(([part, bytes]) => `${part} ${(bytes / 1024).toFixed(1)}`).join(', ');
  const most = row.mostKiB === undefined ? '' : `of ${row.mostKiB}`;
  const size = `${row.kiB.toFixed(1).padStart(6)} ${most.padEnd(6)} KiB${isTooLarge(row) ? ' TOO LARGE' : ''}`;
  return `${row.name.padEnd(14)} ${size}  ${made}`.trimEnd();
}
