/**
 * Runs what one HTTP request asked for: the rules of the service around the
 * replies of Redis.
 */
import { sizeOf } from './arguments.ts';
import type { Backend } from './backend.ts';
import { refusal, serviceError, tooLarge } from './commands.ts';
import { bytesOf, type Encoded, encodeReply } from './encoding.ts';
import type { Refuse } from './refusals.ts';
import type { Argument, Reply } from './reply.ts';
import type { Shebangs } from './shebang.ts';

/** What the request is, once it is known to be well-formed and from whom it comes. */
export interface Work {
  shape: 'single' | 'pipeline' | 'transaction';
  commands: Argument[][];
  readOnly: boolean;
  base64: boolean;
}

export interface Answer {
  status: number;
  body: string;
}

export interface Means {
  backend: Backend;
  shebangs: Shebangs;
  maxRequestBytes: number;
  /** What storage refuses inside scripts. */
  refuse?: Refuse | undefined;
}

export async function execute(work: Work, means: Means): Promise<Answer> {
  const largest = work.commands.reduce((most, command) => Math.max(most, sizeOf(command)), 0);
  if (largest > means.maxRequestBytes) return failure(413, tooLarge(means.maxRequestBytes, largest));
  return RUN[work.shape](work, means);
}

export function failure(status: number, error: string): Answer {
  return { status, body: JSON.stringify({ error }) };
}

const RUN: Record<Work['shape'], (work: Work, means: Means) => Promise<Answer>> = { single, pipeline, transaction };

async function single(work: Work, means: Means): Promise<Answer> {
  const [command = []] = work.commands;
  const refused = refusal(command, work.readOnly);
  if (refused) return failure(400, refused);
  const [reply = NO_REPLY] = await means.backend.run([means.shebangs.strip(command)], means.refuse);
  return { status: 'error' in reply ? 400 : 200, body: bodyOf([reply], work, means) };
}

/** Each refused command is an error in its place; the others run. */
async function pipeline(work: Work, means: Means): Promise<Answer> {
  const refused = work.commands.map((command) => refusal(command, work.readOnly));
  const allowed = work.commands.filter((_, i) => refused[i] === undefined);
  const executed = (await means.backend.run(allowed.map(means.shebangs.strip), means.refuse)).values();
  const replies = refused.map((error) => (error === undefined ? (executed.next().value ?? NO_REPLY) : { error }));
  return { status: 200, body: bodyOf(replies, work, means) };
}

/** One refused command discards all. The status must not be 2xx then: the SDK would take the object for the array. */
async function transaction(work: Work, means: Means): Promise<Answer> {
  for (const command of work.commands) {
    const refused = refusal(command, work.readOnly);
    if (refused) return failure(400, refused);
  }
  const replies = await means.backend.transaction(work.commands.map(means.shebangs.strip), means.refuse);
  if (!Array.isArray(replies)) return failure(400, serviceError(replies.error));
  return { status: 200, body: bodyOf(replies, work, means) };
}

const NO_REPLY: Reply = { error: 'ERR no reply' };

function bodyOf(replies: Reply[], work: Work, { shebangs, maxRequestBytes }: Means): string {
  const encoded = replies.map((reply, i): Encoded => {
    if ('error' in reply) return { error: serviceError(reply.error) };
    return encodeReply(shebangs.restore(work.commands[i] ?? [], reply), work.base64);
  });
  const json = (answers: Encoded[]) => JSON.stringify(work.shape === 'single' ? answers[0] : answers);
  const body = json(encoded);
  // JSON only adds, so no reply of a body within the limit can be above it: the usual case costs one comparison.
  if (body.length <= maxRequestBytes) return body;
  return json(encoded.map((answer, i) => oversized(replies[i] ?? NO_REPLY, maxRequestBytes) ?? answer));
}

/** The service documents a refusal and answers 200 with an `error` field; the command has run. */
function oversized(reply: Reply, limit: number): Encoded | undefined {
  const size = 'result' in reply ? bytesOf(reply.result) : 0;
  return size > limit ? { error: tooLarge(limit, size) } : undefined;
}
