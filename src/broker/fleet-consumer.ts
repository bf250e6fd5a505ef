/**
 * Consuming over several shards: one lease of one name on each shard that has messages for it. The queues are asked in their order, each
 * where it has its home, and behind the homes wherever messages of theirs may be left.
 */
import { InvalidMessage } from '../errors.ts';
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from '../shards/fleet.ts';
import { placeOf } from '../shards/places.ts';
import {
  type ConsumeOptions,
  type ReceiveAnswer,
  type ReceiveRequest,
  receive,
  type SettleAnswer,
  type SettleRequest,
  settle,
  VISIBILITY_MS,
} from './consumer.ts';
import type { Queues } from './validate.ts';

export interface FleetConsumerOptions {
  fleet: Fleet;
  queues: Queues;
  /** How the calls reach one shard. */
  on(shard: Shard): ConsumeOptions;
}

/** Queues that are next to each other, of one shard. */
interface Stretch {
  shard: Shard;
  queues: string[];
}

/** @throws StorageError where no shard answers; RequestMismatch where another lease has begun under the claim */
export async function receiveFromFleet(
  { fleet, queues, on }: FleetConsumerOptions,
  request: ReceiveRequest,
): Promise<ReceiveAnswer> {
  await fleet.ready();
  const taking = new Taking(fleet, on, () => 0);
  await taking.take(findStretches(fleet, queues, request.queues), request);
  return taking.answer();
}

/**
 * Settlements go to the shards that the ids speak of, and to the others where those know nothing of them.
 * @throws StorageError where a shard that was asked does not answer: whoever repeats it settles nothing twice; InvalidMessage where it is
 *   not said which messages are held
 */
export async function settleInFleet(
  { fleet, queues, on }: FleetConsumerOptions,
  { lease, settlements, extendMs, more }: SettleRequest,
): Promise<SettleAnswer> {
  await fleet.ready();
  const stretches = more ? findStretches(fleet, queues, more.queues) : [];
  // What is settled here leaves its lease where its id says, at once, and elsewhere only behind what that shard gives out.
  const isSettledAtOnce = settlements.every(({ id }) => isSureOf(fleet, id));
  const holdingOn = isSettledAtOnce ? countHeld(fleet, more?.holding, stretches) : () => -1;
  const byShard = Map.groupBy(settlements, ({ id }) => fleet.hinted(id) ?? fleet.all[0]);
  const [first, ...others] = stretches;
  const lasts = extendMs !== undefined || more !== undefined;
  const concerned = fleet.all.filter((shard) => lasts || byShard.has(shard));
  const answers = await Promise.all(
    concerned.map(async (shard) => {
      const own = byShard.get(shard) ?? [];
      const takes = shard === first?.shard ? first.queues : [];
      const further = more && { queues: takes, max: takes.length > 0 ? more.max : 0, holding: holdingOn(shard) };
      const answer = await settle(on(shard), { lease, settlements: own, extendMs, ...(further && { more: further }) });
      return { shard, answer };
    }),
  );
  const settled = new Map(answers.flatMap(({ answer }) => answer.settled.map(({ id, status }) => [id, status])));
  await settleElsewhere(fleet, on, lease, settlements, settled);
  const outcome = mergeSettled(
    settlements,
    settled,
    answers.map(({ answer }) => answer),
  );
  if (!more || outcome.lost) return outcome;
  const taking = new Taking(fleet, on, holdingOn);
  for (const { shard, answer } of answers) taking.add(shard, answer as ReceiveAnswer);
  const max = more.max;
  await taking.take(others, { lease, max, visibilityMs: extendMs ?? VISIBILITY_MS });
  return { ...outcome, ...taking.answer() };
}

/** What several shards gave for one lease. */
class Taking {
  readonly #fleet: Fleet;
  readonly #on: FleetConsumerOptions['on'];
  readonly #holdingOn: (shard: Shard) => number;
  readonly #taken = new Map<Shard, number>();
  readonly #messages: ReceiveAnswer['messages'] = [];
  #expiresAt = Number.POSITIVE_INFINITY;
  #nextInMs = Number.POSITIVE_INFINITY;
  #hasMore = false;
  #failure: unknown;

  constructor(fleet: Fleet, on: FleetConsumerOptions['on'], holdingOn: (shard: Shard) => number) {
    this.#fleet = fleet;
    this.#on = on;
    this.#holdingOn = holdingOn;
  }

