// In the shape of AWS Lambda: one bundle without node_modules, as deployment tools make it, in either form of modules.
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Format } from 'esbuild';
import { describe } from 'vitest';
import { testMainJob } from './support/main-job.ts';
import { freePort, startServer } from './support/process.ts';
import { createProject, runtimes } from './support/project.ts';

const BUNDLES: [format: Format, name: string][] = [
  ['cjs', 'lambda.cjs'],
  ['esm', 'lambda.mjs'],
];

describe.each(BUNDLES)('a bundle in the form %s', (format, name) => {
  testMainJob(async (env) => {
    const project = await createProject(`lambda-${format}`, { apps: ['shared', 'lambda'] });
    const cwd = join(project, 'deployed');
    await mkdir(cwd);
    const outfile = join(cwd, name);
    const entryPoints = [join(project, 'lambda.js')];
    await build({ entryPoints, outfile, format, bundle: true, minify: true, platform: 'node', target: 'node22' });
    await cp(join(project, 'host.js'), join(cwd, 'host.mjs'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const settings = { ...env, PORT: String(port), BUNDLE: outfile };
    const server = await startServer(
      { file: runtimes.node22(), args: ['host.mjs'], cwd, env: settings },
      `${url}/health`,
    );
    return { url, server, cron: () => fetch(`${url}/-/scheduler`) };
  });
});
