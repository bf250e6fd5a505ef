/**
 * Hash tags for the shards behind one URL: on a Redis Cluster the tag decides which master has a shard, and tags that are only numbered
 * leave whole masters empty. These spread evenly. Pure.
 *
 * The first tags of a longer list are those of a shorter one: who wants more shards raises the number, and nothing that is stored
 * changes its place.
 */

const SLOTS = 16_384;
const TWELFTHS = [11, 5, 1, 7, 3, 9, 2, 6, 10, 0, 8, 4];
const MOST = TWELFTHS.length * 16;
/** A tag lies at most so far from the middle of its place, in slots: the border between two masters is rounded by one. */
const BESIDE = 16;

/**
 * @param prefix what each tag begins with
 * @returns so many tags. Wherever the slots are divided evenly among 2, 3, 4, 6 or 12 masters, no master has more than another, but one
 * @throws RangeError where there are no so many places
 */
export function chooseTags(prefix: string, count: number): string[] {
  if (!Number.isInteger(count) || count < 1 || count > MOST) throw new RangeError(`from 1 to ${MOST} tags`);
  const begun = crc16(`${prefix}.`);
  return Array.from({ length: count }, (_, i) => `${prefix}.${endingNear(placeOf(i), begun)}`);
}

/**
 * In which order places are taken: twelve of them, one in each twelfth of the slots, in an order of which each beginning is even for 2, 3,
 * 4 and 6 masters. The next twelve lie between these, and so on, by halves: the middle first.
 * @returns a slot
 */
function placeOf(i: number): number {
  const twelfth = TWELFTHS[i % TWELFTHS.length] ?? 0;
  let within = 0;
  for (let bit = 0, round = Math.floor(i / TWELFTHS.length); bit < 4; bit++)
    within += ((round >> bit) & 1) << (3 - bit);
  return Math.floor(((twelfth * 16 + (within ^ 8) + 0.5) * SLOTS) / MOST);
}

/** The first text whose slot is near enough: some 500 are tried. @param begun the checksum of what stands before it */
function endingNear(slot: number, begun: number): string {
  for (let n = 0; ; n++) {
    const text = n.toString(36).padStart(2, '0');
    if (Math.abs((crc16(text, begun) % SLOTS) - slot) <= BESIDE) return text;
  }
}

/** As Redis Cluster has it: XMODEM's, of which a slot is the rest by 16,384. Of ASCII. */
function crc16(text: string, begun = 0): number {
  let crc = begun;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
