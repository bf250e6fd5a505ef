/**
 * A connection to one Redis, and what connections of either kind have in common.
 *
 * It never waits for a Redis that is away and never sends a command twice.
 */
import { type Command, Redis } from 'ioredis';

/** Redis is away, or went away before it answered: the commands may or may not have run. */
export class BackendDown extends Error {
  constructor(cause: unknown) {
    super('redis is away', { cause });
  }
}

/** Where commands go. The two kinds of Redis differ in routing, and in nothing else. */
export interface Connection {
  /** Sends in order; each promise settles with the reply of its command. */
  send(commands: Command[]): Promise<unknown>[];
  /** Sends one group to one node with nothing of ours in between. */
  sendTogether(commands: Command[], keyed: Command[]): Promise<unknown>[] | { error: string };
  masters(): Redis[];
  close(): void;
}

/** Shared by single connections and cluster nodes. */
export const NEVER_WAIT = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0, // what was under way when the connection broke fails now, not after a reconnect
  autoResendUnfulfilledCommands: false, // it may have run: a second time would be wrong
  stringNumbers: true, // see Value
  disableClientInfo: true,
  connectTimeout: 2_000,
} as const;

/** @throws BackendDown; ReplyError where it has no such database */
export async function openSingle(url: string): Promise<Connection> {
  const redis = new Redis(url, { ...NEVER_WAIT, retryStrategy: () => 50, lazyConnect: true });
  let last: Error | undefined;
  redis.on('error', (error) => {
    last = error; // each caller learns it from its own command
  });
  await redis.connect().catch((cause: unknown) => {
    redis.disconnect();
    throw new BackendDown(last ?? cause);
  });
  const { db = 0 } = redis.options;
  if (db !== 0) {
    await redis.select(db).catch((error: unknown) => {
      redis.disconnect();
      throw error; // without a look ioredis would go on with the first database, whose keys are another's
    });
  }
  const send = (commands: Command[]) => {
    redis.stream?.cork(); // one system call for the batch instead of one for each command
    const answers = commands.map((command) => redis.sendCommand(command) as Promise<unknown>);
    redis.stream?.uncork();
    return answers;
  };
  return { send, sendTogether: send, masters: () => [redis], close: () => redis.disconnect() };
}
