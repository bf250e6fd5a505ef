/**
 * The Redis behind the emulator: any that speaks its protocol, one connection
 * (per node of a cluster), hence one order of all commands.
 *
 * Nothing is ever sent twice and nothing waits for a Redis that is away: a
 * caller then gets BackendDown at once, and whether its command ran is open,
 * exactly as over a network.
 */
import { Command } from 'ioredis';
import { readAddress } from '../../redis-http/address.ts';
import { runEach, runTogether } from '../../redis-http/call.ts';
import { BackendDown, type Connection } from '../../redis-http/connection.ts';
import { inUtf8 } from '../../redis-http/encoding.ts';
import { openConnection } from '../../redis-http/open.ts';
import type { Argument, Reply } from '../../redis-http/reply.ts';
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
  const address = readAddress(url);
  const { connection, connected } = openConnection(address);
  await connected.catch((error: unknown) => {
    connection.close();
    throw error;
  });
  const { observe } = options;
  const scripts = createScripts(address.kind !== 'cluster');
  const prepare = (commands: Argument[][], rules: Rules) =>
    commands.map((command): Call => ({ ...scripts.prepare(command, rules), asked: command }));
  return {
    run: (commands, rules = {}) => {
      const startedAt = observe ? Date.now() : 0;
      const calls = prepare(commands, rules);
      const replies = runEach(connection, commandsOf(calls));
      return Promise.all(replies.map((reply, i) => reply.then(seen(observe, calls[i] as Call, startedAt))));
    },
    transaction: (commands, rules = {}) => {
      const startedAt = Date.now();
      const calls = prepare(commands, rules);
      const read = (replies: Reply[]) => replies.map((reply, i) => seen(observe, calls[i] as Call, startedAt)(reply));
      return runTogether(connection, commandsOf(calls), read);
    },
    usage: await usageSince(connection, options),
    bytesOf: async (key) => {
      const [size] = connection.send([new Command('MEMORY', ['USAGE', key])]);
      return Number((await size?.catch(() => 0)) ?? 0);
    },
    close: async () => connection.close(),
  };
}

/** A command as it was asked for, and as Redis runs it. */
interface Call extends Prepared {
  asked: Argument[];
}

const commandsOf = (calls: Call[]) => calls.map(({ command }) => command);

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
