// What users bundle of the package is no larger than what is bundled of its sources: what they leave out is left out.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';
import { compositions } from '../../scripts/sizes/compositions.ts';
import { createProject } from './support/project.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const judged = compositions.filter(({ deployed, mostKiB }) => !deployed && mostKiB !== undefined);

let project: string;
beforeAll(async () => {
  project = await createProject('bundles');
});

test.each(judged)('$name', async ({ name, entry, mostKiB }) => {
  await cp(join(REPOSITORY, entry), join(project, `${name}.ts`));
  const { outputFiles } = await build({
    absWorkingDir: project,
    entryPoints: [`${name}.ts`],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'error',
  });
  const kiB = outputFiles.reduce((bytes, { contents }) => bytes + gzipSync(contents).length, 0) / 1024;
  expect(kiB).toBeLessThanOrEqual(mostKiB ?? 0);
});
