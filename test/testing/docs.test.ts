// docs/testing.md: its examples run as they stand, each under the runner that it is for.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** A whole Vitest, on a machine that does much else; usually it takes three seconds. */
const AT_MOST = { timeout: 90_000, killSignal: 'SIGKILL' } as const;

const run = promisify(execFile);

test('the examples of docs/testing.md do what they say', async () => {
  const blocks = [...(await readFile('docs/testing.md', 'utf8')).matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, text = '']) => text,
  );
  const [sluice = '', vitest = '', node = ''] = blocks;
  expect([vitest, node]).toEqual([
    expect.stringContaining("from 'vitest'"),
    expect.stringContaining("from 'node:test'"),
  ]);
  await mkdir('dist', { recursive: true }); // below this package.json, so that its entries are found
  const folder = await mkdtemp(join('dist', 'docs-'));
  try {
    for (const [name, text] of Object.entries({ 'sluice.ts': sluice, 'a.test.ts': vitest, 'b.ts': node }))
      await writeFile(join(folder, name), text);
    const command = ['node_modules/vitest/vitest.mjs', 'run', '--root', folder, '--maxWorkers', '1'];
    const [one, other] = await Promise.all([
      run(process.execPath, command, { ...AT_MOST, env: { ...process.env, NO_COLOR: '1' } }),
      run(process.execPath, ['--test', join(folder, 'b.ts')], AT_MOST),
    ]);
    expect([one.stdout, other.stdout]).toEqual([
      expect.stringMatching(/Tests +1 passed/),
      expect.stringContaining('pass 1'),
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 120_000);
