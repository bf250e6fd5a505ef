// `npm run check -- install`: the package as it is published, in projects outside the repository, on every platform that runs here.
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  test: {
    include: ['test/install/*.install.ts'],
    globalSetup: ['test/install/setup.ts'],
    maxWorkers: 2, // what they start needs the cores
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
