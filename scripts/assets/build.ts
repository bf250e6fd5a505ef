/**
 * The static files that are deployed beside the Worker: the dashboard, and the API's document and its page. They are no part
 * of the Worker's script.
 */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ASSETS } from '../../src/dev/assets.ts';
import { buildDocument } from '../../src/http/openapi/build.ts';
import { renderPage } from '../../src/http/openapi/page.ts';
import { STYLE } from '../../src/http/openapi/style.ts';
import { writeWhole } from '../whole-file.ts';
import { buildDashboard } from './dashboard.ts';
import { headerRules } from './headers.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What the files are made of, besides the document. */
const SOURCES = [
  'src/{dashboard,client,formats}/**/*',
  'src/errors.ts',
  'src/message/options.doc.ts',
  'src/http/openapi/{page,style}.ts',
  'scripts/assets/*.ts',
  'package-lock.json',
];

/** Says what the files were made of; the platform does not serve what begins with a dot and is named in .assetsignore. */
const STAMP = '.stamp';

/** Builds them where their sources changed since. Several may build at once: each file is put in its place whole. */
export async function buildAssets(): Promise<void> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const document = buildDocument(version);
  const stamp = await digestOfSources(JSON.stringify(document));
  const built = await readFile(join(ASSETS, STAMP), 'utf8').catch(() => '');
  if (built === stamp) return;
  const files: Record<string, string> = {
    ...(await buildDashboard(join(ROOT, 'src/dashboard'))),
    'openapi.json': JSON.stringify(document),
    'docs.html': renderPage(document, STYLE),
    _headers: headerRules(createHash('sha256').update(STYLE).digest('base64')),
    '.assetsignore': `${STAMP}\n`,
  };
  await mkdir(ASSETS, { recursive: true });
  for (const [name, contents] of Object.entries(files)) await writeWhole(join(ASSETS, name), contents);
  await writeWhole(join(ASSETS, STAMP), stamp); // last: it says that all are there
}

async function digestOfSources(document: string): Promise<string> {
  const digest = createHash('sha256').update(document);
  const files = globSync(SOURCES, { cwd: ROOT, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((file) => join(file.parentPath, file.name)).toSorted()) {
    digest.update(`${path.slice(ROOT.length)}\n`).update(await readFile(path));
  }
  return digest.digest('hex');
}
