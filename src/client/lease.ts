/**
 * A lease: messages that are this consumer's until it settles them, or lets the lease expire.
 *
 * Its calls go one after the other, because it tells the server which messages it holds, and that must be unambiguous.
 * A settlement that got no answer stays here and goes with the next call: it may have happened, so its message must
 * neither count as held nor be forgotten. One that was refused for good has not happened, and is taken out again: it would
 * have every later call refused.
 */
import type { Duration } from '../formats/duration.ts';
import { KEPT_LENGTH } from '../formats/thrown.ts';
import { isTemporary } from './error.ts';
import { path } from './path.ts';
import { type QueueRef, queueName } from './queue-ref.ts';
import type { Transport } from './transport.ts';
import type {
  Received,
  ReceivedMessage,
  Settled,
  SettledMessage,
  Settlement,
  SettleRequest,
  Status,
} from './wire-types.ts';

export interface ReceiveOptions {
  /** 1 to 100. Default 10. */
  max?: number | undefined;
  /** How long the messages stay away from others, from "1s" to "12h". Default "30s". */
  visibility?: Duration | undefined;
}

interface SettleOptions {
  /** The lease lasts this long from now. Left out, its expiry stays. */
  extend?: Duration | undefined;
}

type MessageRef = Pick<ReceivedMessage, 'id' | 'attempt'>;

/** What the last request of a call asks for besides its settlements. */
type LastRequest = (holding: string[]) => Omit<SettleRequest, 'settle'>;

/** Of the API. */
const MAX_SETTLEMENTS = 100;

export class Lease<Body = unknown> {
  /** Names the queues that it is for. Whoever knows it, and has a token for each of these, may settle. */
  readonly id: string;
  /** What the latest receive brought. */
  messages: ReceivedMessage<Body>[] = [];
  /** Epoch ms, by the server's clock. */
  expiresAt = 0;
  /** The latest receive brought nothing, and the next timer is due in so many ms. */
  nextInMs: number | undefined;
  /** There was more for the latest receive than it brought, because an answer holds about 4 MB: `settleAndReceive` brings it. */
  hasMore = false;
  /** The server gave its messages to others. Begin a new one. */
  isLost = false;
  /** Ids of messages that were cancelled while this lease held them. */
  readonly cancelled = new Set<string>();

  readonly #send: Transport;
  readonly #queues: readonly QueueRef[];
  /** By `<attempt>.<id>`: a lease that was swept and has begun anew may have a message again, and that is another delivery. */
  #held = new Set<string>();
  #unanswered: Settlement[] = [];
  #latest: Promise<unknown> = Promise.resolve();

  constructor(send: Transport, queues: readonly QueueRef[], answer: Received<Body>) {
    this.#send = send;
    this.#queues = queues;
    this.id = answer.lease;
    this.#take(answer);
  }

  /** Done: the message leaves the queue. @throws SluiceError */
  async ack(message: MessageRef): Promise<Status> {
    return this.#settleOne(message, 'ack');
  }

  /** Failed: again after `delay` (default 2 s doubling by attempt), or dead after its last attempt. @throws SluiceError */
  async retry(message: MessageRef, { delay, error }: { delay?: Duration; error?: string } = {}): Promise<Status> {
    return this.#settleOne(message, 'retry', delay, error);
  }

  /** Not to be tried again: a dead letter. @throws SluiceError */
  async dead(message: MessageRef, error?: string): Promise<Status> {
    return this.#settleOne(message, 'dead', undefined, error);
  }

  /** Given back as if never taken: to the head of its lane, or after `delay`. @throws SluiceError */
  async release(message: MessageRef, { delay }: { delay?: Duration } = {}): Promise<Status> {
    return this.#settleOne(message, 'release', delay);
  }

  /**
   * Any number of settlements.
   * @returns `{ id, status }` of each, after those of earlier calls that had got no answer
   * @throws SluiceError; where that is temporary, the settlements go with the next call, else they were refused and are none
   */
  settle(settlements: Settlement[], { extend }: SettleOptions = {}): Promise<SettledMessage[]> {
    return this.#inTurn(() => this.#sync(settlements, () => ({ extend })));
  }

  /**
   * The lease lasts this long from now. That it was lost before, only `settleAndReceive` tells.
   * @returns its expiry, epoch ms by the server's clock; the one it had where a shard that may have a part of it did not answer
   * @throws SluiceError
   */
  async extend(visibility: Duration): Promise<number> {
    await this.settle([], { extend: visibility });
    return this.expiresAt;
  }

