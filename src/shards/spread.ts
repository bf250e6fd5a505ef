/**
 * Spread: a request whose messages have their homes on several shards is accepted whole by one of them, which holds parcels for the
 * others, and whoever made it forwards these at once. What cannot be forwarded now, a drain forwards.
 */
import { ShardMoved, StorageError } from '../errors.ts';
import type { PreparedMessage } from '../message/envelope.ts';
import { newToken, relabel } from '../message/ids.ts';
import { MOST_PARTS, makeParcelIds, makePartBase, type Part, type SplitRequest } from '../message/parts.ts';
import type { Shard } from '../redis/shard.ts';
import { endsWithin, sleep } from '../runtime/sleep.ts';
import { encodeRequest } from '../store/encode-messages.ts';
import { type EnqueueAnswer, type EnqueueRequest, enqueue } from '../store/enqueue.ts';
import { COMMON_WAKE, type Wake } from '../store/wake.ts';
import type { Fleet } from './fleet.ts';
import { dropParcel, forward } from './forward.ts';
import { FORMER_MS, formerHomesIn } from './map.ts';
import { pack } from './parcel.ts';
import type { Place } from './placement.ts';
import { hasOrder, isAnywhere, openPlacing, type PartitionedQueues, placeMessage } from './placing.ts';

export interface SpreadRequest extends EnqueueRequest {
  /** What it belongs to, at whose home it is accepted. Left out: the first message. */
  coordinator?: Place | undefined;
}

export interface Spread {
  /** @throws StorageError, RequestMismatch */
  enqueue(request: SpreadRequest): Promise<EnqueueAnswer>;
}

export interface SpreadOptions {
  fleet: Fleet;
  queues: PartitionedQueues;
  /** Goes on with this behind the answer of the caller. */
  keepAlive(work: Promise<unknown>): void;
}

/** Of several waits, each twice as long as the one before. */
const FIRST_WAIT_MS = 50;
/** So often a request is placed anew, where the map changes meanwhile. */
const TRIES = 5;
/** Tokens that are tried, until one brings a request that may go anywhere to a shard that answers. */
const TOKENS = 8;
/** No drain forwards a parcel before, so that none races its caller. */
const PARCEL_DELAY_MS = 2_000;
/** A caller waits so long until its parcels have arrived: what is late goes on behind its answer. */
const FORWARD_MS = 1_000;
/** Characters of one parcel, but for one message that is longer: a drain has to take it in one answer. */
const PARCEL_LENGTH = 512 * 1024;

export function openSpread(options: SpreadOptions): Spread {
  const { fleet } = options;
  return {
    async enqueue(request) {
      const base = newToken();
      const token = request.token ?? newToken();
      for (let tries = 0; tries < TRIES; tries++) {
        await fleet.ready();
        const spreading = new Spreading(options, request, token, base);
        await spreading.waitForHomes();
        try {
          return await spreading.enqueue();
        } catch (error) {
          if (!(error instanceof ShardMoved)) throw error;
          fleet.topology.noteEpoch(error.epoch);
        }
      }
      throw new StorageError('garbled', 'the map of the shards changes all the time');
    },
  };
}

type ToldAnswer = EnqueueAnswer & { woken: string[] };

interface OutgoingParcel {
  to: Shard;
  args: string[];
  count: number;
  part: Part;
  /** Among the parcels of its request. */
  index: number;
}

/** One try to enqueue a request by the map that is known. */
class Spreading {
  readonly #options: SpreadOptions;
  readonly #request: SpreadRequest;
  readonly #token: string;
  readonly #base: string;

  /** @param base of its ids, but for the label of the shard that accepts it */
  constructor(options: SpreadOptions, request: SpreadRequest, token: string, base: string) {
    this.#options = options;
    this.#request = request;
    this.#token = token;
    this.#base = base;
  }

  /** Where it is decided just now whether the home of one of its messages moves, that comes first. @throws StorageError */
  async waitForHomes(): Promise<void> {
    const { fleet } = this.#options;
    const isClosing = (place: Place) => fleet.topology.isClosing(place);
    for (let waitMs = FIRST_WAIT_MS; this.#placeAll().some(isClosing); waitMs *= 2) {
      await sleep(waitMs);
      await fleet.topology.reload(fleet.all);
    }
  }

  /** @throws ShardMoved, StorageError, RequestMismatch */
  async enqueue(): Promise<EnqueueAnswer> {
    const { fleet } = this.#options;
    const homes = await this.#findHomes();
    const coordinator = fleet.named(await this.#chooseCoordinator(homes));
    const answer = await this.#accept(coordinator, homes);
    const { name } = coordinator.identity;
    const told = { ...answer, woken: answer.wake ? [name] : [] };
    return answer.split ? this.#forwardAll(coordinator, told, answer.split) : told;
  }

  /** Of each message the name of its shard. */
  async #findHomes(): Promise<string[]> {
    const { topology } = this.#options.fleet;
    const places = this.#placeAll();
    const homes = places.map((place) => topology.home(place));
    if (topology.map.before) await this.#askFormerHomes(places, homes);
    return homes;
  }

