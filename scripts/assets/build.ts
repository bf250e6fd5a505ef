/**
 * The static files that are deployed beside the Worker: the dashboard, and the API's document and its page. They are no part
 * of the Worker's script.
 */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenApi } from '../../src/http/openapi/document.ts';
import { renderPage } from '../../src/http/openapi/page.ts';
import { STYLE } from '../../src/http/openapi/style.ts';
import { writeWhole } from '../whole-file.ts';
import { buildDashboard } from './dashboard.ts';
import { headerRules } from './headers.ts';

const ROOT = join(import.meta.dirname, '../..');

/** As wrangler.toml names it. */
export const ASSETS = join(ROOT, 'dist/assets');

/** All that the files are made of. */
const SOURCES = [
  'src/dashboard/**/*',
  'src/http/openapi/{page,style}.ts',
  'scripts/assets/*.ts',
  'functions/openapi.json',
  'package-lock.json',
];

/** Says what the files were made of; the platform does not serve what begins with a dot and is named in .assetsignore. */
const STAMP = '.stamp';

/** Builds them where their sources changed since. Several may build at once: each file is put in its place whole. */
export async function buildAssets(): Promise<void> {
  const stamp = await digestOfSources();
  const built = await readFile(join(ASSETS, STAMP), 'utf8').catch(() => '');
  if (built === stamp) return;
  const document = await readFile(join(ROOT, 'functions/openapi.json'), 'utf8');
  const files: Record<string, string> = {
    ...(await buildDashboard(join(ROOT, 'src/dashboard'))),
    'openapi.json': JSON.stringify(JSON.parse(document)),
    'docs.html': renderPage(JSON.parse(document) as OpenApi, STYLE),
    _headers: headerRules(createHash('sha256').update(STYLE).digest('base64')),
    '.assetsignore': `${STAMP}\n`,
  };
  await mkdir(ASSETS, { recursive: true });
  for (const [name, contents] of Object.entries(files)) await writeWhole(join(ASSETS, name), contents);
  await writeWhole(join(ASSETS, STAMP), stamp); // last: it says that all are there
}

async function digestOfSources(): Promise<string> {
  const digest = createHash('sha256');
  const files = globSync(SOURCES, { cwd: ROOT, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((file) => join(file.parentPath, file.name)).toSorted()) {
    digest.update(`${path.slice(ROOT.length)}\n`).update(await readFile(path));
  }
  return digest.digest('hex');
}
