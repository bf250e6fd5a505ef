/**
 * The map of shards: which there are, what each is for, and what has its home elsewhere than where placement says. Pure.
 *
 * Each shard holds the map as a text, and the highest epoch counts. A map never changes: each change makes another one.
 */
import { StorageError } from '../errors.ts';
import { isPlainObject, readJson } from '../formats/json.ts';
import { LABELS, makeLabel } from '../message/ids.ts';
import { hashText, type Place, placeName } from './placement.ts';

/** `joining` and `draining` shards are visited and get nothing new; one that is `gone` has nothing any more, and is never used again. */
export type ShardState = (typeof STATES)[number];

const STATES = ['joining', 'active', 'draining', 'gone'] as const;

export interface MapEntry {
  /** What is hashed: it stays, whatever becomes of the database's address. */
  readonly name: string;
  /** Two characters in the ids of its messages. No other shard ever gets them, so that the ids that are out stay true. */
  readonly label: string;
  readonly state: ShardState;
  readonly weight: number;
}

/** What has its home where placement does not say. */
export interface Pin {
  /** A place, or the beginning of several and `*`. */
  readonly place: string;
  /** The name of a shard. */
  readonly shard: string;
  /** Only as long as something of it is there: its order, or its limits, would not be kept if it went on elsewhere before. */
  readonly until?: 'empty';
  /** It is about to go: nothing is placed there for the moment in which it is seen whether all is empty. */
  readonly closing?: true;
}

/** What homes are decided by. */
export interface Homes {
  readonly shards: readonly MapEntry[];
  readonly pins: readonly Pin[];
}

export interface ShardMap extends Homes {
  readonly epoch: number;
  /** Epoch ms; 0 for the first map. */
  readonly changedAt: number;
  /** Homes as they were, for those who ask where something went that came in before. */
  readonly before?: FormerHomes;
}

/** They stand in a line, the last first: within the hours in which a key is recognised, homes may have moved more than once. */
export interface FormerHomes extends Homes {
  /** When they had become what they were. */
  readonly changedAt: number;
  readonly before?: FormerHomes;
}

/** How long old homes are asked: an Idempotency-Key is recognised for a day, and clocks may differ. */
export const FORMER_MS = 25 * 3_600_000;

/** @throws RangeError where none is active */
export function makeInitialMap(
  settings: readonly { name: string; weight: number; state: 'active' | 'joining' }[],
): ShardMap {
  const shards: MapEntry[] = [];
  for (const { name, weight, state } of settings) shards.push(makeEntry(name, weight, state, shards));
  if (!shards.some(isActive)) throw new RangeError('one shard at least must be active');
  return { epoch: 1, shards, pins: [], changedAt: 0 };
}

/** @returns the name of the shard that is home to the place; placement is asked only where no pin speaks of it */
export function homeIn(homes: Homes, place: Place): string {
  const { active, untilEmpty, exact, beginnings } = indexOf(homes);
  const pinned = untilEmpty.get(place) ?? exact.get(place);
  if (pinned !== undefined) return pinned;
  const begun = beginnings.find(({ beginning }) => place.startsWith(beginning));
  return begun === undefined ? placeName(place, active) : begun.shard;
}

/**
 * @returns where else the place had its home within the last 25 hours, the last first: shards that may know a key of it, and are there
 *   still
 */
export function formerHomesIn(map: ShardMap, place: Place, nowMs: number): string[] {
  const names = new Set<string>();
  let since = map.changedAt;
  for (let homes = map.before; homes !== undefined && nowMs - since <= FORMER_MS; homes = homes.before) {
    names.add(homeIn(homes, place));
    since = homes.changedAt;
  }
  names.delete(homeIn(map, place));
  return [...names].filter((name) => map.shards.some((shard) => shard.name === name && shard.state !== 'gone'));
}

/** Homes as they are when nothing is held any more. */
export function settle({ shards, pins }: Homes): Homes {
  return { shards, pins: pins.filter(({ until }) => until === undefined) };
}

/** Whether the pin of this place is about to go. */
export function isClosingIn(homes: Homes, place: Place): boolean {
  return indexOf(homes).closing.has(place);
}

export const isActive = ({ state }: MapEntry) => state === 'active';

