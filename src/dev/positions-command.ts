/** `npx node src/dev/positions-command.ts`: where the stack of a deployment leads to in these files. */
import { text } from 'node:stream/consumers';
import { buildBundle } from './bundle.ts';
import { runCommand } from './command.ts';
import { positionsIn } from './positions.ts';

const HELP = `Usage: npx node src/dev/positions-command.ts [options] < stack

Reads a stack that was kept with a message of a deployment (sluice message ID), and prints it with the files and lines of this
checkout, which has to be what is deployed.

  --help        this text
`;

await runCommand(HELP, {}, async () => {
  const [stack, bundle] = await Promise.all([text(process.stdin), buildBundle()]);
  process.stdout.write(positionsIn(bundle)(stack));
});
