// What several shards give for one lease, and how what is too much goes back.
import type { Shard } from '../../redis/shard.ts';
import { type ReceiveAnswer, type ReceiveRequest, receive, settle } from '../consumer.ts';
import type { FleetConsumerOptions, Stretch } from './stretches.ts';

export class Taking {
  readonly #consuming: FleetConsumerOptions;
  readonly #lease: string;
  readonly #heldBefore: (shard: Shard) => number;
  readonly #given: { shard: Shard; message: ReceiveAnswer['messages'][number] }[] = [];
  readonly #answering = new Set<Shard>();
  readonly #silent = new Set<Shard>();
  #expiresAt = Number.POSITIVE_INFINITY;
  #nextInMs = Number.POSITIVE_INFINITY;
  #hasMore = false;
  #failure: unknown;

  constructor(consuming: FleetConsumerOptions, lease: string, heldBefore: (shard: Shard) => number) {
    this.#consuming = consuming;
    this.#lease = lease;
    this.#heldBefore = heldBefore;
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
    try {
      this.add(shard, await receive(on(shard), { ...request, queues, max, holding: this.countHeldOn(shard) }));
    } catch (error) {
      fleet.noteAway(shard, error);
      this.#silent.add(shard);
      this.#failure ??= error;
    }
  }

  /** What the caller has of a shard, with what it is about to be given. */
  countHeldOn(shard: Shard): number {
    return this.#heldBefore(shard) + this.#given.filter((given) => given.shard === shard).length;
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
