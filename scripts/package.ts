/** `npm run check -- package`: stages what is published, packs it, and judges what is in it. Linters of packages come behind it. */

import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../src/dev/command.ts';
import { ROOT } from './package/entries.ts';
import { judgeCircles, judgeContents, judgeEngineless, judgeLines, judgeSize } from './package/judge.ts';
import { packPackage } from './package/pack.ts';
import { stagePackage } from './package/stage.ts';

const HELP = `Usage: npm run check -- package

Builds the package of src/ into dist/package, as it is published, packs it into dist/sluice.tgz, and fails where it has become too
large, where a file is in it that nobody needs, where a module has a line that no terminal should show, or where an entry for programs
elsewhere loads the engine.
`;

const DIST = join(ROOT, 'dist');

await runCommand(HELP, {}, async () => {
  const chunks = await stagePackage();
  const tarball = await packPackage(DIST);
  await rename(tarball.file, join(DIST, 'sluice.tgz')); // a name without its version, for the linters
  const faults = [
    ...judgeSize(tarball),
    ...judgeContents(tarball),
    ...judgeEngineless(chunks),
    ...judgeCircles(chunks),
    ...judgeLines(chunks),
  ];
  console.log(`${(tarball.bytes / 1000).toFixed(0)} KB, ${tarball.contents.length} files`);
  for (const fault of faults) console.error(`error: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
});
