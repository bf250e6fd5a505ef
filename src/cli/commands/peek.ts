/** `sluice peek`: looks at messages of a queue without touching them. */
import type { Command } from 'commander';
import { STATES, type State } from '../../client/admin.ts';
import { listMessages } from '../browse.ts';
import { connect } from '../connection.ts';
import { messageTable } from '../message-table.ts';
import { examples, oneOf, whole } from '../options.ts';

export function addPeek(program: Command): void {
  const command = program
    .command('peek')
    .description('look at messages of a queue, without taking them')
    .argument('<queue>', 'its name')
    .option('--state <state>', `${STATES.join(', ')}`, oneOf(STATES), 'ready')
    .option('--limit <n>', 'the most to show', whole(1, 100_000), 20)
    .addHelpText('after', examples('sluice peek reports', 'sluice peek reports --state delayed --limit 100 --json'))
    .action(async (queue: string, { state, limit }: { state: State; limit: number }) => {
      const { admin, out } = connect(command);
      const messages = await listMessages(admin, queue, state, limit);
      out.show({ messages }, () => messageTable(messages, state, Date.now(), out));
    });
}
