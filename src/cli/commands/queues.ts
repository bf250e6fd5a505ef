/** `sluice queues`: all queues in a table, or one of them in detail. */
import type { Command } from 'commander';
import type { QueueReport } from '../answers.ts';
import { path } from '../api.ts';
import { allQueues } from '../browse.ts';
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
      const { api, out } = connect(command);
      if (queue === undefined) {
        const queues = await allQueues(api);
        out.show({ queues }, () => queueTable(queues, Date.now(), out));
      } else {
        const report = await api.get<QueueReport>(path`/v1/queues/${queue}`);
        out.show(report, () => queueDetail(report, Date.now(), out.paint));
      }
    });
}
