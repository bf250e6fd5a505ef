/** Chance that can be repeated: everybody in a run draws from a stream of their own, so that none shifts another's. */
export interface Chance {
  /** In [0, 1). */
  next(): number;
  /** True in this share of calls. */
  happens(share: number): boolean;
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
}

/** xorshift128 of Marsaglia, seeded by the run's seed and the name of who draws. */
export function chanceFor(seed: number, name: string): Chance {
  const state = new Uint32Array([seed, 0x9e3779b9, 0x243f6a88, hash(name) | 1]);
  const next = () => {
    const [x = 0, , , w = 0] = state;
    const mixed = x ^ (x << 11);
    state.copyWithin(0, 1);
    state[3] = w ^ (w >>> 19) ^ mixed ^ (mixed >>> 8);
    return (state[3] ?? 0) / 4_294_967_296;
  };
  for (let i = 0; i < 16; i++) next(); // until the seed has spread over the whole state
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    whole,
    happens: (share) => next() < share,
    pick: (list) => list[whole(0, list.length - 1)] as (typeof list)[number],
  };
}

function hash(text: string): number {
  return [...text].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 16_777_619), 2_166_136_261);
}
