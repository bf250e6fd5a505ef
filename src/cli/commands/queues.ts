/** `sluice queues`: all queues in a table, or one of them in detail. */
import type { Command } from 'commander';
import { listQueues } from '../browse.ts';
import { connect } from '../connection.ts';
import { examples } from '../options.ts';
import { queueDetail, queueTable } from '../queue-table.ts';

export function addQueues(program: Command): void {
  const command = program
    .command('queues')
    .description('the queues and what is in them, or one queue in detail')
    .argument('[queue]', 'only this one')
    .addHelpText(
      'after',
      examples('sluice queues', 'sluice queues reports', 'sluice queues --json | jq .queues[].dead'),
    )
    .action(async (queue: string | undefined) => {
      const { admin, out } = connect(command);
      if (queue === undefined) {
        const queues = await listQueues(admin);
        out.show({ queues }, () => queueTable(queues, Date.now(), out));
      } else {
        const report = await admin.queues.get(queue);
        out.show(report, () => queueDetail(report, Date.now(), out.paint));
      }
    });
}
