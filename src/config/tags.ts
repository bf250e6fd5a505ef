/** Prefixes for the shards of a cluster that is reached by one URL: each prefix is a hash tag, so it is what a node is chosen by. */

/** @returns as many prefixes; the same ones each time, and of more the first are those of fewer */
export const chooseTags = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, place) => `${prefix}.${place}`);
