/** `sluice bench`: how fast a deployment is, by a bounded number of messages of its own. */
import type { Command } from 'commander';
import { countReady, type QueueReport } from '../../client/admin.ts';
import type { Figures } from '../bench/figures.ts';
import { measure } from '../bench/measure.ts';
import { type Connection, connect } from '../connection.ts';
import { Failure, UsageError } from '../failure.ts';
import { jsonOf } from '../json.ts';
import { duration, examples, whole, withDefault } from '../options.ts';
import { isLoopback } from '../settings.ts';
import { listOf, type Paint } from '../table.ts';

interface Flags {
  queue: string;
  count: number;
  batch: number;
  body: string;
  timeout: number;
  yes?: true;
}

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('enqueue messages, have them delivered, and measure both')
    .requiredOption('--queue <queue>', 'an empty queue; what it delivers is really delivered')
    .option('--count <n>', 'messages', whole(1, 100_000), 1_000)
    .option('--batch <n>', 'messages in one request', whole(1, 1_000), 100)
    .option('--body <json>', 'what the queue takes', '{}')
    .addOption(withDefault('--timeout <duration>', 'give up after it', duration, 60_000, '1m'))
    .option('--yes', 'also where the deployment is not on this machine')
    .addHelpText('after', examples('sluice bench --queue reports', 'sluice bench --queue reports --count 10000 --json'))
    .action(async (flags: Flags) => {
      const connection = connect(command);
      if (!flags.yes && !isLoopback(connection.url)) {
        throw new UsageError(
          `${connection.url} is not on this machine: messages and commands there may cost; say --yes`,
        );
      }
      const body = jsonOf(flags.body, '--body');
      const { kind } = await emptyQueue(connection, flags.queue);
      const figures = await measure(connection, { ...flags, body, kind, timeoutMs: flags.timeout });
      connection.out.show(figures, () => listing(figures, connection.out.paint));
    });
}

/** What others put there would be measured too, and on a pull queue taken from them. */
async function emptyQueue({ admin }: Connection, queue: string): Promise<QueueReport> {
  const report = await admin.queues.get(queue);
  if (report.paused) throw new Failure(`${queue} is paused`);
  const held = countReady(report) + report.delayed + report.leased;
  if (held > 0) throw new Failure(`${queue} holds ${held} messages: bench takes an empty queue`);
  return report;
}

function listing({ queue, count, enqueue, delivery }: Figures, paint: Paint): string {
  const { requestMs } = enqueue;
  const wait = delivery.waitMs;
  return listOf(
    [
      ['queue', queue],
      ['messages', count],
      ['enqueued', `${enqueue.perSecond} a second, a request p50 ${requestMs.p50} ms p95 ${requestMs.p95} ms`],
      ['delivered', `${delivery.perSecond} a second, the last ${delivery.ms} ms after the first enqueue began`],
      ['wait', wait && `p50 ${wait.p50} ms p95 ${wait.p95} ms, from the enqueue's answer to the receive`],
    ],
    paint,
  );
}