  /** One after the other, because each is asked only for what those before it did not have. */
  async take(stretches: Stretch[], request: Omit<ReceiveRequest, 'queues'>): Promise<void> {
    for (const { shard, queues } of stretches) {
      const max = request.max - this.#messages.length;
      if (max <= 0) return;
      const holding = this.#holdingOn(shard);
      const held = holding < 0 ? holding : holding + (this.#taken.get(shard) ?? 0);
      try {
        this.add(shard, await receive(this.#on(shard), { ...request, queues, max, holding: held }));
      } catch (error) {
        this.#fleet.noteAway(shard, error);
        this.#failure ??= error;
      }
    }
  }

  add(shard: Shard, { messages = [], expiresAt, nextInMs, more }: Partial<ReceiveAnswer>): void {
    this.#messages.push(...messages);
    this.#taken.set(shard, (this.#taken.get(shard) ?? 0) + messages.length);
    this.#expiresAt = Math.min(this.#expiresAt, expiresAt ?? this.#expiresAt);
    this.#nextInMs = Math.min(this.#nextInMs, nextInMs ?? this.#nextInMs);
    if (more) this.#hasMore = true;
  }

  answer(): ReceiveAnswer {
    if (this.#failure && this.#taken.size === 0) throw this.#failure;
    const isIdle = this.#messages.length === 0 && Number.isFinite(this.#nextInMs);
    return {
      expiresAt: this.#expiresAt,
      messages: this.#messages,
      ...(isIdle ? { nextInMs: this.#nextInMs } : {}),
      ...(this.#hasMore ? { more: true } : {}),
    };
  }
}

/** First each queue at its home; then, where homes have ever moved, wherever else something of it may be. */
function findStretches(fleet: Fleet, known: Queues, names: string[]): Stretch[] {
  const stretches: Stretch[] = [];
  const add = (shard: Shard, queue: string) => {
    const last = stretches.at(-1);
    if (last?.shard === shard) last.queues.push(queue);
    else stretches.push({ shard, queues: [queue] });
  };
  const distinct = [...new Set(names)];
  const isEverywhere = (queue: string) => known.get(queue)?.partition !== undefined;
  const home = (queue: string) => fleet.home(placeOf({ name: queue }, {}, ''));
  for (const queue of distinct) {
    if (isEverywhere(queue)) for (const shard of fleet.all) add(shard, queue);
    else add(home(queue), queue);
  }
  if (!fleet.topology.map.before) return stretches;
  for (const shard of fleet.all) {
    for (const queue of distinct) if (!isEverywhere(queue) && home(queue) !== shard) add(shard, queue);
  }
  return stretches;
}

/**
 * How many messages of the lease a shard surely has, by their ids. Where an id does not surely speak of its shard nothing is said
 * (-1): then what was lost on its way comes when the lease is over.
 */
function countHeld(
  fleet: Fleet,
  holding: number | readonly string[] | undefined,
  stretches: readonly Stretch[],
): (shard: Shard) => number {
  if (holding === undefined) return () => -1;
  if (typeof holding === 'number') {
    const shards = new Set(stretches.map(({ shard }) => shard));
    if (holding > 0 && shards.size > 1) {
      const message =
        'must be a list of ids where the queues are on several shards: their number does not say on which';
      throw new InvalidMessage([{ field: 'receive.holding', code: 'holding_ids', message }]);
    }
    return (shard) => (shards.has(shard) ? holding : 0);
  }
  if (!holding.every((id) => isSureOf(fleet, id))) return () => -1;
  const counts = new Map<Shard, number>();
  for (const id of holding) {
    const shard = fleet.hinted(id) as Shard;
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  return (shard) => counts.get(shard) ?? 0;
}

/** Whether a message surely is on the shard that its id speaks of. */
function isSureOf(fleet: Fleet, id: string): boolean {
  const shard = fleet.hinted(id);
  return shard !== undefined && !CALLBACK.test(id) && fleet.topology.stateOf(shard.identity.name) === 'active';
}

/** A callback's id is made of that of the message it follows on, which may have been elsewhere. */
const CALLBACK = /-(done|dead)\d/;

/**
 * What a shard knows nothing of may be on another: a message keeps its id wherever it is moved. And a callback's id may be that of its
 * parcel, too, which is still there, in the lease of the drain that has forwarded it.
 */
async function settleElsewhere(
  fleet: Fleet,
  on: FleetConsumerOptions['on'],
  lease: string,
  settlements: SettleRequest['settlements'],
  settled: Map<string, SettleAnswer['settled'][number]['status']>,
): Promise<void> {
  const unknown = settlements.filter(({ id }) => {
    const status = settled.get(id);
    return status === 'gone' || (status === 'stale' && !isSureOf(fleet, id));
  });
  if (unknown.length === 0) return;
  await Promise.all(
    fleet.all.map(async (shard) => {
      const own = unknown.filter(({ id }) => (fleet.hinted(id) ?? fleet.all[0]) !== shard);
      if (own.length === 0) return;
      const answer = await settle(on(shard), { lease, settlements: own });
      for (const { id, status } of answer.settled) if (status !== 'gone') settled.set(id, status);
    }),
  );
}

function mergeSettled(
  settlements: SettleRequest['settlements'],
  statuses: ReadonlyMap<string, SettleAnswer['settled'][number]['status']>,
  answers: readonly SettleAnswer[],
): SettleAnswer {
  const settled = settlements.map(({ id }) => ({ id, status: statuses.get(id) ?? ('gone' as const) }));
  if (answers.some(({ lost }) => lost)) return { settled, lost: true };
  const cancelled = answers.flatMap((answer) => answer.cancelled ?? []);
  const expiresAt = Math.min(...answers.map((answer) => answer.expiresAt ?? Number.POSITIVE_INFINITY));
  return {
    settled,
    ...(cancelled.length > 0 ? { cancelled } : {}),
    ...(Number.isFinite(expiresAt) ? { expiresAt } : {}),
  };
}
