/** `sluice init`: writes into a project what Sluice needs there. It talks to nobody, and asks nothing. */
import type { Command } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { Failure, UsageError } from '../failure.ts';
import { PLATFORMS, type Platform } from '../init/platform.ts';
import { type InitReport, initProject } from '../init/project.ts';
import { examples } from '../options.ts';
import { openOutput } from '../output.ts';
import { settingsOf } from '../settings.ts';

type Flags = { [Name in Platform]?: true };

/** What each flag stands for, in --help. */
const MEANINGS: Record<Platform, string> = {
  workers: 'Cloudflare Workers',
  next: 'Next.js, on Vercel or anywhere',
  vercel: 'Vercel functions without a framework',
  node: 'a process of Node that stays',
  lambda: 'AWS Lambda',
  bun: 'a process of Bun that stays',
  deno: 'a process of Deno that stays',
};

const EXPLAINED = `
It writes sluice.ts with two queues, the entry of the platform, its cron, the settings of this machine with a new token, and an
example of those of the deployment; to package.json it adds what is missing. A file that is there is never overwritten: it is
named, with what to add to it. Without a flag the folder says which platform it is for.`;

const { ioredis, 'js-redis-server': redisServer } = manifest.peerDependencies;

/** Sluice itself, and what `sluice dev` runs Redis with. */
const OWN = {
  dependencies: { sluice: `^${manifest.version}` },
  devDependencies: { ioredis, 'js-redis-server': redisServer },
};

export function addInit(program: Command): void {
  const command = program.command('init').description('begin with Sluice in a project, or in an empty folder');
  for (const platform of PLATFORMS) command.option(`--${platform}`, MEANINGS[platform]);
  command
    .argument('[dir]', 'the folder of the project', '.')
    .addHelpText('after', `${EXPLAINED}\n${examples('sluice init', 'sluice init --workers my-queue')}`)
    .action(async (folder: string, flags: Flags) => {
      const asked = PLATFORMS.filter((platform) => flags[platform]);
      const report = await initProject(folder, asked, OWN).catch((error: Error) => {
        throw error instanceof UsageError ? error : new Failure(error.message); // of the file system, with the path
      });
      openOutput(settingsOf(command).json).show(report, () => describeReport(report));
    });
}

function describeReport({ folder, written, changed, left, notes, next }: InitReport): string {
  const steps = folder === '.' ? next : [`cd ${folder}`, ...next];
  return [
    ...written.map((file) => `wrote  ${file}`),
    ...changed.map(({ file, added }) => `added  to ${file}: ${added.join(', ')}`),
    ...left.map(({ file, add }) => `\nleft alone: ${file}; add this:\n\n${indented(add)}`),
    ...notes.map((note) => `\n${note}`),
    `\nNext steps:\n\n${indented(steps.join('\n'))}`,
  ].join('\n');
}

const indented = (text: string) => text.trimEnd().replaceAll(/^(?=.)/gm, '  ');
