/** `sluice top`: the queues, refreshing in place. */
import type { Command } from 'commander';
import { countReady, type QueueReport, type StatsReport } from '../../client/admin.ts';
import { listQueues } from '../browse.ts';
import { connect } from '../connection.ts';
import { examples, interval, whole, withDefault } from '../options.ts';
import { looks, untilStopped } from '../poll.ts';
import { queueTable } from '../queue-table.ts';
import { readStats } from '../stats.ts';
import type { Screen } from '../table.ts';
import { lengthOf } from '../time.ts';

interface Seen {
  at: number;
  queues: QueueReport[];
  lastHour: StatsReport['total'] | undefined;
}

/** To the upper left, and clear from there: what was above stays in the scrollback. */
const HOME = '\x1b[H\x1b[J';

export function addTop(program: Command): void {
  const command = program
    .command('top')
    .description('the queues with most to do first, refreshing in place until it is stopped')
    .addOption(withDefault('--interval <duration>', 'between two looks', interval, 2_000, '2s'))
    .option('--count <n>', 'end after so many looks', whole(1, 1_000_000))
    .addHelpText('after', examples('sluice top', 'sluice top --interval 10s', 'sluice top --count 1 --json'))
    .action(async ({ interval: intervalMs, count }: { interval: number; count?: number }) => {
      const { admin, out, url } = connect(command);
      const look = async (): Promise<Seen> => ({
        at: Date.now(),
        queues: (await listQueues(admin)).toSorted((a, b) => workOf(b) - workOf(a)),
        lastHour: (await readStats(admin))?.total,
      });
      const heading = `${url}, every ${lengthOf(intervalMs)}`;
      for await (const seen of looks(look, {
        intervalMs,
        count: count ?? Number.POSITIVE_INFINITY,
        signal: untilStopped(),
      })) {
        await out.emit(seen, () => pageOf(seen, heading, out));
      }
    });
}

function pageOf({ at, queues, lastHour }: Seen, heading: string, screen: Screen): string {
  const shown = queues.slice(0, roomFor(queues.length));
  const hidden = queues.length - shown.length;
  const more = hidden > 0 ? [`and ${hidden} more with less to do`] : [];
  const lines = [screen.paint('dim', `${heading}  ${new Date(at).toISOString()}`), queueTable(shown, at, screen)];
  return `${process.stdout.isTTY ? HOME : ''}${[...lines, ...more, ...hourOf(lastHour)].join('\n')}`;
}

function workOf(report: QueueReport): number {
  return countReady(report) + report.leased;
}

/** How many rows fit: what scrolls cannot be refreshed in place. */
function roomFor(queues: number): number {
  return process.stdout.isTTY ? Math.max(1, process.stdout.rows - 5) : queues;
}

function hourOf(total: StatsReport['total'] | undefined): string[] {
  if (!total) return [];
  const { acked, retried, dead, waitMs } = total;
  const wait = waitMs?.p50 == null ? '' : `, waited p50 ${lengthOf(waitMs.p50)} p95 ${lengthOf(waitMs.p95 ?? 0)}`;
  return [`last hour: ${acked} acked, ${retried} retried, ${dead} dead${wait}`];
}
