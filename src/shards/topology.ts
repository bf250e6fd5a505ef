/**
 * Topology: which shards there are and what belongs where, as this isolate knows it. The map in storage decides; it is read when
 * it is first needed, and again where a shard has answered that there is a newer one.
 */
import type { ShardSettings } from '../config/shards.ts';
import { StorageError } from '../errors.ts';
import { PUSH_POOL } from '../message/lane.ts';
import type { Shard, ShardIdentity } from '../redis/shard.ts';
import { putMap, readMap } from '../store/map.ts';
import { homeIn, isClosingIn, makeInitialMap, parseMap, type ShardMap, type ShardState, writeMap } from './map.ts';
import type { Place } from './placement.ts';

/** Names of places whose homes are remembered: as many as a busy deployment has queues, or groups at work. */
const MOST_REMEMBERED = 10_000;

/** Who closes a place has decided before. */
const CLOSING_MS = 4_000;

export class Topology {
  readonly settings: readonly ShardSettings[];
  readonly #pools: readonly string[];
  #map: ShardMap | undefined;
  #knownAt = 0;
  /** The newest epoch that a shard has spoken of. */
  #notedEpoch = 0;
  #readAt = 0;
  readonly #homes = new Map<Place, string>();

  /** @param pools of the queues of this deployment */
  constructor(settings: readonly ShardSettings[], pools: readonly string[]) {
    this.settings = settings;
    this.#pools = pools;
  }

  /** There is more than one shard: only then there is a map. */
  get isMany(): boolean {
    return this.settings.length > 1;
  }

