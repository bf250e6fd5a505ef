/** `sluice dead`: dead letters: look at them, put them back, delete them. */
import type { Command } from 'commander';
import type { Admin, Redriven } from '../../client/admin.ts';
import { listMessages } from '../browse.ts';
import { confirm, YES } from '../confirm.ts';
import { connect } from '../connection.ts';
import { UsageError } from '../failure.ts';
import { messageTable } from '../message-table.ts';
import { examples, whole } from '../options.ts';
import { startProgress } from '../progress.ts';
import { purgeWithProgress } from '../purge.ts';

/** Of the API, in one request; less, so that one request stays short. */
const STEP = 500;

export function addDead(program: Command): void {
  const dead = program.command('dead').description('dead letters: messages that will not be tried again');
  addList(dead);
  addRedrive(dead);
  addDelete(dead);
}

function addList(dead: Command): void {
  const command = dead
    .command('list')
    .description('dead letters of a queue with their last errors, the oldest first')
    .argument('<queue>', 'its name')
    .option('--limit <n>', 'the most to show', whole(1, 100_000), 20)
    .addHelpText('after', examples('sluice dead list reports', 'sluice dead list reports --limit 1000 --json'))
    .action(async (queue: string, { limit }: { limit: number }) => {
      const { admin, out } = connect(command);
      const messages = await listMessages(admin, queue, 'dead', limit);
      out.show({ messages }, () => messageTable(messages, 'dead', Date.now(), out));
    });
}

function addRedrive(dead: Command): void {
  const command = dead
    .command('redrive')
    .description('put dead letters back, with attempt 1')
    .argument('<queue>', 'its name')
    .argument('[ids...]', 'these')
    .option('--limit <n>', 'so many of the oldest', whole(1, 1_000_000))
    .option('--all', 'as many as there are now')
    .addHelpText('after', examples('sluice dead redrive reports 01jd3k', 'sluice dead redrive reports --all'))
    .action(async (queue: string, ids: string[], flags: { limit?: number; all?: true }) => {
      if ([ids.length > 0, flags.limit !== undefined, flags.all === true].filter(Boolean).length !== 1) {
        throw new UsageError('which ones: name ids, or --limit, or --all');
      }
      const { admin, out } = connect(command);
      const messages =
        ids.length > 0 ? await redriveThese(admin, queue, ids) : await redriveOldest(admin, queue, flags.limit);
      const count = messages.filter(({ status }) => status === 'redriven').length;
      if (count < messages.length) process.exitCode = 1;
      out.show({ messages }, () => `${count} of ${messages.length} redriven`);
    });
}

function addDelete(dead: Command): void {
  const command = dead
    .command('delete')
    .description('delete all dead letters of a queue; asks first')
    .argument('<queue>', 'its name')
    .option(...YES)
    .addHelpText('after', examples('sluice dead delete reports', 'sluice dead delete reports --yes'))
    .action(async (queue: string, flags: { yes?: true }) => {
      const { admin, out, url } = connect(command);
      const { dead: count } = await admin.queues.get(queue);
      await confirm(`Delete ${count} dead letters of ${queue} at ${url}`, flags);
      const deleted = await purgeWithProgress(() => admin.deadLetters.purge(queue), count);
      out.show({ queue, deleted }, () => `${deleted} dead letters of ${queue} deleted`);
    });
}

async function redriveThese(admin: Admin, queue: string, ids: string[]): Promise<Redriven['messages']> {
  const messages: Redriven['messages'] = [];
  for (let from = 0; from < ids.length; from += STEP) {
    const step = await admin.deadLetters.redrive(queue, { ids: ids.slice(from, from + STEP) });
    messages.push(...step.messages);
  }
  return messages;
}

/** As many as there are when it begins: those that die again meanwhile are not put back for ever. */
async function redriveOldest(
  admin: Admin,
  queue: string,
  most = Number.POSITIVE_INFINITY,
): Promise<Redriven['messages']> {
  const { dead } = await admin.queues.get(queue);
  const wanted = Math.min(most, dead);
  const messages: Redriven['messages'] = [];
  const progress = startProgress();
  while (messages.length < wanted) {
    const limit = Math.min(STEP, wanted - messages.length);
    const step = await admin.deadLetters.redrive(queue, { limit });
    messages.push(...step.messages);
    if (!step.messages.some(({ status }) => status === 'redriven')) break; // the rest cannot be: its envelopes are gone
    progress.at(`${messages.length} of ${wanted} redriven`, messages.length / wanted);
  }
  progress.end();
  return messages;
}
