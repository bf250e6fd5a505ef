/** Commands as the connection sends them, and what comes back, in one shape. */
import { Command } from 'ioredis';
import { BackendDown, type Connection } from './connection.ts';
import type { Argument, Reply, Value } from './reply.ts';

/** In one write, in order. A command that fails is an `error` reply; only a missing Redis rejects. */
export function runEach(connection: Connection, commands: Argument[][]): Promise<Reply>[] {
  return connection.send(commands.map(raw)).map(replyTo);
}

/**
 * MULTI .. EXEC.
 * @param read is given the replies in the moment in which they come: any later, and replies behind them would be seen first
 * @returns one `error` object when Redis discarded it whole
 */
export async function runTogether(
  connection: Connection,
  commands: Argument[][],
  read: (replies: Reply[]) => Reply[] = (replies) => replies,
): Promise<Reply[] | { error: string }> {
  const keyed = commands.map(raw);
  const sent = connection.sendTogether([new Command('MULTI'), ...keyed, new Command('EXEC')], keyed);
  if (!Array.isArray(sent)) return sent;
  const queued = sent.slice(0, -1).map(replyTo);
  const executed = replyTo(sent.at(-1) as Promise<unknown>).then((exec) => {
    if ('error' in exec || !Array.isArray(exec.result)) return undefined;
    const values = exec.result;
    return read(commands.map((_, i) => replyOf(values[i] ?? null)));
  });
  const [results, ...answers] = await Promise.all([executed, ...queued]);
  return results ?? { error: discardedBecause(answers) };
}

/**
 * ioredis keeps its argument and reply transformers (HGETALL to an object, and
 * the like) under lower-case names, so an upper-case one passes through as it is.
 */
function raw(command: Argument[]): Command {
  return new Command(String(command[0]).toUpperCase(), command.slice(1));
}

/** Redis says EXECABORT at the end; the reason is the first command it would not queue. */
function discardedBecause(replies: Reply[]): string {
  for (const queued of replies) if ('error' in queued) return queued.error;
  return 'ERR transaction discarded';
}

function replyTo(answer: Promise<unknown>): Promise<Reply> {
  return answer.then((result) => ({ result: result as Value }), errorReply);
}

function errorReply(error: unknown): Reply {
  if (error instanceof Error && error.name === 'ReplyError') return { error: error.message };
  throw new BackendDown(error);
}

function replyOf(value: Value): Reply {
  return value instanceof Error ? { error: value.message } : { result: value };
}
