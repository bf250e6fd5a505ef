/**
 * A connection to one Redis, and what connections of either kind have in common.
 *
 * It never waits for a Redis that is away and never sends a command twice.
 */
import { type Command, Redis, type RedisOptions } from 'ioredis';
import type { Address } from './address.ts';

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
  /** Those that are connected, or about to be. */
  masters(): Redis[];
  /** How many masters there should be: of a cluster those that have slots. */
  size(): number;
  close(): void;
}

/** A connection that comes up by itself, now or later. */
export interface Opened {
  connection: Connection;
  /** Rejects where the first try failed; others follow until it is closed. */
  connected: Promise<void>;
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

/** After which the next try to connect begins, ms. */
export const RETRY_MS = 50;

/** To one server, or to the primary that sentinels name, whichever that is. */
export function openSingle(address: Exclude<Address, { kind: 'cluster' }>): Opened {
  const options = { ...NEVER_WAIT, retryStrategy: () => RETRY_MS, lazyConnect: true };
  const redis =
    address.kind === 'single'
      ? new Redis(address.url, options)
      : new Redis({ ...options, ...optionsOf(address), sentinelRetryStrategy: () => RETRY_MS });
  let last: Error | undefined;
  redis.on('error', (error) => {
    last = error; // each caller learns it from its own command
  });
  const send = (commands: Command[]) => {
    redis.stream?.cork(); // one system call for the batch instead of one for each command
    const answers = commands.map((command) => redis.sendCommand(command) as Promise<unknown>);
    redis.stream?.uncork();
    return answers;
  };
  return {
    connection: {
      send,
      sendTogether: send,
      masters: () => [redis],
      size: () => 1,
      close: () => redis.disconnect(),
    },
    connected: redis
      .connect()
      .catch((cause: unknown) => {
        throw new BackendDown(last ?? cause);
      })
      .then(() => checkDatabase(redis)),
  };
}

/** Without a look ioredis would go on with the first database, whose keys are another's. @throws ReplyError where it has no such database */
async function checkDatabase(redis: Redis): Promise<void> {
  const { db = 0 } = redis.options;
  if (db === 0) return;
  await redis.select(db).catch((error: unknown) => {
    redis.disconnect();
    throw error;
  });
}

function optionsOf(address: Extract<Address, { kind: 'sentinel' }>): RedisOptions {
  const { nodes, name, username, password, sentinelPassword, isTls } = address;
  return {
    sentinels: nodes,
    name,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(isTls ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  };
}
