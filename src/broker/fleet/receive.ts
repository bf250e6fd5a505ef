/**
 * Consuming over several shards: one lease of one name on each shard that has messages for it. The queues are asked in their order, each
 * where it has its home, and behind the homes wherever messages of theirs may be left.
 *
 * Ids do not tell for sure where a message is, and what a shard believes its caller to hold decides what it gives out again. So where a
 * lease may be on several shards each is asked first what it has of it.
 */
import { InvalidMessage } from '../errors.ts';
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from '../shards/fleet.ts';
import { hashText } from '../shards/placement.ts';
import { placeOf } from '../shards/places.ts';
import { readLeased } from '../store/leased.ts';
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

/** How a caller names what it holds: by its id, with or without the attempt in front. */
const HELD = /^(?:(\d+)\.)?(.*)$/;

/** Whoever only consumes is told of no newer map: so often it looks itself. */
const LOOK_MS = 30_000;

/** @throws StorageError where no shard answers; RequestMismatch where another lease has begun under the claim */
export async function receiveFromFleet(
  consuming: FleetConsumerOptions,
  request: ReceiveRequest,
): Promise<ReceiveAnswer> {
  await consuming.fleet.ready(LOOK_MS);
  const taking = new Taking(consuming, request.lease, () => 0);
  const { homes, behind } = findStretches(consuming, request.queues, hashText(request.lease));
  await taking.take(homes, request);
  await taking.takeBehind(behind, request);
  return taking.answer();
}

/**
 * What a shard that does not answer may hold is `unanswered`: whoever settles it again settles nothing twice.
 * @throws StorageError where no shard answers; InvalidMessage where it is not said which messages are held
 */
export async function settleInFleet(consuming: FleetConsumerOptions, request: SettleRequest): Promise<SettleAnswer> {
  const { fleet, on } = consuming;
  await fleet.ready(LOOK_MS);
  const shards = request.leasedFrom ? findShards(consuming, request.leasedFrom) : fleet.all;
  const [only] = shards as [Shard];
  requireIds(request.more?.holding, shards);
  const answer = shards.length === 1 ? await settle(on(only), request) : await settleOn(consuming, request, shards);
  await settleElsewhere(consuming, request, shards, answer.settled);
  return answer;
}

/** @param shards those that the lease may be on */
async function settleOn(
  consuming: FleetConsumerOptions,
  { lease, settlements, extendMs, more }: SettleRequest,
  shards: readonly Shard[],
): Promise<SettleAnswer> {
  const { fleet, on } = consuming;
  const leased = new Map(
    (await fleet.askAll((shard) => readLeased(shard, lease), shards)).map(({ shard, answer }) => [shard, answer]),
  );
  const answering = [...leased.keys()];
  const isWhole = answering.length === shards.length;
  const find = (id: string) => answering.find((shard) => leased.get(shard)?.has(id));
  // A lease that was swept and has begun anew may have a message again that the caller holds since before: that is another delivery.
  const findHeld = (held: string) => {
    const [, attempt, id = ''] = HELD.exec(held) ?? [];
    return answering.find((shard) => {
      const there = leased.get(shard)?.get(id);
      return there !== undefined && (attempt === undefined || there === Number(attempt));
    });
  };
  const holding = Map.groupBy(typeof more?.holding === 'object' ? new Set(more.holding) : [], findHeld);
  const isLost = isWhole && holding.has(undefined);
  const further = isLost ? undefined : more;
  const byShard = Map.groupBy(
    settlements,
    ({ id }) => find(id) ?? (isWhole ? (fleet.hinted(id) ?? answering[0]) : undefined),
  );
  const { homes, behind } = findStretches(consuming, further?.queues ?? []);
  const [first, ...others] = homes.filter(({ shard }) => leased.has(shard));
  const count = (shard: Shard) => holding.get(shard)?.length ?? 0;
  const lasts = extendMs !== undefined || more !== undefined;
  const concerned = fleet.all.filter((shard) => byShard.has(shard) || (lasts && leased.has(shard)));
  const answers = await fleet.askAll((shard) => {
    const queues = shard === first?.shard ? first.queues : []; // of the others comes what was lost on its way
    const taken = further && { more: { queues, max: further.max, holding: count(shard) } };
    return settle(on(shard), { lease, settlements: byShard.get(shard) ?? [], extendMs, ...taken });
  }, concerned);
  const told = answers.flatMap(({ shard, answer }) =>
    (byShard.get(shard) ?? []).map((settlement, i) => [settlement, answer.settled[i]?.status] as const),
  );
  const statuses = new Map(told);
  const settled: Settled = settlements.map((settlement) => ({
    id: settlement.id,
    status: statuses.get(settlement) ?? 'unanswered',
  }));
  const taking = new Taking(consuming, lease, count);
  for (const { shard, answer } of answers.toSorted((one, other) => rank(one, first) - rank(other, first)))
    taking.add(shard, answer);
  if (isLost || answers.some(({ answer }) => answer.lost)) {
    await taking.giveBack(0);
    return { settled, lost: true };
  }
  const cancelled = answers.flatMap(({ answer }) => answer.cancelled ?? []);
  const outcome = { settled, ...(cancelled.length > 0 && { cancelled }) };
  // Where a shard has not said so, its part of the lease may last no longer than before: then nothing is said of all of it.
  const isExtended = isWhole && answers.length === concerned.length;
  if (!more)
    return {
      ...outcome,
      ...(extendMs !== undefined && isExtended && answers.length > 0 && { expiresAt: taking.answer().expiresAt }),
    };
  await taking.giveBack(more.max);
  const request = { lease, max: more.max, visibilityMs: extendMs ?? VISIBILITY_MS };
  // One that has not answered holds what it was to settle, for all that is known: asked once more it would give that again.
  const answered = new Set(answers.map(({ shard }) => shard));
  const mayGive = ({ shard }: Stretch) => answered.has(shard);
  await taking.take(others.filter(mayGive), request);
  await taking.takeBehind(behind.filter(mayGive), request);
  const { expiresAt, ...taken } = taking.answer();
  return { ...outcome, ...taken, ...(isExtended && { expiresAt }) };
}