  #placeAll(): Place[] {
    const { queues } = this.#options;
    const { messages } = this.#request;
    const placed = (token: string) => messages.map((message) => placeMessage(queues, message, token));
    const places = placed(this.#token);
    const isDown = (i: number) => !this.#answers(this.#options.fleet.topology.home(places[i] as Place));
    // One with a name is always placed by it, for that is how a repetition finds it.
    if (this.#request.token !== undefined) return places;
    for (let tries = 1; tries < TOKENS; tries++) {
      if (!messages.some((message, i) => isAnywhere(queues, message) && isDown(i))) return places;
      const others = placed(`${this.#token}.${tries}`);
      for (const [i, message] of messages.entries()) if (isAnywhere(queues, message)) places[i] = others[i] as Place;
    }
    return places;
  }

  /** As far as this isolate knows. */
  #answers(name: string): boolean {
    return this.#options.fleet.all.some((shard) => shard.identity.name === name && !shard.isDown());
  }

  /** Messages whose dedup keys are held where their homes were before go there: the key has to find its first message. */
  async #askFormerHomes(places: Place[], homes: string[]): Promise<void> {
    const { fleet } = this.#options;
    const { map } = fleet.topology;
    const asked = new Map<string, Map<string, number[]>>();
    for (const [i, { lane, dedup }] of this.#request.messages.entries()) {
      if (!dedup) continue;
      const longerMs = Math.max(0, dedup.windowMs - FORMER_MS);
      for (const former of formerHomesIn(map, places[i] as Place, Date.now() - longerMs)) {
        const keys = asked.get(former) ?? new Map<string, number[]>();
        asked.set(former, keys);
        const key = fleet.named(former).keys.dedup(queueOf(lane), dedup.digest);
        keys.set(key, [...(keys.get(key) ?? []), i]);
      }
    }
    const asking = [...asked].map(async ([former, keys]) => {
      const held = await readAll(fleet.named(former), [...keys.keys()]);
      return [...keys.values()].flatMap((messages, i) =>
        held[i] === null ? [] : messages.map((at) => [at, former] as const),
      );
    });
    for (const [at, former] of (await Promise.all(asking)).flat()) homes[at] = former;
  }

  /** The name of the shard that accepts it. */
  async #chooseCoordinator(homes: string[]): Promise<string> {
    const { fleet, queues } = this.#options;
    const { topology } = fleet;
    const { messages, token, coordinator } = this.#request;
    // What has an order does not go by a parcel, if that can be: the next one of its caller might be there before it.
    const first = Math.max(
      0,
      messages.findIndex((message) => hasOrder(queues, message)),
    );
    if (token === undefined) {
      const [home = ''] = homes.slice(first);
      return this.#answers(home) ? home : (homes.find((other) => this.#answers(other)) ?? home);
    }
    const place = coordinator ?? placeMessage(queues, messages[first] as PreparedMessage, token);
    for (const former of topology.map.before ? formerHomesIn(topology.map, place, Date.now()) : []) {
      const shard = fleet.named(former);
      const [known] = await readAll(shard, [shard.keys.request(token)]);
      if (known !== null) return former; // it was accepted there, before the map changed
    }
    return topology.home(place);
  }

  /** @throws ShardMoved, StorageError, RequestMismatch */
  #accept(shard: Shard, homes: string[]): Promise<EnqueueAnswer> {
    const { messages, wake = COMMON_WAKE, ...request } = this.#request;
    const { label, epoch, name } = shard.identity;
    const base = relabel(this.#base, label);
    const parts = divide(messages, homes, name, (home) => this.#options.fleet.topology.identify(home).label);
    const named = { ...request, token: this.#token, base, epoch };
    if (parts.length === 1) return enqueue(shard, { ...named, messages: this.#settle(messages, name), wake });
    const own = this.#settle(pick(messages, parts[0]), name);
    const parcels = this.#parcels({ base, parts }).map(({ parcel }) => pack(parcel, PARCEL_DELAY_MS));
    // The parcels alone are not worth a drain: mostly they have arrived by the time it could forward them.
    const isDelayed = own.some(({ delayMs, notBefore = 0 }) => delayMs > 0 || notBefore > 0);
    return enqueue(shard, {
      ...named,
      messages: [...own, ...parcels],
      split: { parts, count: messages.length },
      wake: wake && !isDelayed ? { ...wake, withinMs: 0 } : wake,
      handOff: undefined,
    });
  }

  /** Of all parts but the first: what goes to their shards. */
  #parcels(split: SplitRequest) {
    const { topology } = this.#options.fleet;
    return split.parts.slice(1).map((part, i) => {
      const to = topology.labelled(part.label) ?? '';
      const messages = this.#settle(pick(this.#request.messages, part), to);
      const args = encodeRequest(messages, makePartBase(split, i + 1));
      return { part, parcel: { to, args, count: messages.length } };
    });
  }

  #settle(messages: PreparedMessage[], shard: string): PreparedMessage[] {
    const placing = openPlacing(this.#options.fleet.topology, this.#options.queues);
    return messages.map((message) => placing.settle(message, shard));
  }

  /** By the parts that it was accepted with, now or at an earlier try. */
  async #forwardAll(coordinator: Shard, answer: ToldAnswer, split: SplitRequest): Promise<EnqueueAnswer> {
    const { keepAlive } = this.#options;
    const ids = makeParcelIds(split);
    const onTheWay = new Set(split.parts.slice(1).flatMap(({ places }) => places));
    const merged = { ...answer, duplicates: new Map(answer.duplicates), woken: [...answer.woken] };
    const arrived: string[] = [];
    const forwardTo = async (parcels: OutgoingParcel[]) => {
      for (const { to, part, index, ...parcel } of parcels) {
        const id = ids[index] as string;
        const answer = await forward(this.#options.fleet, id, { ...parcel, to: to.identity.name }, this.#wake);
        if (!answer) continue; // a drain places it anew
        const { wake, duplicates } = answer;
        arrived.push(id);
        if (wake) merged.woken.push(to.identity.name);
        merged.wake ||= wake;
        for (const place of part.places) onTheWay.delete(place);
        for (const [at, first] of duplicates) merged.duplicates.set(part.places[at] as number, first);
      }
    };
    const byShard = Map.groupBy(this.#outgoing(split), ({ to }) => to);
    const forwarding = Promise.allSettled([...byShard.values()].map(forwardTo)); // one after the other to each, for their order
    await endsWithin(forwarding, FORWARD_MS);
    keepAlive(forwarding.then(() => dropAll(coordinator, arrived)));
    if (onTheWay.size === 0) return merged;
    // Whoever drains forwards them.
    const woken = [...merged.woken, coordinator.identity.name];
    return { ...merged, woken, wake: true, onTheWay: new Set(onTheWay) };
  }

  /** Those that this deployment can forward: of a shard that is gone, or that it does not know yet, a drain or another may. */
  #outgoing(split: SplitRequest): OutgoingParcel[] {
    const { all } = this.#options.fleet;
    return this.#parcels(split).flatMap(({ part, parcel }, index) => {
      const to = all.find(({ identity }) => identity.name === parcel.to);
      return to ? [{ ...parcel, to, part, index }] : [];
    });
  }

  get #wake(): Wake | false {
    return this.#request.wake ?? COMMON_WAKE;
  }
}

