/**
 * Settling over several shards.
 *
 * Ids do not tell for sure where a message is, and what a shard believes its caller to hold decides what it gives out again. So where a
 * lease may be on several shards each is asked first what it has of it.
 */
import { InvalidMessage } from '../../errors.ts';
import type { Shard } from '../../redis/shard.ts';
import { readLeased } from '../../store/leased.ts';
import { type SettleAnswer, type SettleRequest, settle, VISIBILITY_MS } from '../consumer.ts';
import { type FleetConsumerOptions, findShards, findStretches, LOOK_MS, type Stretch } from './stretches.ts';
import { Taking } from './taking.ts';

type Settled = SettleAnswer['settled'];
type Settlement = SettleRequest['settlements'][0];

/** How a caller names what it holds: by its id, with or without the attempt in front. */
const HELD = /^(?:(\d+)\.)?(.*)$/;

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
  request: SettleRequest,
  shards: readonly Shard[],
): Promise<SettleAnswer> {
  const { more, extendMs } = request;
  const leased = await Leased.read(consuming, request.lease, shards);
  const held = Map.groupBy(typeof more?.holding === 'object' ? new Set(more.holding) : [], (one) =>
    leased.findHeld(one),
  );
  const isLost = leased.isWhole && held.has(undefined);
  const { homes, behind } = findStretches(consuming, isLost ? [] : (more?.queues ?? []));
  const [first, ...others] = homes.filter(({ shard }) => leased.answering.includes(shard));
  const taking = new Taking(consuming, request.lease, (shard) => held.get(shard)?.length ?? 0);

  const part = { leased, first, taking, mayTake: !isLost };
  const { settled, answers, isExtended } = await settleEach(consuming, request, part);
  for (const { shard, answer } of answers) taking.add(shard, answer);
  if (isLost || answers.some(({ answer }) => answer.lost)) {
    await taking.giveBack(0);
    return { settled, lost: true };
  }
  const cancelled = answers.flatMap(({ answer }) => answer.cancelled ?? []);
  const outcome = { settled, ...(cancelled.length > 0 && { cancelled }) };
  if (!more) {
    const isTold = extendMs !== undefined && isExtended && answers.length > 0;
    return { ...outcome, ...(isTold && { expiresAt: taking.answer().expiresAt }) };
  }

  await taking.giveBack(more.max);
  const wanted = { lease: request.lease, max: more.max, visibilityMs: extendMs ?? VISIBILITY_MS };
  // One that has not answered holds what it was to settle, for all that is known: asked once more it would give that again.
  const mayGive = ({ shard }: Stretch) => answers.some((answered) => answered.shard === shard);
  await taking.take(others.filter(mayGive), wanted);
  await taking.takeBehind(behind.filter(mayGive), wanted);
  const { expiresAt, ...taken } = taking.answer();
  return { ...outcome, ...taken, ...(isExtended && { expiresAt }) };
}

/** What the shards have of a lease, as each says itself. */
class Leased {
  /** Those that have said it. */
  readonly answering: Shard[];
  /** Whether that is all of them. */
  readonly isWhole: boolean;
  /** The attempt of each message, by its id. */
  readonly #attempts: Map<Shard, Map<string, number>>;

  private constructor(attempts: Map<Shard, Map<string, number>>, shards: readonly Shard[]) {
    this.#attempts = attempts;
    this.answering = [...attempts.keys()];
    this.isWhole = this.answering.length === shards.length;
  }

  static async read({ fleet }: FleetConsumerOptions, lease: string, shards: readonly Shard[]): Promise<Leased> {
    const answers = await fleet.askAll((shard) => readLeased(shard, lease), shards);
    return new Leased(new Map(answers.map(({ shard, answer }) => [shard, answer])), shards);
  }

  find(id: string): Shard | undefined {
    return this.answering.find((shard) => this.#attempts.get(shard)?.has(id));
  }

  /** A lease that was swept and has begun anew may have a message again that the caller holds since before: that is another delivery. */
  findHeld(held: string): Shard | undefined {
    const [, attempt, id = ''] = HELD.exec(held) ?? [];
    return this.answering.find((shard) => {
      const there = this.#attempts.get(shard)?.get(id);
      return there !== undefined && (attempt === undefined || there === Number(attempt));
    });
  }
}

interface Part {
  leased: Leased;
  /** What is asked for along with the settlements. */
  first: Stretch | undefined;
  taking: Taking;
  mayTake: boolean;
}

/** Each shard what is its own of the settlements: all of them side by side. The answer of the first is behind those of the others. */
async function settleEach(
  { fleet, on }: FleetConsumerOptions,
  { lease, settlements, extendMs, more }: SettleRequest,
  { leased, first, taking, mayTake }: Part,
) {
  const anyone = leased.isWhole ? leased.answering[0] : undefined; // what nobody has is gone, and each of them says so
  const byShard = Map.groupBy(settlements, ({ id }) => leased.find(id) ?? (anyone && (fleet.hinted(id) ?? anyone)));
  const lasts = extendMs !== undefined || more !== undefined;
  const concerned = fleet.all.filter((shard) => byShard.has(shard) || (lasts && leased.answering.includes(shard)));
  const answers = await fleet.askAll((shard) => {
    const queues = shard === first?.shard ? first.queues : []; // of the others comes what was lost on its way
    const taken = mayTake && more && { more: { queues, max: more.max, holding: taking.countHeldOn(shard) } };
    return settle(on(shard), { lease, settlements: byShard.get(shard) ?? [], extendMs, ...taken });
  }, concerned);
  return {
    answers: answers.toSorted(
      (one, other) => Number(one.shard === first?.shard) - Number(other.shard === first?.shard),
    ),
    settled: inTheirOrder(settlements, byShard, answers),
    // Where a shard has not said so, its part of the lease may last no longer than before: then nothing is said of all of it.
    isExtended: leased.isWhole && answers.length === concerned.length,
  };
}

function inTheirOrder(
  settlements: readonly Settlement[],
  byShard: Map<Shard | undefined, Settlement[]>,
  answers: { shard: Shard; answer: SettleAnswer }[],
): Settled {
  const statuses = new Map(
    answers.flatMap(({ shard, answer }) =>
      (byShard.get(shard) ?? []).map((settlement, i) => [settlement, answer.settled[i]?.status] as const),
    ),
  );
  return settlements.map((settlement) => ({
    id: settlement.id,
    status: statuses.get(settlement) ?? 'unanswered',
  }));
}

/** @throws InvalidMessage */
function requireIds(holding: number | readonly string[] | undefined, shards: readonly Shard[]): void {
  if (typeof holding !== 'number' || holding === 0 || shards.length === 1) return;
  const message = 'must be a list of ids where the queues are on several shards: their number does not say on which';
  throw new InvalidMessage([{ field: 'receive.holding', code: 'holding_ids', message }]);
}

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
