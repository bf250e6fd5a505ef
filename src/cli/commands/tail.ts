/** `sluice tail`: what changes, a line for each queue in which something did. */
import type { Command } from 'commander';
import { listQueues } from '../browse.ts';
import { type Change, changesOf, type Snapshot } from '../changes.ts';
import { connect } from '../connection.ts';
import { examples, interval, whole, withDefault } from '../options.ts';
import { looks, untilStopped } from '../poll.ts';
import { readStats } from '../stats.ts';
import { lengthOf } from '../time.ts';
import { visible } from '../visible.ts';

export function addTail(program: Command): void {
  const command = program
    .command('tail')
    .description('what changes in the queues, line by line until it is stopped')
    .option('--queue <queue>', 'only this one')
    .addOption(withDefault('--interval <duration>', 'between two looks', interval, 2_000, '2s'))
    .option('--count <n>', 'end after so many looks', whole(1, 1_000_000))
    .addHelpText(
      'after',
      examples('sluice tail', 'sluice tail --queue reports --interval 500ms', 'sluice tail --json | jq .change'),
    )
    .action(async ({ queue, interval: intervalMs, count }: { queue?: string; interval: number; count?: number }) => {
      const { admin, out } = connect(command);
      const between = queue === undefined ? 'shows in "ended" only' : 'does not show';
      out.say(`looking every ${lengthOf(intervalMs)}; what comes and goes between two looks ${between}`);
      const look = async (): Promise<Snapshot> => {
        const queues = await listQueues(admin);
        const shown = queue === undefined ? queues : queues.filter((report) => report.queue === queue);
        return {
          at: Date.now(),
          queues: shown,
          points: queue === undefined ? (await readStats(admin))?.points : undefined,
        };
      };
      let before: Snapshot | undefined;
      for await (const now of looks(look, {
        intervalMs,
        count: count ?? Number.POSITIVE_INFINITY,
        signal: untilStopped(),
      })) {
        for (const change of before ? changesOf(before, now) : []) await out.emit(change, () => lineOf(change));
        before = now;
      }
    });
}

function lineOf({ at, queue, change, now }: Change): string {
  const time = new Date(at).toISOString().slice(11, 19);
  const parts = Object.entries(change).map(([name, by]) => {
    if (name === 'paused') return by > 0 ? 'paused' : 'resumed';
    const total = now?.[name];
    return `${name} ${by > 0 ? '+' : ''}${by}${total === undefined ? '' : ` (${total})`}`;
  });
  return visible(`${time}  ${queue ?? 'ended'}  ${parts.join('  ')}`);
}
