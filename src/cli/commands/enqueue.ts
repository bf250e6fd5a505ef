/** `sluice enqueue`: one message from the argument, a file or stdin; or many, a line each. */
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import { connect } from '../connection.ts';
import { enqueueLines } from '../enqueue-lines.ts';
import { UsageError } from '../failure.ts';
import { decoded, jsonOf } from '../json.ts';
import { addMessageOptions, messageOptions } from '../message-options.ts';
import { examples, whole } from '../options.ts';

interface Flags {
  file?: string;
  text?: true;
  batch?: true;
  batchSize: number;
  idempotencyKey?: string;
}

export function addEnqueue(program: Command): void {
  const command = program
    .command('enqueue')
    .description('put a message into a queue, or many from lines of JSON')
    .argument('[queue]', 'its name; with --batch, of the lines that name none')
    .argument('[body]', 'JSON; without it and without --file, stdin is the body')
    .option('--file <path>', 'read the body, or the lines of a batch, from a file')
    .option('--text', 'the body is text, not JSON')
    .option('--batch', 'each line of stdin or of the file is a message: {"body", "queue"?, "priority"?, "delay"?, …}')
    .option('--batch-size <n>', 'messages in one request, all or none of them', whole(1, 1_000), 500);
  addMessageOptions(command)
    .option('--idempotency-key <key>', 'repeated within a day with the same key, it enqueues nothing new')
    .addHelpText(
      'after',
      examples(
        `sluice enqueue reports '{"month": "2026-10"}' --delay 10m --group acme`,
        'sluice enqueue notes --text < note.txt',
        'sluice enqueue --batch --idempotency-key import-7 < messages.ndjson',
      ),
    )
    .action(async (queue: string | undefined, body: string | undefined, flags: Flags) => {
      if (flags.batch) await enqueueMany(command, queue, body, flags);
      else await enqueueOne(command, queue, body, flags);
    });
}

async function enqueueOne(command: Command, queue: string | undefined, body: string | undefined, flags: Flags) {
  if (queue === undefined) throw new UsageError('no queue: sluice enqueue <queue> [body]');
  const { client, out } = connect(command);
  const text = await given(body, flags.file);
  const content = flags.text ? text : jsonOf(text, 'the body (without --text)');
  const { idempotencyKey } = flags;
  const named = idempotencyKey === undefined ? {} : { idempotencyKey };
  const receipt = await client.enqueue(queue, content, { ...messageOptions(flags), ...named });
  out.show(receipt, () => `${receipt.id}  ${receipt.state}`);
}

async function enqueueMany(command: Command, queue: string | undefined, body: string | undefined, flags: Flags) {
  if (body !== undefined) throw new UsageError('a batch is read from stdin or --file, not from an argument');
  if (flags.file === undefined) refuseTerminal();
  const { client, out } = connect(command);
  const { file, batchSize: size, idempotencyKey: key } = flags;
  const defaults = { ...(queue === undefined ? {} : { queue }), ...messageOptions(flags) };
  const result = await enqueueLines(client, { file, size, key, defaults });
  out.show(result, () => `${result.enqueued} enqueued, ${result.duplicates} duplicates`);
}

async function given(body: string | undefined, file: string | undefined): Promise<string> {
  if (body !== undefined && file !== undefined) throw new UsageError('a body and a --file: which one?');
  if (body !== undefined) return body;
  if (file !== undefined) {
    const bytes = await readFile(file).catch(({ code }) => {
      throw new UsageError(`the file cannot be read (${code})`);
    });
    return decoded(bytes, 'the file');
  }
  refuseTerminal();
  return decoded(await buffer(process.stdin), 'the body');
}

function refuseTerminal(): void {
  if (process.stdin.isTTY) throw new UsageError('no body: give it as an argument, by --file, or on stdin');
}
