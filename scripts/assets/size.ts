/** How large the dashboard is: what a browser that opens it has to load. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ASSETS } from '../../src/dev/assets.ts';

const LOADED = ['index.html', 'dashboard.js', 'dashboard.css', 'dashboard.svg'];

/** Compressed, KiB. */
export async function pageKiB(): Promise<number> {
  const files = await Promise.all(LOADED.map((name) => readFile(join(ASSETS, name))));
  return files.reduce((bytes, file) => bytes + gzipSync(file).length, 0) / 1024;
}
