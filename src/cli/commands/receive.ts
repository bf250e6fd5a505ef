/** `sluice receive`: messages of pull queues, printed, and given back or acked. */
import type { Command } from 'commander';
import type { ReceivedMessage, Settlement } from '../../client/index.ts';
import { type Connection, connect } from '../connection.ts';
import { UsageError } from '../failure.ts';
import { duration, examples, whole, withDefault } from '../options.ts';
import type { Output } from '../output.ts';
import { untilStopped } from '../poll.ts';
import { visible } from '../visible.ts';

interface Flags {
  max: number;
  visibility: number;
  ack?: true;
  follow?: true;
  count?: number;
}

export function addReceive(program: Command): void {
  const command = program
    .command('receive')
    .description('take messages of pull queues, print them, and give them back or ack them')
    .argument('<queues...>', 'their names; the first comes first')
    .option('--ack', 'they are done once they are printed; without it they are given back untouched')
    .option('--follow', 'stay and go on receiving, until it is stopped; takes --ack')
    .option('--count <n>', 'with --follow: end after so many', whole(1, 1_000_000_000))
    .option('--max <n>', 'the most at once', whole(1, 100), 10)
    .addOption(
      withDefault(
        '--visibility <duration>',
        'how soon others get them where this command dies',
        duration,
        30_000,
        '30s',
      ),
    )
    .addHelpText(
      'after',
      examples(
        'sluice receive reports',
        'sluice receive reports --ack --json > reports.ndjson',
        'sluice receive urgent reports --follow --ack',
      ),
    )
    .action(async (queues: string[], flags: Flags) => {
      if (flags.follow && !flags.ack) {
        throw new UsageError('--follow takes --ack: what is given back would come again at once');
      }
      const connection = connect(command);
      if (flags.follow) await follow(connection, queues, flags);
      else await once(connection, queues, flags);
    });
}

async function once({ client, out }: Connection, queues: string[], { max, visibility, ack }: Flags): Promise<void> {
  const lease = await client.receive(queues, { max, visibility });
  const settlements: Settlement[] = [];
  for (let { messages } = lease; ; ) {
    for (const message of messages) await print(out, message);
    settlements.push(
      ...messages.map(({ id, attempt }) => ({ id, attempt, outcome: ack ? 'ack' : 'release' }) as const),
    );
    const left = max - settlements.length;
    if (!lease.hasMore || left <= 0) break; // large messages come in several answers
    messages = await lease.settleAndReceive([], { max: left, visibility });
  }
  const received = settlements.length;
  if (received > 0) await lease.settle(settlements);
  out.say(`${received} received${received > 0 ? `, ${ack ? 'acked' : 'given back'}` : ''}`);
}

async function follow({ client, out }: Connection, queues: string[], flags: Flags): Promise<void> {
  const { max, visibility, count = Number.POSITIVE_INFINITY } = flags;
  const enough = new AbortController();
  let received = 0;
  const handler = async (message: ReceivedMessage) => {
    await print(out, message); // a message that cannot be printed comes again
    received += 1;
    if (received >= count) enough.abort();
  };
  const signal = AbortSignal.any([untilStopped(), enough.signal]);
  const onError = (error: unknown) => out.say(`will try again: ${error instanceof Error ? error.message : 'failed'}`);
  await client.consume(queues, handler, { signal, concurrency: 1, max: Math.min(max, count), visibility, onError });
  out.say(`${received} received, acked`);
}

function print(out: Output, message: ReceivedMessage): Promise<void> {
  const { id, queue, priority, group, attempt, body } = message;
  const place = group === undefined ? queue : `${queue}/${group}`;
  return out.emit(message, () => visible(`${id}  ${priority}:${place}  attempt ${attempt}  ${JSON.stringify(body)}`));
}