/** @param listed all that the map has or had: their labels are taken */
export function makeEntry(name: string, weight: number, state: ShardState, listed: readonly MapEntry[]): MapEntry {
  return { name, label: freeLabel(name, listed), state, weight: checkWeight(weight) };
}

/** By the name, so that shards have the same labels in whichever order they come, where no two names want the same one. */
function freeLabel(name: string, listed: readonly MapEntry[]): string {
  const taken = new Set(listed.map(({ label }) => label));
  const wanted = hashText(name) % LABELS;
  for (let step = 0; step < LABELS; step++) {
    const label = makeLabel((wanted + step) % LABELS);
    if (!taken.has(label)) return label;
  }
  throw new RangeError(`no label is left for shard ${name}`);
}

export function checkWeight(weight: number): number {
  if (Number.isFinite(weight) && weight > 0) return weight;
  throw new RangeError(`a weight must be above 0; got ${weight}`);
}

interface HomeIndex {
  active: readonly MapEntry[];
  untilEmpty: ReadonlyMap<string, string>;
  exact: ReadonlyMap<string, string>;
  closing: ReadonlySet<string>;
  /** The longest first. */
  beginnings: readonly { beginning: string; shard: string }[];
}

/** A map is asked for each request, and never changes: what makes its answers quick is made once. */
const indexes = new WeakMap<Homes, HomeIndex>();

function indexOf(homes: Homes): HomeIndex {
  const known = indexes.get(homes);
  if (known !== undefined) return known;
  const isBeginning = ({ place }: Pin) => place.endsWith('*');
  const exact = homes.pins.filter((pin) => !isBeginning(pin));
  const index = {
    active: homes.shards.filter(isActive),
    untilEmpty: byPlace(exact.filter(({ until }) => until !== undefined)),
    exact: byPlace(exact.filter(({ until }) => until === undefined)),
    closing: new Set(exact.flatMap(({ place, closing }) => (closing ? [place] : []))),
    beginnings: homes.pins
      .filter(isBeginning)
      .toSorted(compareBeginnings)
      .map(({ place, shard }) => ({ beginning: place.slice(0, -1), shard })),
  };
  indexes.set(homes, index);
  return index;
}

const byPlace = (pins: readonly Pin[]) => new Map(pins.map(({ place, shard }) => [place, shard]));

const compareBeginnings = (one: Pin, other: Pin) =>
  other.place.length - one.place.length || Number(one.until === undefined) - Number(other.until === undefined);

export function writeMap({ epoch, shards, pins, changedAt, before }: ShardMap): string {
  return `${epoch} ${JSON.stringify({ shards, pins, changedAt, before })}`;
}

/** @throws StorageError `garbled` where the text is no map */
export function parseMap(text: string): ShardMap {
  const [, epoch = '', json = ''] = /^([1-9]\d{0,14}) (.+)$/s.exec(text) ?? [];
  try {
    return { epoch: Number(epoch), ...readHomes(readJson(json)) };
  } catch {
    throw new StorageError('garbled', 'the map of shards is not as it was written');
  }
}

function readHomes(value: unknown): FormerHomes {
  const { shards, pins, changedAt, before } = readObject(value);
  const homes = {
    shards: readList(shards, readEntry),
    pins: readList(pins, readPin),
    changedAt: readNumber(changedAt),
  };
  return before === undefined ? homes : { ...homes, before: readHomes(before) };
}

function readEntry(value: unknown): MapEntry {
  const { name, label, state, weight } = readObject(value);
  const known = STATES.find((each) => each === state);
  if (known === undefined) throw new TypeError('no state of a shard');
  return { name: readText(name), label: readText(label), state: known, weight: checkWeight(readNumber(weight)) };
}

function readPin(value: unknown): Pin {
  const { place, shard, until, closing } = readObject(value);
  const pin = { place: readText(place), shard: readText(shard) };
  if (until === undefined) return pin;
  if (until !== 'empty') throw new TypeError('no end of a pin');
  return { ...pin, until, ...(closing === true && { closing }) };
}

function readObject(value: unknown): Record<string, unknown> {
  if (isPlainObject(value)) return value;
  throw new TypeError('no object');
}

function readList<Item>(value: unknown, read: (item: unknown) => Item): Item[] {
  if (Array.isArray(value)) return value.map(read);
  throw new TypeError('no list');
}

function readText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('no text');
}

function readNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  throw new TypeError('no number');
}
