/** `sluice limit`: an operator's limits over those of a queue's definition. */
import type { Command } from 'commander';
import { connect } from '../connection.ts';
import { UsageError } from '../failure.ts';
import { examples, orNone, rate, whole } from '../options.ts';
import { queueDetail } from '../queue-table.ts';

interface Flags {
  concurrency?: number | 'none';
  rate?: { limit: number; per: number } | 'none';
}

export function addLimit(program: Command): void {
  const command = program
    .command('limit')
    .description("limit a queue, over its definition; `none` goes back to the definition's")
    .argument('<queue>', 'its name')
    .option('--concurrency <n>', 'messages in flight at once, or none', orNone(whole(1, 1_000_000)))
    .option('--rate <n/period>', 'messages in each period, such as 100/1m, or none', orNone(rate))
    .addHelpText(
      'after',
      examples('sluice limit reports --concurrency 5 --rate 100/1m', 'sluice limit reports --rate none'),
    )
    .action(async (queue: string, flags: Flags) => {
      const overrides = Object.entries(flags).map(([name, value]) => [name, value === 'none' ? null : value]);
      if (overrides.length === 0) throw new UsageError('say --concurrency, --rate, or both');
      const { admin, out } = connect(command);
      await admin.queues.override(queue, Object.fromEntries(overrides));
      const report = await admin.queues.get(queue);
      out.show(report, () => queueDetail(report, Date.now(), out.paint));
    });
}
