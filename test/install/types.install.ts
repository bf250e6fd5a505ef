// The types, as a compiler of the user's reads them: with those of one platform alone, and with every declaration checked.
import { describe, expect, test } from 'vitest';
import { run } from './support/process.ts';
import { createProject, runtimes, tool } from './support/project.ts';

const STRICT = [
  '--noEmit',
  '--strict',
  '--exactOptionalPropertyTypes',
  '--skipLibCheck',
  'false',
  '--target',
  'es2022',
  '--lib',
  'es2024',
];

const PLATFORMS: [types: string, packages: string[], file: string][] = [
  ['node', ['@types/node@24'], 'node.ts'],
  ['@cloudflare/workers-types', ['@cloudflare/workers-types@5'], 'workers.ts'],
];

const MODULES: [name: string, options: string[]][] = [
  ['nodenext', ['--module', 'nodenext']],
  ['bundler', ['--module', 'esnext', '--moduleResolution', 'bundler']],
];

describe.each(PLATFORMS)('with %s alone', (types, packages, file) => {
  test('a user’s file is clean, by either way to find modules', async () => {
    const cwd = await createProject(`types-${file}`, { apps: ['types'], packages });
    for (const [name, options] of MODULES) {
      const args = [tool('tsc'), ...STRICT, '--types', types, ...options, file];
      expect(await run({ file: runtimes.node24(), args, cwd }), name).toBe('');
    }
  });
});
