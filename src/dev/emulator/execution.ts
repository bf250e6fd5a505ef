/**
 * Runs what one HTTP request asked for: the rules of the service around the
 * replies of Redis.
 */
import { sizeOf } from '../../redis-http/arguments.ts';
import { bytesOf, type Encoded, encodeReply } from '../../redis-http/encoding.ts';
import type { Argument, Reply } from '../../redis-http/reply.ts';
import type { Backend } from './backend.ts';
import { nameOf, refusal, serviceError, tooLarge } from './commands.ts';
import { serviceInfo } from './info.ts';
import type { Admission, Gate } from './limits.ts';
import type { Refuse } from './refusals.ts';

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
  gate: Gate;
  /** What storage refuses inside scripts, whatever its limits. */
  refuse?: Refuse | undefined;
}

export async function execute(work: Work, means: Means): Promise<Answer> {
  const largest = work.commands.reduce((most, command) => Math.max(most, sizeOf(command)), 0);
  const limit = means.gate.requestBytes();
  if (largest > limit) return failure(413, tooLarge(limit, largest));
  const admission = await means.gate.admit(work.commands);
  const refused = work.commands.map((command, i) => refusal(command, work.readOnly) ?? admission?.refused[i]);
  return RUN[work.shape]({ ...work, refused, admission }, means);
}

export function failure(status: number, error: string): Answer {
  return { status, body: JSON.stringify({ error }) };
}

/** Work of which is known what of it is refused. */
interface Admitted extends Work {
  refused: (string | undefined)[];
  admission: Admission | undefined;
}

const RUN: Record<Work['shape'], (work: Admitted, means: Means) => Promise<Answer>> = { single, pipeline, transaction };

const rulesOf = ({ admission }: Admitted, { refuse }: Means) => ({ refuse, limits: admission?.inside });

async function single(work: Admitted, means: Means): Promise<Answer> {
  const [refused] = work.refused;
  if (refused) return failure(400, refused);
  const [reply = NO_REPLY] = await means.backend.run(work.commands, rulesOf(work, means));
  return { status: 'error' in reply ? 400 : 200, body: bodyOf([reply], work, means) };
}

/** Each refused command is an error in its place; the others run. */
async function pipeline(work: Admitted, means: Means): Promise<Answer> {
  const allowed = work.commands.filter((_, i) => work.refused[i] === undefined);
  const executed = (await means.backend.run(allowed, rulesOf(work, means))).values();
  const replies = work.refused.map((error) => (error === undefined ? (executed.next().value ?? NO_REPLY) : { error }));
  return { status: 200, body: bodyOf(replies, work, means) };
}

/** One refused command discards all. The status must not be 2xx then: the SDK would take the object for the array. */
async function transaction(work: Admitted, means: Means): Promise<Answer> {
  const refused = work.refused.find((error) => error !== undefined);
  if (refused) return failure(400, refused);
  const replies = await means.backend.transaction(work.commands, rulesOf(work, means));
  if (!Array.isArray(replies)) return failure(400, serviceError(replies.error));
  return { status: 200, body: bodyOf(replies, work, means) };
}

const NO_REPLY: Reply = { error: 'ERR no reply' };

function bodyOf(replies: Reply[], work: Admitted, { gate }: Means): string {
  const limit = gate.requestBytes();
  const encoded = replies.map((reply, i): Encoded => {
    if ('error' in reply) return { error: serviceError(reply.error) };
    return encodeReply(isInfo(work.commands[i]) ? infoIn(reply, work, gate) : reply, work.base64);
  });
  const json = (answers: Encoded[]) => JSON.stringify(work.shape === 'single' ? answers[0] : answers);
  const body = json(encoded);
  // JSON only adds, so no reply of a body within the limit can be above it: the usual case costs one comparison.
  if (body.length <= limit) return body;
  return json(encoded.map((answer, i) => oversized(replies[i] ?? NO_REPLY, limit) ?? answer));
}

const isInfo = (command: Argument[] = []) => nameOf(command) === 'INFO';

function infoIn({ result }: Extract<Reply, { result: unknown }>, { admission }: Admitted, gate: Gate): Reply {
  const limited = admission && { limits: gate.limits(), usage: admission.usage };
  return { result: Buffer.from(serviceInfo(String(result), limited)) };
}

/** The service documents a refusal and answers 200 with an `error` field; the command has run. */
function oversized(reply: Reply, limit: number): Encoded | undefined {
  const size = 'result' in reply ? bytesOf(reply.result) : 0;
  return size > limit ? { error: tooLarge(limit, size) } : undefined;
}
