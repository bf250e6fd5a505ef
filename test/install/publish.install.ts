// What `npm publish` would do: the staged folder goes as it is, and the repository, which is sources, does not.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { STAGED } from '../../scripts/package/stage.ts';
import { npm } from './support/process.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

test('the package may be published', async () => {
  await npm(['publish', '--dry-run'], STAGED);
});

test('the repository may not', async () => {
  await expect(npm(['publish', '--dry-run'], REPOSITORY)).rejects.toThrow('What is published is dist/package');
});
