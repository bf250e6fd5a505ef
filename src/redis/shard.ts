/** A shard: all keys of one prefix in one database. Stores, rings, topics and the health check are opened on it. */
import { StorageError } from '../errors.ts';
import { openBreaker, type ShardBreaker } from './breaker.ts';
import { connect as connectByFetch } from './fetch.ts';
import { type Keys, makeKeys } from './keys.ts';
import { type Digits, digits } from './lua/script.ts';
import { type KnownFormat, type Runner, recognisedMsFor, scriptRunner } from './runner.ts';
import type { Connect, Connection, Send } from './send.ts';

export interface Shard extends Runner {
  readonly keys: Keys;
  readonly identity: ShardIdentity;
  /** One command, sent once. @throws StorageError */
  readonly send: Send;
  /** The time that scripts are given, epoch ms; '' has them ask the server. */
  now(): Digits | '';
  /** How long a call with a token is recognised where its caller does not say. */
  readonly recognisedMs: number;
  /** Whether one of several gave no answer lately: what may go elsewhere should. */
  isDown(): boolean;
  /** The same shard for one use of it, such as an invocation or a drain. */
  within(use: ShardUse): Shard;
}

/** Which of several shards one is. It changes with the map of the shards. */
export interface ShardIdentity {
  /** By which settings, operators and errors name it. */
  readonly name: string;
  /** The part of its messages' ids that says where they are; '' where there is one shard. */
  readonly label: string;
  /** That of the map by which its caller places messages; '' where there is one shard. */
  readonly epoch: string;
}

/** The only shard of a deployment needs no name: nothing is placed, and no id says where it is. */
const ONLY: ShardIdentity = { name: '', label: '', epoch: '' };

/** What differs from one use of a shard to another: how requests are counted, and how long they may take. */
export interface ShardUse {
  /** Called before each request, for budgets of requests. */
  onRequest?: (() => void) | undefined;
  /** Called with the error of each request that failed. */
  onFailure?: ((error: unknown) => void) | undefined;
  /** The time that is left, ms: no request waits longer. Left out where a caller waits for the answer. */
  msLeft?: (() => number) | undefined;
  /** Waits before the repetitions of a script, ms. */
  repeatAfterMs?: readonly number[];
  /** Whether it is asked although it has not answered lately: for what has nowhere else to go. */
  insists?: (() => boolean) | undefined;
}

/** How the shard is reached: by a connection for each use, or by a function in its place, as in tests. */
type ShardConnection =
  | { connection: Omit<Connection, 'timeoutMs'> & { timeoutMs: number }; connect?: Connect | undefined }
  | { send: Send };

export type ShardOptions = ShardConnection & {
  prefix: string;
  /** Left out where there is one shard. */
  identity?: ShardIdentity;
  /** Whether the first calls look which stored format the database has. */
  looksAtFormat?: boolean;
  /** Tests set the clock: epoch ms. */
  clock?: (() => number) | undefined;
};

/** The first arguments of most scripts. */
export const commonArgs = ({ keys, now }: Shard): [root: string, clock: Digits | ''] => [keys.root, now()];

/** The last request of a use gets this long even where less time is left. */
const LEAST_TIMEOUT_MS = 100;

/** @throws RangeError where the prefix is none */
export function openShard({ prefix, clock, identity = ONLY, looksAtFormat, ...reach }: ShardOptions): Shard {
  const keys = makeKeys(prefix);
  const format: KnownFormat | undefined = looksAtFormat ? { isKnown: false } : undefined; // of all its uses
  const recognisedMs = recognisedMsFor('send' in reach ? 0 : reach.connection.timeoutMs);
  const now = () => (clock ? digits(clock()) : '');
  const breaker = identity.name === '' ? undefined : openBreaker(identity.name); // of all its uses
  const open = (use: ShardUse): Shard => {
    const { msLeft, repeatAfterMs, insists } = use;
    const send = observed(sender(reach, msLeft), use, identity, breaker);
    const runner = scriptRunner({ send, format, msLeft, ...(repeatAfterMs && { repeatAfterMs }) });
    const plain = {
      ...runner,
      keys,
      identity,
      send,
      now,
      recognisedMs,
      isDown: () => breaker?.isOpen() ?? false,
      within: open,
    };
    if (!breaker) return plain;
    return {
      ...plain,
      run: (...call) => breaker.guard(() => runner.run(...call), insists),
      send: (command) => breaker.guard(() => send(command), insists),
    };
  };
  return open({});
}

function sender(reach: ShardConnection, msLeft = () => Number.POSITIVE_INFINITY): Send {
  if ('send' in reach) return reach.send;
  const { connection, connect = connectByFetch } = reach;
  return connect({
    ...connection,
    timeoutMs: () => Math.max(LEAST_TIMEOUT_MS, Math.min(connection.timeoutMs, msLeft())),
  });
}

function observed(
  send: Send,
  { onRequest, onFailure }: ShardUse,
  { name }: ShardIdentity,
  breaker: ShardBreaker | undefined,
): Send {
  if (!onRequest && !onFailure && name === '') return send;
  return async (command) => {
    onRequest?.();
    try {
      const reply = await send(command);
      breaker?.note();
      return reply;
    } catch (error) {
      breaker?.note(error);
      if (name !== '' && error instanceof StorageError) error.shard ??= name;
      onFailure?.(error);
      throw error;
    }
  };
}
