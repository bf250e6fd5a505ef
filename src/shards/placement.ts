/**
 * Placement: which shard is home to a name. Weighted rendezvous, so that a shard that comes or goes moves what is its own and nothing
 * between the others, and no table has to be kept. Pure.
 */

/** What has a home. The letter says of what kind it is: a queue, a schedule, a topic, a ring, a source of webhooks. */
export type Place = `${'q' | 's' | 't' | 'r' | 'w'}:${string}`;

/** A shard as placement sees it. */
export interface WeightedShard {
  readonly name: string;
  /** One of twice the weight is home to twice as many. */
  readonly weight: number;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** What of a list has to be hashed only once: the names, each with what stands between it and the place. */
const begunHashes = new WeakMap<readonly WeightedShard[], Int32Array>();

/**
 * The shard that draws the highest for this place, each its own number and by its weight. The order of the list does not matter.
 * @param shards a list that stays as it is: what is hashed of it is remembered with it
 * @returns its name
 * @throws RangeError where there is none
 */
export function placeName(place: Place, shards: readonly WeightedShard[]): string {
  const begun = begunHashes.get(shards) ?? beginHashes(shards);
  let home: string | undefined;
  let highest = -1;
  for (let i = 0; i < begun.length; i++) {
    const { name, weight } = shards[i] as WeightedShard;
    const drawn = draw(finish(hashOn(begun[i] as number, place)), weight);
    // Names that have one hash draw alike for each place: the order of the list must not decide even then.
    if (drawn > highest || (drawn === highest && home !== undefined && name < home)) {
      highest = drawn;
      home = name;
    }
  }
  if (home === undefined) throw new RangeError(`no shard can be home to ${place}`);
  return home;
}

/** @returns a number above 0: of several shards' numbers the highest is each one's in proportion to its weight */
function draw(hash: number, weight: number): number {
  // The half keeps the fraction above 0 and below 1, whose logarithms could not be divided by.
  return -weight / Math.log((hash + 0.5) / 2 ** 32);
}

function beginHashes(shards: readonly WeightedShard[]): Int32Array {
  const begun = Int32Array.from(shards, ({ name }) => hashOn(FNV_OFFSET, `${name}|`));
  begunHashes.set(shards, begun);
  return begun;
}

/** FNV-1a of the characters' codes, from where another text has brought it. */
function hashOn(begun: number, text: string): number {
  let hash = begun;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}

/**
 * The finaliser of MurmurHash3. As it comes, FNV-1a gives names that differ little hashes that go together: half of all places would
 * move where a fifth should.
 */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A number below 2³² that goes with a text: the same on each machine. */
export function hashText(text: string): number {
  return finish(hashOn(FNV_OFFSET, text));
}
