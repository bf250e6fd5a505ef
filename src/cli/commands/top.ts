/** `sluice top`: the queues, refreshing in place. */
import type { Command } from 'commander';
import type { QueueReport, Stats } from '../answers.ts';
import { connect } from '../connection.ts';
import { examples, interval, whole } from '../options.ts';
import { looks, untilStopped } from '../poll.ts';
import { queueTable } from '../queue-table.ts';
import { statsOf } from '../stats.ts';
import { lengthOf } from '../time.ts';

/** To the upper left, and clear from there: what was above stays in the scrollback. */
const HOME = '\x1b[H\x1b[J';

export function addTop(program: Command): void {
  const command = program
    .command('top')
    .description('the queues, refreshing in place until it is stopped')
    .option('--interval <duration>', 'between two looks', interval, 2_000)
    .option('--count <n>', 'end after so many looks', whole(1, 1_000_000), Number.POSITIVE_INFINITY)
    .addHelpText('after', examples('sluice top', 'sluice top --interval 10s', 'sluice top --count 1 --json'))
    .action(async ({ interval: intervalMs, count }: { interval: number; count: number }) => {
      const { api, out } = connect(command);
      const look = async () => ({
        at: Date.now(),
        queues: (await api.get<{ queues: QueueReport[] }>('/v1/queues')).queues,
        lastHour: (await statsOf(api))?.total,
      });
      const home = process.stdout.isTTY ? HOME : '';
      for await (const seen of looks(look, { intervalMs, count, signal: untilStopped() })) {
        await out.emit(seen, () => {
          const heading = `${api.url}  ${new Date(seen.at).toISOString()}  every ${lengthOf(intervalMs)}`;
          const lines = [out.paint('dim', heading), queueTable(seen.queues, seen.at, out.paint)];
          return `${home}${[...lines, ...hourOf(seen.lastHour)].join('\n')}`;
        });
      }
    });
}

function hourOf(total: Stats['total'] | undefined): string[] {
  if (!total) return [];
  const { acked, retried, dead, waitMs } = total;
  const wait = waitMs?.p50 == null ? '' : `, waited p50 ${lengthOf(waitMs.p50)} p95 ${lengthOf(waitMs.p95 ?? 0)}`;
  return [`last hour: ${acked} acked, ${retried} retried, ${dead} dead${wait}`];
}
