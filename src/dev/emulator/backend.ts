/**
 * The Redis behind the emulator: any that speaks its protocol, one connection
 * (per node of a cluster), hence one order of all commands.
 *
 * Nothing is ever sent twice and nothing waits for a Redis that is away: a
 * caller then gets BackendDown at once, and whether its command ran is open,
 * exactly as over a network.
 */
import { Command } from 'ioredis';
import { openCluster } from './cluster.ts';
import { BackendDown, type Connection, openSingle } from './connection.ts';
import { inUtf8 } from './encoding.ts';
import type { Argument, Reply, Value } from './reply.ts';
import { createScripts, type Prepared, type Rules } from './scripts.ts';
import { type Usage, usageOf } from './usage.ts';

export { BackendDown };

export interface Backend {
  /**
   * In one write, in order. A command that fails is an `error` reply; only a missing Redis rejects.
   * @param rules of the scripts among them
   */
  run(commands: Argument[][], rules?: Rules): Promise<Reply[]>;
  /** MULTI .. EXEC. One `error` object when Redis discarded it whole. */
  transaction(commands: Argument[][], rules?: Rules): Promise<Reply[] | { error: string }>;
  /** What is stored, and the commands since this backend was opened, other clients' of this Redis included. */
  usage(): Promise<Usage>;
  /** What one key takes; 0 where there is none. */
  bytesOf(key: Argument): Promise<number>;
  close(): Promise<void>;
}

/** One command as Redis executed it, in the order in which it did. Times are epoch ms. */
export interface Observation {
  command: string[];
  result: unknown;
  error?: string;
  startedAt: number;
  endedAt: number;
}

export interface BackendOptions {
  /** How often the Redis has executed a billable command, and how much it holds. Without them: what its INFO says. */
  commandsProcessed?: (() => number) | undefined;
  bytesStored?: (() => number) | undefined;
  observe?: ((event: Observation) => void) | undefined;
}

export async function openBackend(url: string, options: BackendOptions = {}): Promise<Backend> {
  const isCluster = url.startsWith('redis+cluster:');
  const connection = isCluster ? await openCluster(url) : await openSingle(url);
  const { observe } = options;
  const scripts = createScripts(!isCluster);
  const prepare = (commands: Argument[][], rules: Rules) =>
    commands.map((command): Call => ({ ...scripts.prepare(command, rules), asked: command }));
  return {
    run: (commands, rules = {}) => {
      const startedAt = observe ? Date.now() : 0;
      const calls = prepare(commands, rules);
      const answers = connection.send(calls.map(({ command }) => raw(command)));
      return Promise.all(
        calls.map((call, i) => reply(answers[i] as Promise<unknown>).then(seen(observe, call, startedAt))),
      );
    },
    transaction: (commands, rules = {}) => transaction(connection, prepare(commands, rules), observe),
    usage: await usageSince(connection, options),
    bytesOf: async (key) => {
      const [size] = connection.send([raw(['MEMORY', 'USAGE', key])]);
      return Number((await size?.catch(() => 0)) ?? 0);
    },
    close: async () => connection.close(),
  };
}

/** A command as it was asked for, and as Redis runs it. */
interface Call extends Prepared {
  asked: Argument[];
}

/**
 * ioredis keeps its argument and reply transformers (HGETALL to an object, and
 * the like) under lower-case names, so an upper-case one passes through as it is.
 */
function raw(command: Argument[]): Command {
  return new Command(String(command[0]).toUpperCase(), command.slice(1));
}

async function transaction(
  connection: Connection,
  calls: Call[],
  observe: BackendOptions['observe'],
): Promise<Reply[] | { error: string }> {
  const startedAt = Date.now();
  const keyed = calls.map(({ command }) => raw(command));
  const sent = connection.sendTogether([new Command('MULTI'), ...keyed, new Command('EXEC')], keyed);
  if (!Array.isArray(sent)) return sent;
  const queued = sent.slice(0, -1).map(reply);
  const executed = reply(sent.at(-1) as Promise<unknown>).then((exec) => {
    if ('error' in exec || !Array.isArray(exec.result)) return undefined;
    // Here, as near to the reply as for a single command: any later, and replies behind this one would be seen first.
    const values = exec.result;
    return calls.map((call, i) => seen(observe, call, startedAt)(replyOf(values[i] ?? null)));
  });
  const [results, ...answers] = await Promise.all([executed, ...queued]);
  return results ?? { error: discardedBecause(answers) };
}

/** Redis says EXECABORT at the end; the reason is the first command it would not queue. */
function discardedBecause(replies: Reply[]): string {
  for (const queued of replies) if ('error' in queued) return queued.error;
  return 'ERR transaction discarded';
}

function reply(answer: Promise<unknown>): Promise<Reply> {
  return answer.then((result) => ({ result: result as Value }), errorReply);
}

function errorReply(error: unknown): Reply {
  if (error instanceof Error && error.name === 'ReplyError') return { error: error.message };
  throw new BackendDown(error);
}

function replyOf(value: Value): Reply {
  return value instanceof Error ? { error: value.message } : { result: value };
}

/** Called as each reply settles, which is the order of the one connection. */
function seen(observe: BackendOptions['observe'], { asked, read }: Call, startedAt: number) {
  return (answered: Reply): Reply => {
    const reply = read(answered);
    if (!observe) return reply;
    const event = { command: asked.map(String), startedAt, endedAt: Date.now() };
    if ('error' in reply) observe({ ...event, result: undefined, error: reply.error });
    else observe({ ...event, result: inUtf8(reply.result) });
    return reply;
  };
}

/** Counts commands from now on, and keeps counting when Redis restarts and its own counters begin again at nought. */
async function usageSince(
  connection: Connection,
  { commandsProcessed, bytesStored }: BackendOptions,
): Promise<() => Promise<Usage>> {
  const look = async () =>
    commandsProcessed
      ? { commands: commandsProcessed(), bytes: bytesStored?.() ?? 0 }
      : usageOf(connection.masters()).catch(down);
  let before = (await look()).commands;
  let carried = 0;
  let last = before;
  return async () => {
    const { commands, bytes } = await look();
    if (commands < last) {
      carried += last - before;
      before = 0;
    }
    last = commands;
    return { commands: carried + commands - before, bytes };
  };
}

function down(cause: unknown): never {
  throw new BackendDown(cause);
}
