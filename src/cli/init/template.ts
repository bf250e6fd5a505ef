/** Templates: what `sluice init` writes for a platform. They are the folders of `examples/` in the repository, and stand beside the program in the package. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PackageJson } from './package-json.ts';
import type { Platform } from './platform.ts';

/** `template.json` of an example. Files that it does not name are an example of more, and are not written. */
export interface Template {
  /** Paths in the project. */
  files: string[];
  /** Files in whose place a project may have others. */
  insteadOf?: Record<string, string[]>;
  /** Added to the project's package.json. */
  package: PackageJson;
  /** Settings of this machine, which git ignores, and those of them that are made anew for each project. */
  settings: { file: string; secrets: string[] };
  /** Lines of .gitignore, that file among them. */
  ignored: string[];
  /** What to do then, a line each. */
  next: string[];
}

const PACKAGED = join(import.meta.dirname, 'templates');
const IN_REPOSITORY = join(import.meta.dirname, '../../../examples');
const ROOT = existsSync(PACKAGED) ? PACKAGED : IN_REPOSITORY;

export function readTemplate(platform: Platform): Template {
  return JSON.parse(readTemplateFile(platform, 'template.json')) as Template;
}

export function readTemplateFile(platform: Platform, path: string): string {
  return readFileSync(join(ROOT, platform, path), 'utf8');
}
