// Once for all install tests: the package as it is published, a Redis behind the service's API, and the oldest Node that is promised.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { packPackage } from '../../scripts/package/pack.ts';
import { stagePackage } from '../../scripts/package/stage.ts';
import { startEmbedded } from '../support/bench.ts';
import { npm } from './support/process.ts';

/** As `engines` of the package has it. */
const OLDEST_NODE = 'node@22.12.0';

declare module 'vitest' {
  export interface ProvidedContext {
    installRun: {
      /** Where projects are made. */
      folder: string;
      tarball: string;
      redis: { url: string; token: string };
    };
  }
}

export default async function setUp({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-install-'));
  await stagePackage();
  const { file: tarball } = await packPackage(folder);
  await installNode(join(folder, 'node22'));
  const redises = await startEmbedded();
  const { url, token } = redises.emulator;
  provide('installRun', { folder, tarball, redis: { url, token } });
  return async () => {
    await redises.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 20 }); // processes that end still write there
  };
}

async function installNode(folder: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }));
  await npm(['install', OLDEST_NODE], folder);
}