  /**
   * Settles, and takes more into this lease in the same round trip.
   * @returns the new messages, also in `messages`; none where `isLost`
   * @throws SluiceError; what was lost on its way comes with the next call
   */
  async settleAndReceive(
    settlements: Settlement[],
    { max, visibility = '30s' }: ReceiveOptions = {},
  ): Promise<ReceivedMessage<Body>[]> {
    const queues = this.#queues.map(queueName);
    const receive = (holding: string[]) => ({ extend: visibility, receive: { queues, max, holding } });
    return this.#inTurn(async () => {
      this.messages = [];
      this.hasMore = false;
      await this.#sync(settlements, receive);
      return this.messages;
    });
  }

  async #settleOne(
    { id, attempt }: MessageRef,
    outcome: Settlement['outcome'],
    delay?: Duration,
    error?: string,
  ): Promise<Status> {
    const settlement: Settlement = { id, attempt, outcome };
    if (delay !== undefined) settlement.delay = delay;
    if (error !== undefined) settlement.error = error.slice(0, KEPT_LENGTH);
    const settled = await this.settle([settlement]);
    return settled.at(-1)?.status ?? 'stale';
  }

  async #sync(settlements: Settlement[], last: LastRequest): Promise<SettledMessage[]> {
    this.#unanswered.push(...settlements);
    try {
      return await this.#tell(last);
    } catch (error) {
      if (!isTemporary(error)) await this.#takeBack(settlements);
      throw error;
    }
  }

  /** What earlier calls got no answer for may be what was refused: it is told once more by itself. */
  async #takeBack(refused: Settlement[]): Promise<void> {
    const own = new Set(refused);
    this.#unanswered = this.#unanswered.filter((settlement) => !own.has(settlement));
    if (this.#unanswered.length === 0) return;
    await this.#tell(() => ({})).catch((error: unknown) => {
      if (!isTemporary(error)) this.#unanswered = [];
    });
  }

  async #tell(last: LastRequest): Promise<SettledMessage[]> {
    const settled: SettledMessage[] = [];
    let left = this.#unanswered.length;
    do {
      const batch = this.#unanswered.slice(0, Math.min(left, MAX_SETTLEMENTS));
      left -= batch.length;
      // A settlement without an attempt is for whichever is held.
      const names = new Set(batch.map(({ id, attempt = '' }) => `${attempt}.${id}`));
      const holding = [...this.#held].filter((held) => !names.has(held) && !names.has(held.replace(/^\d+/, '')));
      const request: SettleRequest = { settle: batch, ...(left === 0 && last(holding)) };
      // A shard may still have what an earlier request got no answer for, and would give it again: nothing more is taken then.
      if (this.#unanswered.length > batch.length) delete request.receive;
      const answer = await this.#send<Settled<Body>>('POST', path`/v1/leases/${this.id}/settle`, {
        body: request,
        isRepeatable: true,
      });
      this.#unanswered.splice(0, batch.length);
      this.#unanswered.push(...batch.filter((_, i) => answer.settled[i]?.status === 'unanswered')); // they go with the next call
      this.#held = new Set(holding);
      settled.push(...answer.settled);
      this.#take(answer);
    } while (Math.min(left, this.#unanswered.length) > 0);
    return settled;
  }

  #take({ messages, expiresAt, nextInMs, more, lost, cancelled = [] }: Partial<Settled<Body>>): void {
    for (const id of cancelled) this.cancelled.add(id);
    if (expiresAt !== undefined) this.expiresAt = expiresAt;
    if (lost) {
      this.isLost = true;
      this.#held.clear();
      this.#unanswered = [];
    }
    if (!messages) return;
    this.messages = messages;
    this.nextInMs = nextInMs;
    this.hasMore = more === true;
    for (const { id, attempt } of messages) this.#held.add(`${attempt}.${id}`);
  }

  #inTurn<Result>(call: () => Promise<Result>): Promise<Result> {
    const result = this.#latest.then(call, call);
    this.#latest = result;
    return result;
  }
}

/** @throws SluiceError */
export async function receive<Body>(
  send: Transport,
  queues: readonly QueueRef[],
  { max, visibility }: ReceiveOptions,
  idempotencyKey: string,
): Promise<Lease<Body>> {
  const body = { queues: queues.map(queueName), max, visibility };
  return new Lease(send, queues, await send<Received<Body>>('POST', '/v1/receive', { body, idempotencyKey }));
}
