/** Calls that make work ready, as one caller makes them: they see to it that somebody drains. */
import type { ConsumeOptions } from '../broker/consumer.ts';
import { type EnqueueResult, enqueueInputs, type IdempotencyKey } from '../broker/producer.ts';
import type { MessageInput } from '../broker/validate.ts';
import { wakeFor } from '../drain/life.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import type { Caller } from '../runtime/caller.ts';
import type { Spread } from '../shards/spread.ts';
import type { HandOff } from '../store/enqueue.ts';
import type { Store } from '../store/store.ts';
import type { Wake } from '../store/wake.ts';
import type { Parts } from './parts.ts';

/** The engine of a caller, as much as these calls need of it. */
interface CallingEngine {
  readonly parts: Parts;
  /** Without a caller no drain is woken. */
  readonly caller: Caller | undefined;
  readonly shard: Shard;
  readonly store: Store;
  readonly spread: Spread;
  /** Starts a drain behind the answer where one is wanted; it begins with what was taken for it. */
  attend(isWanted: boolean, handOff?: HandOff, woken?: readonly string[]): void;
}

/** @throws InvalidMessage, StorageError, RequestMismatch */
export async function enqueueFor(
  called: CallingEngine,
  inputs: MessageInput[],
  name?: IdempotencyKey,
  traceparent?: string,
): Promise<EnqueueResult> {
  const { parts, caller, spread } = called;
  if (caller?.isCode) caller.invocation.noteCaller(1, Date.now());
  const wake = describeWake(called, inputs);
  const queues = inputs.map(({ queue }) => parts.queues.get(queue?.name ?? ''));
  const handOff = wake && caller ? parts.waking.offer(caller, queues) : undefined;
  const result = await enqueueInputs(spread, parts.queues, inputs, { ...name, wake, handOff }, traceparent);
  if (caller?.isCode) caller.invocation.noteCaller(0, Date.now());
  parts.claims.noteDue(result.dueInMs);
  // An idle loop of this process helps whoever looks already.
  const helps = wake !== false && result.dueInMs === undefined && parts.drainers?.isIdle === true;
  called.attend(result.wake || helps, result.handOff, result.wake ? result.woken : undefined);
  return result;
}

/** Describes to an enqueue of these messages the drain that it would wake; false where its caller can wake none that looks. */
function describeWake(
  { parts: { claims, capacity, waking }, caller }: CallingEngine,
  inputs: MessageInput[],
): Wake | false {
  const timeoutsMs = inputs.flatMap(({ queue }) => (queue?.pool === PUSH_POOL ? [queue.timeoutMs] : []));
  if (!caller || waking.looksFor(caller)) return wakeFor(capacity.lives.fresh, timeoutsMs, caller?.invocation.sleepsMs);
  if (timeoutsMs.length > 0) claims.noteWork();
  return false;
}

/** Consumers make messages ready and meet schedules that are due: where some of that is for push queues, a drain is woken. */
export async function consumeFor<Answer>(
  called: CallingEngine,
  consume: (on: (shard: Shard) => ConsumeOptions) => Promise<Answer>,
): Promise<Answer> {
  const { parts } = called;
  const woken = new Set<string>();
  const on = (shard: Shard): ConsumeOptions => {
    const fire = parts.fireOn(shard, true);
    return {
      store: parts.openStore(shard),
      async onAnswer({ wake, schedules, now }) {
        if (wake) woken.add(shard.identity.name);
        if (schedules && (await fire?.(schedules, now))) woken.add(shard.identity.name);
      },
    };
  };
  const answer = await consume(on);
  called.attend(woken.size > 0, undefined, [...woken]);
  return answer;
}
