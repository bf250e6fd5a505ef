/** Runs the commands of one request, and says what came of them in the form of Upstash's REST API. */

import type { Judge } from './allowed.ts';
import { commandInBody, commandsInBody } from './arguments.ts';
import { runEach, runTogether } from './call.ts';
import type { Connection } from './connection.ts';
import { encodeReply } from './encoding.ts';
import type { Argument, Reply } from './reply.ts';

export interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

export interface Means {
  connection: Connection;
  judge: Judge;
  /** Of one request. */
  maxCommands: number;
  noteCommands(passed: number, refused: number): void;
}

/** How a body is read and run, by the path of the request. */
type Run = (body: string, base64: boolean, means: Means) => Promise<Answer>;

export const RUN: Readonly<Record<string, Run>> = {
  '/': (body, base64, means) => single(commandInBody(body), base64, means),
  '/pipeline': (body, base64, means) => several(pipeline, commandsInBody(body), base64, means),
  '/multi-exec': (body, base64, means) => several(transaction, commandsInBody(body), base64, means),
};

export function failure(status: number, error: string, headers: Record<string, string> = {}): Answer {
  return { status, body: JSON.stringify({ error }), headers };
}

/** Nothing has run, and soon it may: a primary has just become a replica, or a node is not ready yet. */
const PASSING = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/;

async function single(command: Argument[], base64: boolean, means: Means): Promise<Answer> {
  const refused = means.judge(command);
  means.noteCommands(refused === undefined ? 1 : 0, refused === undefined ? 0 : 1);
  if (refused !== undefined) return failure(400, refused);
  const reply = await (runEach(means.connection, [command])[0] as Promise<Reply>);
  if (!('error' in reply)) return { status: 200, body: JSON.stringify(encodeReply(reply, base64)) };
  return PASSING.test(reply.error) ? failure(503, reply.error, { 'retry-after': '1' }) : failure(400, reply.error);
}

async function several(
  run: (commands: Argument[][], refused: (string | undefined)[], means: Means) => Promise<Reply[] | Answer>,
  commands: Argument[][],
  base64: boolean,
  means: Means,
): Promise<Answer> {
  if (commands.length > means.maxCommands) return failure(413, `ERR more than ${means.maxCommands} commands`);
  const refused = commands.map(means.judge);
  const denied = refused.filter((error) => error !== undefined).length;
  means.noteCommands(commands.length - denied, denied);
  const replies = await run(commands, refused, means);
  if (!Array.isArray(replies)) return replies;
  return { status: 200, body: JSON.stringify(replies.map((reply) => encodeReply(reply, base64))) };
}

/** Each refused command is an error in its place; the others run. */
async function pipeline(commands: Argument[][], refused: (string | undefined)[], { connection }: Means) {
  const allowed = commands.filter((_, i) => refused[i] === undefined);
  const replies = (await Promise.all(runEach(connection, allowed))).values();
  return refused.map((error): Reply => (error === undefined ? (replies.next().value as Reply) : { error }));
}

/** One refused command discards all. The status must not be 2xx then: clients would take the object for the array. */
async function transaction(commands: Argument[][], refused: (string | undefined)[], { connection }: Means) {
  const first = refused.find((error) => error !== undefined);
  if (first !== undefined) return failure(400, first);
  const replies = await runTogether(connection, commands);
  return Array.isArray(replies) ? replies : failure(400, replies.error);
}
