/** `sluice pause`, `resume` and `purge`: a queue as a whole. */
import type { Command } from 'commander';
import { countReady, type QueueReport } from '../../client/admin.ts';
import { confirm, YES } from '../confirm.ts';
import { connect } from '../connection.ts';
import { examples, someOf, withDefault } from '../options.ts';
import { purgeWithProgress } from '../purge.ts';

const PURGED = ['ready', 'delayed', 'dead'] as const;
type PurgedState = (typeof PURGED)[number];

export function addControl(program: Command): void {
  addSwitch(program, 'pause', 'nothing of a queue is delivered any more; messages still come in');
  addSwitch(program, 'resume', 'a paused queue is delivered again');
  addPurge(program);
}

function addSwitch(program: Command, verb: 'pause' | 'resume', description: string): void {
  const command = program
    .command(verb)
    .description(description)
    .argument('<queue>', 'its name')
    .addHelpText('after', examples(`sluice ${verb} reports`))
    .action(async (queue: string) => {
      const { admin, out } = connect(command);
      const answer = await admin.queues[verb](queue);
      out.show(answer, () => `${queue} is ${answer.paused ? 'paused' : 'open'}`);
    });
}

function addPurge(program: Command): void {
  const command = program
    .command('purge')
    .description('delete the messages of a queue; those at work stay; asks first')
    .argument('<queue>', 'its name')
    .addOption(
      withDefault(
        '--state <states>',
        `some of ${PURGED.join(',')}`,
        someOf(PURGED),
        ['ready', 'delayed'],
        'ready,delayed',
      ),
    )
    .option(...YES)
    .addHelpText('after', examples('sluice purge reports', 'sluice purge reports --state ready,delayed,dead --yes'))
    .action(async (queue: string, { state: states, ...flags }: { state: PurgedState[]; yes?: true }) => {
      const { admin, out, url } = connect(command);
      const report = await admin.queues.get(queue);
      const count = states.reduce((sum, state) => sum + countOf(report, state), 0);
      const number = report.complete ? `${count}` : `more than ${count}`;
      await confirm(`Purge ${number} messages (${states.join(', ')}) of ${queue} at ${url}`, flags);
      const purged = await purgeWithProgress((from) => admin.queues.purge(queue, { states, ...from }), count);
      out.show({ queue, states, purged }, () => `${purged} messages of ${queue} purged`);
    });
}

function countOf(report: QueueReport, state: PurgedState): number {
  return state === 'ready' ? countReady(report) : report[state];
}