  /** @throws RangeError where it is not known yet */
  get map(): ShardMap {
    if (!this.#map) throw new RangeError('the map of the shards is not read yet');
    return this.#map;
  }

  /** Whether what is known of the map is as new as anybody has said. */
  get isKnown(): boolean {
    return this.#map !== undefined && this.#map.epoch >= this.#notedEpoch;
  }

  /** When somebody looked last which map there is, epoch ms. */
  get readAt(): number {
    return this.#readAt;
  }

  /** A shard has answered that its map is of this epoch. */
  noteEpoch(epoch: number): void {
    this.#notedEpoch = Math.max(this.#notedEpoch, epoch);
  }

  /** What stands in the map counts where it is newer than what is known. */
  adopt(map: ShardMap): void {
    if (this.#map && this.#map.epoch >= map.epoch) return;
    this.#map = map;
    this.#knownAt = performance.now();
    this.#homes.clear();
  }

  /** Whether nothing is to be placed there now: it is seen at this moment whether its home moves. Whoever dies meanwhile stops nobody for long. */
  isClosing(place: Place): boolean {
    return isClosingIn(this.map, place) && performance.now() - this.#knownAt < CLOSING_MS;
  }

  /** Reads the map again, if another has it already. @throws StorageError */
  async reload(shards: readonly Shard[]): Promise<void> {
    this.noteEpoch(this.map.epoch + 1);
    await this.load(shards);
  }

  /** A shard that the map does not name was added to the settings: nothing is placed there yet. */
  stateOf(name: string): ShardState {
    return this.#map?.shards.find((shard) => shard.name === name)?.state ?? 'joining';
  }

  /** A shard that the map has and the settings do not: another version of the deployment was given it. */
  get unknown(): string | undefined {
    const isKnown = (name: string) => this.settings.some((shard) => shard.name === name);
    return this.map.shards.find(({ name, state }) => state !== 'gone' && !isKnown(name))?.name;
  }

  /** The name of the shard where this belongs. */
  home(place: Place): string {
    let home = this.#homes.get(place);
    if (home === undefined) {
      home = homeIn(this.map, place);
      if (this.#homes.size >= MOST_REMEMBERED) this.#homes.clear();
      this.#homes.set(place, home);
    }
    return home;
  }

  /** The name of the shard whose label this is; undefined where it is none's. */
  labelled(label: string): string | undefined {
    return this.#map?.shards.find((shard) => shard.label === label)?.name;
  }

  /** Which of the shards one is, now and later. */
  identify(name: string): ShardIdentity {
    const entry = () => this.#map?.shards.find((shard) => shard.name === name);
    const epoch = () => (this.#map ? String(this.#map.epoch) : '');
    return {
      name,
      get label() {
        return entry()?.label ?? '';
      },
      get epoch() {
        return epoch();
      },
    };
  }

  /**
   * Reads the map from the first shard that has one, or from all where a newer one is known of. Where no shard has one, the first gets
   * that of the settings.
   * @throws StorageError
   */
  async load(shards: readonly Shard[]): Promise<void> {
    this.#readAt = Date.now();
    const [first] = shards as [Shard];
    if (!this.#map) {
      const text = await readMap(first).catch(() => undefined); // another may answer
      if (text !== undefined) this.adopt(parseMap(text));
    }
    if (this.isKnown) return;
    const read = await Promise.allSettled(shards.map(readMap));
    for (const result of read) {
      if (result.status === 'fulfilled' && result.value !== undefined) this.adopt(parseMap(result.value));
    }
    if (this.#map) {
      this.#notedEpoch = this.#map.epoch; // whoever has spoken of a newer one is away, or has lost it
      return;
    }
    const failed = read.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failed) throw failed.reason; // one that is away may have the map
    await this.#begin(shards);
  }

  /** Looks whether there is a newer map than the one that is known, which serves where nobody answers. */
  async look(shards: readonly Shard[]): Promise<void> {
    this.#readAt = Date.now();
    const reading = shards.map(async (shard) => {
      const text = await readMap(shard);
      if (text !== undefined) this.adopt(parseMap(text));
    });
    await Promise.any(reading).catch(() => {}); // none waits for one that is away
  }

  /** Nobody has a map yet. Another isolate may begin at the same time: the first of all decides. */
  async #begin(shards: readonly Shard[]): Promise<void> {
    const [first, ...others] = shards as [Shard, ...Shard[]];
    const initial = makeInitialMap(await this.#listInitial(shards));
    const { stored } = await putMap(first, writeMap(initial), initial.epoch);
    this.adopt(parseMap(stored));
    await Promise.allSettled(others.map((shard) => this.heal(shard))); // a tick does it again
  }

  /** What a database has that was in use before stays there: the others wait to be activated, for what has its order or its limits must not move unasked. */
  async #listInitial(shards: readonly Shard[]): Promise<readonly ShardSettings[]> {
    const used = await Promise.all(shards.map((shard) => wasUsed(shard, this.#pools)));
    if (!used.includes(true)) return this.settings;
    return this.settings.map((shard, index) => ({ ...shard, state: used[index] ? 'active' : 'joining' }));
  }

  /** Gives a shard the map that is known, where it has none or an older one. @throws StorageError */
  async heal(shard: Shard): Promise<void> {
    const { stored } = await putMap(shard, writeMap(this.map), this.map.epoch);
    const map = parseMap(stored);
    if (map.epoch > this.map.epoch) this.noteEpoch(map.epoch);
    else if (map.epoch < this.map.epoch) throw new StorageError('garbled', 'the map of the shards was not taken');
  }
}

/** What begins the fields that sweeps leave in the hash of totals, also where nothing ever came in: see noted.lua. Others are counters. */
const NOTED = '!@=#&^?';

/** Whether a database holds messages or has held any: a tick may have come to a new one before anybody needed the map. */
async function wasUsed({ send, keys }: Shard, known: readonly string[]): Promise<boolean> {
  const fields = (await send(['HKEYS', keys.totals])) as string[];
  if (fields.some((field) => !NOTED.includes(field.charAt(0)))) return true;
  const swept = fields.filter((field) => field.startsWith('?')).map((field) => field.slice(1));
  const kept = [keys.timers, keys.stats, keys.schedules, keys.rings, keys.topics, keys.config, keys.sources];
  const ready = [...new Set([PUSH_POOL, ...known, ...swept])].map((pool) => keys.ready(pool));
  return Number(await send(['EXISTS', ...kept, ...ready])) > 0;
}
