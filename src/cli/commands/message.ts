/** `sluice message`: one message by its id; or its cancellation. */
import type { Command } from 'commander';
import { confirm, YES } from '../confirm.ts';
import { connect } from '../connection.ts';
import { messageDetail } from '../message-table.ts';
import { examples } from '../options.ts';

/** What it means where the message was when it was cancelled. */
const WAS: Record<string, string> = {
  leased: 'whoever holds it may finish, nobody gets it again',
  unseen: 'it was ready or leased; if somebody holds it, it may be finished',
};

export function addMessage(program: Command): void {
  const command = program
    .command('message')
    .description('look at one message and its failures, or cancel it')
    .argument('<id>', 'as enqueue answered it')
    .option('--cancel', 'nobody gets it any more; asks first')
    .option(...YES)
    .addHelpText('after', examples('sluice message 01jd3k', 'sluice message 01jd3k --cancel --yes'))
    .action(async (id: string, flags: { cancel?: true; yes?: true }) => {
      const { admin, out, url } = connect(command);
      if (!flags.cancel) {
        const message = await admin.messages.get(id);
        return out.show(message, () => messageDetail(message, Date.now(), out.paint));
      }
      await confirm(`Cancel message ${id} at ${url}`, flags);
      const cancelled = await admin.messages.cancel(id);
      const meaning = WAS[cancelled.was];
      out.show(cancelled, () => `${id} cancelled, was ${cancelled.was}${meaning ? `: ${meaning}` : ''}`);
    });
}
