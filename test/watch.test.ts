// Watching folders whose files and folders come and go while they are looked at.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { watchFolders } from '../src/dev/watch.ts';
import { eventually } from './support/worker.ts';

const root = await mkdtemp(join(tmpdir(), 'sluice-watch-'));
afterAll(() => rm(root, { recursive: true, force: true }));

// Another process has to do it: what this one does itself is over before it looks.
const CHURN = `for i in $(seq 1 300); do echo x > new$i; mv new$i file; mkdir -p folder$i/deep; rm -r folder$i; done`;

test('goes on where what it looks at has just gone, and sees what is saved in a new folder', async () => {
  let told = 0;
  const watcher = watchFolders([root], async () => {
    told += 1;
  });
  await promisify(execFile)('bash', ['-c', CHURN], { cwd: root });
  await eventually('it told of the churn', () => told > 0);
  let before = told;
  await mkdir(join(root, 'a/b'), { recursive: true });
  await eventually('it told of the folder', () => told > before);
  before = told;
  await writeFile(join(root, 'a/b/file'), 'saved');
  await eventually('it told of the file in it', () => told > before);
  watcher.stop();
  expect(told).toBeGreaterThanOrEqual(3);
});
