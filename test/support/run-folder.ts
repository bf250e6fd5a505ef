// A folder for the run of all test files, in which they share what is dear to make.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    runFolder: string;
  }
}

export default async function setUp({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-run-'));
  provide('runFolder', folder);
  process.env.NODE_COMPILE_CACHE = join(folder, 'compiled'); // for Vitest's workers, and what tests start: wrangler above all
  return () => rm(folder, { recursive: true, force: true, maxRetries: 20 }); // processes that end still write there
}
