/** Writes a template into a folder. What is there already is never overwritten: it is named, with what to add to it. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { newSecret } from '../new-token.ts';
import { examineWorker } from './existing-worker.ts';
import { chooseModules, renameToMts } from './modules.ts';
import { DASHBOARD_LEFT_OUT, noteModules, noteServer } from './notes.ts';
import { joinParts, mergePackageJson, type PackageJson, parsePackageJson } from './package-json.ts';
import { choosePlatform, type Platform } from './platform.ts';
import { writeSteps } from './steps.ts';
import { readTemplate, readTemplateFile, type Template } from './template.ts';

export interface InitReport {
  platform: Platform;
  folder: string;
  /** Files that are new, by their paths in the folder. */
  written: string[];
  /** Files that were there, and what was added to each. */
  changed: { file: string; added: string[] }[];
  /** Files that were there and stay as they are, and what has to stand in them. */
  left: { file: string; add: string }[];
  /** What else there is to know, a sentence each. */
  notes: string[];
  /** What to do then, a line each. */
  next: string[];
}

/**
 * @param asked platforms by flags; none: the folder says it
 * @param own what a project on any platform gets into its package.json
 * @throws UsageError where the platform is not one, or package.json is none: nothing was written
 */
export async function initProject(folder: string, asked: Platform[], own: PackageJson): Promise<InitReport> {
  const text = readIfThere(join(folder, 'package.json'));
  const manifest = text === undefined ? undefined : parsePackageJson(text);
  const platform = choosePlatform(asked, folder, manifest ?? {});
  const template = readTemplate(platform);
  const report: InitReport = { platform, folder, written: [], changed: [], left: [], notes: [], next: [] };
  const kind = chooseModules(folder, platform, manifest);
  const named = (words: string) => (kind === 'mts' ? renameToMts(words, template.files) : words);
  await mkdir(folder, { recursive: true });
  const type = kind === 'module' ? { type: kind } : {};
  const wanted = { ...joinParts(own, JSON.parse(named(JSON.stringify(template.package)))), ...type };
  const taken = await addPackages(report, text, wanted);
  report.notes.push(...noteModules(kind, manifest), ...noteServer(platform, manifest));
  report.next = writeSteps(template.next.map(named), taken);
  await addFiles(report, template, named);
  await addSettings(report, template);
  await addIgnored(report, template.ignored);
  return report;
}

async function addFiles(report: InitReport, template: Template, named: (words: string) => string): Promise<void> {
  const { platform, folder } = report;
  const worker = platform === 'workers' ? examineWorker(folder) : undefined;
  for (const file of template.files) {
    const text = named(readTemplateFile(platform, file));
    const present = template.insteadOf?.[file]?.find((name) => existsSync(join(folder, name)));
    const other = worker?.instead.get(file) ?? (present === undefined ? undefined : { file: present, add: text });
    if (other === undefined) await writeNew(report, placeOf(named(file), report), text);
    else if (other.add !== '') report.left.push(other);
  }
  if (worker?.hasDashboard !== false) return;
  report.notes.push(DASHBOARD_LEFT_OUT);
  report.next = report.next.map((step) => step.replace(/open (http:\S+) with/, 'its API is $1/v1, with'));
}

/** Next.js takes its folders from `src/` or from beside it, not from both. */
function placeOf(file: string, { platform, folder }: InitReport): string {
  const isCode = file === 'sluice.ts' || file.startsWith('app/');
  const isInSource = ['src/app', 'src/pages'].some((path) => existsSync(join(folder, path)));
  return platform === 'next' && isCode && isInSource ? `src/${file}` : file;
}

async function writeNew(report: InitReport, file: string, text: string, mode = 0o666): Promise<void> {
  const path = join(report.folder, file);
  await mkdir(dirname(path), { recursive: true });
  const isNew = await writeFile(path, text, { flag: 'wx', mode }).then(() => true, isThere);
  if (isNew) report.written.push(file);
  else if (readIfThere(path) !== text) report.left.push({ file, add: text });
}

/** @throws what went wrong, where it is something else */
function isThere(error: NodeJS.ErrnoException): false {
  if (error.code === 'EEXIST') return false;
  throw error;
}

/** @returns undefined where there is no file that could be read */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @returns the scripts whose names are taken */
async function addPackages(
  report: InitReport,
  manifest: string | undefined,
  wanted: PackageJson,
): Promise<Record<string, string>> {
  const { text, added, taken } = mergePackageJson(manifest ?? newManifest(report.folder), wanted);
  if (added.length > 0) await writeFile(join(report.folder, 'package.json'), text);
  if (manifest === undefined) report.written.push('package.json');
  else if (added.length > 0) report.changed.push({ file: 'package.json', added });
  return taken;
}

function newManifest(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '');
  return JSON.stringify({ name: name || 'app', private: true, type: 'module' });
}

/** What else the project needs on this machine, `sluice dev` adds, and all that is missing in a file that is there. */
async function addSettings(report: InitReport, { settings: { file, secrets } }: Template): Promise<void> {
  const before = readIfThere(join(report.folder, file)) ?? '';
  const missing = secrets.filter((name) => !new RegExp(`^\\s*(export\\s+)?${name}\\s*=`, 'm').test(before));
  if (missing.length === 0) return;
  if (existsSync(join(report.folder, file))) {
    report.notes.push(`${file} has no ${missing.join(' and no ')}: \`npx sluice dev\` adds what is missing there.`);
  } else {
    await writeNew(report, file, missing.map((name) => `${name}=${newSecret()}\n`).join(''), 0o600);
  }
}

/** The one file to whose end something is added. */
async function addIgnored(report: InitReport, names: string[]): Promise<void> {
  const path = join(report.folder, '.gitignore');
  const before = readIfThere(path);
  const added = names.filter((name) => !isIgnored(name, before ?? ''));
  if (added.length === 0) return;
  const gap = before === undefined || before === '' || before.endsWith('\n') ? '' : '\n';
  await writeFile(path, `${before ?? ''}${gap}${added.join('\n')}\n`);
  if (before === undefined) report.written.push('.gitignore');
  else report.changed.push({ file: '.gitignore', added });
}

/** What holds secrets: a file, so that no line for folders is about it. */
const SECRET = /^\.env|\.vars$/;

/** By the forms that such lines mostly have; one more line does no harm, and is the last, which counts. */
function isIgnored(name: string, lines: string): boolean {
  const patterns = lines.split('\n').map((line) => {
    const pattern = line.trim().replace(/^(!?)\//, '$1');
    return SECRET.test(name) ? pattern : pattern.replace(/\/$/, '');
  });
  const isAbout = (pattern: string) =>
    pattern.endsWith('*') ? pattern !== '*' && name.startsWith(pattern.slice(0, -1)) : pattern === name;
  return patterns.some(isAbout) && !patterns.some((pattern) => pattern.startsWith('!') && isAbout(pattern.slice(1)));
}