/** What the shard has lost on its way comes before what others take anew. */
const rank = ({ shard }: { shard: Shard }, first: Stretch | undefined) => Number(shard === first?.shard);

/** What several shards gave for one lease. */
class Taking {
  readonly #consuming: FleetConsumerOptions;
  readonly #lease: string;
  readonly #holdingOn: (shard: Shard) => number;
  readonly #given: { shard: Shard; message: ReceiveAnswer['messages'][number] }[] = [];
  readonly #answering = new Set<Shard>();
  readonly #silent = new Set<Shard>();
  #expiresAt = Number.POSITIVE_INFINITY;
  #nextInMs = Number.POSITIVE_INFINITY;
  #hasMore = false;
  #failure: unknown;

  constructor(consuming: FleetConsumerOptions, lease: string, holdingOn: (shard: Shard) => number) {
    this.#consuming = consuming;
    this.#lease = lease;
    this.#holdingOn = holdingOn;
  }

  /** One after the other, because each is asked only for what those before it did not have. */
  async take(stretches: Stretch[], request: Omit<ReceiveRequest, 'queues'>): Promise<void> {
    for (const stretch of stretches) await this.#ask(stretch, request);
  }

  /** Side by side, because mostly nothing is there. */
  async takeBehind(stretches: Stretch[], request: Omit<ReceiveRequest, 'queues'>): Promise<void> {
    await Promise.all(stretches.map((stretch) => this.#ask(stretch, request)));
    await this.giveBack(request.max);
  }

  async #ask({ shard, queues }: Stretch, request: Omit<ReceiveRequest, 'queues'>): Promise<void> {
    const { fleet, on } = this.#consuming;
    const max = request.max - this.#given.length;
    if (max <= 0 || this.#silent.has(shard)) return;
    const holding = this.#holdingOn(shard) + this.#given.filter((given) => given.shard === shard).length;
    try {
      this.add(shard, await receive(on(shard), { ...request, queues, max, holding }));
    } catch (error) {
      fleet.noteAway(shard, error);
      this.#silent.add(shard);
      this.#failure ??= error;
    }
  }

  add(shard: Shard, { messages = [], expiresAt, nextInMs, more }: Partial<ReceiveAnswer>): void {
    this.#answering.add(shard);
    this.#given.push(...messages.map((message) => ({ shard, message })));
    this.#expiresAt = Math.min(this.#expiresAt, expiresAt ?? this.#expiresAt);
    this.#nextInMs = Math.min(this.#nextInMs, nextInMs ?? this.#nextInMs);
    if (more) this.#hasMore = true;
  }

  /** What is beyond what the caller has room for goes back as if never taken. What does not arrive comes with its next call. */
  async giveBack(max: number): Promise<void> {
    const { on, fleet } = this.#consuming;
    const beyond = Map.groupBy(this.#given.splice(max), ({ shard }) => shard);
    if (beyond.size > 0) this.#hasMore = true;
    const giving = [...beyond].map(async ([shard, given]) => {
      const settlements = given.map(({ message: { id, attempt } }) => ({ id, attempt, outcome: 'release' as const }));
      await settle(on(shard), { lease: this.#lease, settlements }).catch((error: unknown) =>
        fleet.noteAway(shard, error),
      );
    });
    await Promise.all(giving);
  }

  answer(): ReceiveAnswer {
    if (this.#failure && this.#answering.size === 0) throw this.#failure;
    const isIdle = this.#given.length === 0 && Number.isFinite(this.#nextInMs);
    return {
      expiresAt: this.#expiresAt,
      messages: this.#given.map(({ message }) => message),
      ...(isIdle ? { nextInMs: this.#nextInMs } : {}),
      ...(this.#hasMore ? { more: true } : {}),
    };
  }
}

/**
 * First each queue at its home; then, where homes have ever moved, wherever else something of it may be.
 * @param start with which shard a queue begins that is everywhere: with the same one each time the others would never get their turn
 */
function findStretches(
  { fleet, queues: known }: FleetConsumerOptions,
  names: string[],
  start = Math.floor(Math.random() * fleet.all.length),
): { homes: Stretch[]; behind: Stretch[] } {
  const homes: Stretch[] = [];
  const add = (shard: Shard, queue: string) => {
    const last = homes.at(-1);
    if (last?.shard === shard) last.queues.push(queue);
    else homes.push({ shard, queues: [queue] });
  };
  const first = start % fleet.all.length;
  const turned = [...fleet.all.slice(first), ...fleet.all.slice(0, first)];
  const isEverywhere = (queue: string) => known.get(queue)?.partition !== undefined;
  const home = (queue: string) => fleet.home(placeOf({ name: queue }, {}, ''));
  const distinct = [...new Set(names)];
  for (const queue of distinct) {
    if (isEverywhere(queue)) for (const shard of turned) add(shard, queue);
    else add(home(queue), queue);
  }
  if (fleet.topology.map.epoch === 1) return { homes, behind: [] };
  const moved = (shard: Shard) => distinct.filter((queue) => !isEverywhere(queue) && home(queue) !== shard);
  const behind = fleet.all.map((shard) => ({ shard, queues: moved(shard) }));
  return { homes, behind: behind.filter(({ queues }) => queues.length > 0) };
}

/** Those that a lease for these queues may be on. */
function findShards(consuming: FleetConsumerOptions, queues: string[]): Shard[] {
  const { homes, behind } = findStretches(consuming, queues);
  return [...new Set([...homes, ...behind].map(({ shard }) => shard))];
}

/** @throws InvalidMessage */
function requireIds(holding: number | readonly string[] | undefined, shards: readonly Shard[]): void {
  if (typeof holding !== 'number' || holding === 0 || shards.length === 1) return;
  const message = 'must be a list of ids where the queues are on several shards: their number does not say on which';
  throw new InvalidMessage([{ field: 'receive.holding', code: 'holding_ids', message }]);
}

type Settled = SettleAnswer['settled'];

/** Homes may have moved while the lease lasts, and the map that is known here be an older one: what nobody has may be with the others. */
async function settleElsewhere(
  { fleet, on }: FleetConsumerOptions,
  { lease, settlements }: SettleRequest,
  asked: readonly Shard[],
  settled: Settled,
): Promise<void> {
  const unknown = settlements.filter((_, index) => settled[index]?.status === 'gone');
  const others = fleet.all.filter((shard) => !asked.includes(shard));
  if (unknown.length === 0 || others.length === 0) return;
  const answers = await Promise.all(
    others.map((shard) =>
      settle(on(shard), { lease, settlements: unknown }).catch((error: unknown) => fleet.noteAway(shard, error)),
    ),
  );
  const found = new Map(
    answers
      .flatMap((answer) => answer?.settled ?? [])
      .flatMap(({ id, status }) => (status === 'gone' ? [] : [[id, status]])),
  );
  for (const each of settled) if (each.status === 'gone') each.status = found.get(each.id) ?? 'gone';
}