const queueOf = (lane: string) => lane.slice(2).split('/', 1)[0] as string;

const pick = (messages: readonly PreparedMessage[], { places }: Part) =>
  places.map((place) => messages[place] as PreparedMessage);

/** @returns null for each that is not there */
async function readAll({ send }: Shard, keys: string[]): Promise<unknown[]> {
  return (await send(['MGET', ...keys])) as unknown[];
}

/** One that stays is forwarded again, and that changes nothing. */
async function dropAll(shard: Shard, ids: string[]): Promise<void> {
  await Promise.allSettled(ids.map((id) => dropParcel(shard, id)));
}

/** @returns the part of the shard that accepts, and behind it those of the others, each no larger than a parcel may be */
function divide(
  messages: readonly PreparedMessage[],
  homes: readonly string[],
  coordinator: string,
  labelOf: (shard: string) => string,
): [Part, ...Part[]] {
  const own = { label: labelOf(coordinator), places: [] as number[] };
  const parts: [typeof own, ...(typeof own)[]] = [own];
  const open = new Map<string, { part: typeof own; length: number }>();
  for (const [place, message] of messages.entries()) {
    const home = homes[place] as string;
    if (home === coordinator) {
      own.places.push(place);
      continue;
    }
    const length = lengthOf(message);
    let last = open.get(home);
    if (!last || (last.length + length > PARCEL_LENGTH && parts.length < MOST_PARTS)) {
      last = { part: { label: labelOf(home), places: [] }, length: 0 };
      open.set(home, last);
      parts.push(last.part);
    }
    last.part.places.push(place);
    last.length += length;
  }
  return parts;
}

const lengthOf = ({ json, callbacks = [] }: PreparedMessage): number =>
  callbacks.reduce((sum, { message }) => sum + message.json.length, json.length);
