// A project of a user's: a folder outside the repository, in which nothing is but its own files and what npm installed of the tarball.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { npm } from './process.ts';

const APPS = join(import.meta.dirname, '../apps');
const REPOSITORY = join(import.meta.dirname, '../../..');

/** Programs that a user has, of the repository's own dependencies: none of them is in the project. */
export const tool = (name: string) => join(REPOSITORY, 'node_modules/.bin', name);

/** The runtimes that the package is for, of which each runs a file. */
export const runtimes = {
  /** The oldest that is promised. */
  node22: () => join(inject('installRun').folder, 'node22/node_modules/node/bin/node'),
  node24: () => join(REPOSITORY, 'node_modules/node/bin/node'),
  bun: () => tool('bun'),
  deno: () => tool('deno'),
};

export interface ProjectOptions {
  /** Folders of apps/ whose files it has. */
  apps?: string[];
  /** Packages besides this one. */
  packages?: string[];
  /** Options of npm. */
  options?: string[];
}

/** @returns its folder */
export async function createProject(name: string, { apps = [], packages = [], options = [] }: ProjectOptions = {}) {
  const { folder, tarball } = inject('installRun');
  const project = join(folder, name);
  await mkdir(project);
  for (const app of apps) await cp(join(APPS, app), project, { recursive: true });
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  await npm(['install', ...options, tarball, ...packages], project);
  return project;
}
