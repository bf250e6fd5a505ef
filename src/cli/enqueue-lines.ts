/**
 * Many messages from lines of JSON: gathered into requests, each all or nothing, one after the other.
 *
 * With a key the requests are named `<key>-<number>`, so the same lines in the same sizes can be sent again after a failure:
 * what was stored is recognised.
 */
import { createReadStream, fstatSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Client, type Outgoing, SluiceError } from '../client/index.ts';
import { Failure, UsageError } from './failure.ts';
import { decoded, jsonOf } from './json.ts';
import { pageIn, withoutReport } from './listed.ts';
import { type Progress, startProgress } from './progress.ts';

export interface Lines {
  /** Default: stdin. */
  file: string | undefined;
  /** Messages of one request. */
  size: number;
  key: string | undefined;
  /** What a line does not say: queue and options. */
  defaults: object;
}

export interface EnqueuedLines {
  enqueued: number;
  duplicates: number;
  requests: number;
}

interface Numbered {
  line: number;
  message: Outgoing;
}

/** Of a request, less than the API's 4 MiB: names and commas come on top. */
const MAX_BYTES = 3_500_000;

/** @throws UsageError for a line that is no message; SluiceError; Failure, which says what had been stored */
export async function enqueueLines(client: Client, lines: Lines): Promise<EnqueuedLines> {
  const done: EnqueuedLines = { enqueued: 0, duplicates: 0, requests: 0 };
  const progress = startProgress();
  const whole = sizeOf(lines.file);
  let readBytes = 0;
  try {
    for await (const { batch, bytes } of batches(lines)) {
      await store(client, batch, lines.key, done);
      readBytes += bytes;
      show(progress, done, whole === undefined ? undefined : readBytes / whole);
    }
  } catch (error) {
    throw done.requests > 0 ? partly(error, done) : error;
  } finally {
    progress.end();
  }
  return done;
}

async function store(client: Client, batch: Numbered[], key: string | undefined, done: EnqueuedLines) {
  const named = key === undefined ? {} : { idempotencyKey: `${key}-${done.requests + 1}` };
  const messages = batch.map(({ message }) => message);
  const receipts = await client.enqueueMany(messages, named).catch((error: unknown) => {
    throw withLines(error, batch);
  });
  const duplicates = receipts.filter(({ duplicate }) => duplicate).length;
  done.enqueued += receipts.length - duplicates;
  done.duplicates += duplicates;
  done.requests += 1;
}

function show(progress: Progress, { enqueued, duplicates }: EnqueuedLines, share: number | undefined): void {
  progress.at(`${enqueued + duplicates} messages sent`, share);
}

async function* batches({ file, size, defaults }: Lines): AsyncGenerator<{ batch: Numbered[]; bytes: number }> {
  let gathered: { batch: Numbered[]; bytes: number } = { batch: [], bytes: 0 };
  const takeGathered = () => {
    const taken = gathered;
    gathered = { batch: [], bytes: 0 };
    return taken;
  };
  let line = 0;
  for await (const text of linesOf(file)) {
    line += 1;
    if (text.trim() === '') continue;
    const messages = readLine(text, line, defaults);
    const length = (text.length + 1) / messages.length; // of each, where a line has a page of them: about
    for (const message of messages) {
      if (gathered.batch.length > 0 && gathered.bytes + length > MAX_BYTES) yield takeGathered();
      gathered.batch.push({ line, message });
      gathered.bytes += length;
      if (gathered.batch.length === size) yield takeGathered();
    }
  }
  if (gathered.batch.length > 0) yield gathered;
}

/** Each character is a byte: some that UTF-8 writes with several bytes would end a line here, and in JSON they do not. */
async function* linesOf(file: string | undefined): AsyncGenerator<string> {
  const input = file === undefined ? process.stdin : createReadStream(file);
  input.setEncoding('latin1');
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    input.destroy();
  }
}

/** Where the input is a file: a pipe has no end that could be known. @throws UsageError where it cannot be read */
function sizeOf(file: string | undefined): number | undefined {
  try {
    const stat = file === undefined ? fstatSync(0) : statSync(file);
    return stat.isFile() && stat.size > 0 ? stat.size : undefined;
  } catch {
    throw new UsageError('the lines cannot be read');
  }
}

/** The messages of a line: one, or a page of them as lists are printed. The line itself is not shown: it is somebody's data. */
function readLine(text: string, line: number, defaults: object): Outgoing[] {
  const what = `line ${line}`;
  const fields = jsonOf(decoded(Buffer.from(text, 'latin1'), what), what);
  return (pageIn(fields) ?? [fields]).map((message) => messageOf(message, what, defaults));
}

function messageOf(fields: unknown, what: string, defaults: object): Outgoing {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields) || !('body' in fields)) {
    throw new UsageError(`${what} is not a message: an object with a "body"`);
  }
  const { queue, body, ...options } = { ...defaults, ...withoutReport(fields) } as Record<string, unknown>;
  if (typeof queue !== 'string') throw new UsageError(`${what} names no queue, and neither does the command`);
  return { queue, body, options } as Outgoing;
}

/** The API counts messages of the request, people count lines. */
function withLines(error: unknown, batch: Numbered[]): unknown {
  if (!(error instanceof SluiceError) || error.issues.length === 0) return error;
  const issues = error.issues.map((issue) => ({
    ...issue,
    field: issue.field.replace(/^messages\[(\d+)\]\.?/, (_, i) => `line ${batch[Number(i)]?.line} `).trim(),
  }));
  return new SluiceError(error.status, error.code, error.detail, issues);
}

function partly(error: unknown, { enqueued, duplicates }: EnqueuedLines): unknown {
  const stored = `${enqueued + duplicates} messages had been stored before`;
  if (error instanceof SluiceError) {
    return new SluiceError(error.status, error.code, `${error.detail} (${stored})`, error.issues);
  }
  return new Failure(`${error instanceof Error ? error.message : 'failed'} (${stored})`);
}
