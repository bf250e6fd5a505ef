/** What a Lua script is to its callers: a name, a text, and which keys and arguments it takes. generated.ts has all of them. */

/** A number as text. */
export type Digits = `${number}`;
export type Flag = '0' | '1' | '';

export interface Script<Keys extends string[] = string[], Args extends string[] = string[]> {
  name: string;
  /** It never writes. */
  readsOnly?: boolean;
  readonly source: string;
  /** Never there: the compiler knows by it what a call has to give. */
  takes?(keys: Keys, args: Args): void;
}

export const digits = (number: number): Digits => `${number}`;

/**
 * @public generated.ts calls it, which is not in the repository
 * @param segments what the texts of all scripts are made of
 * @param mask which of them this one has: bit i stands for the one at i
 * @param own the end of its text, which no other has
 */
export function defineScript<Keys extends string[], Args extends string[]>(
  name: string,
  readsOnly: boolean,
  segments: readonly string[],
  mask: bigint,
  own: string,
): Script<Keys, Args> {
  let source: string | undefined;
  return {
    name,
    readsOnly,
    get source() {
      source ??= [...segments.filter((_, i) => (mask >> BigInt(i)) & 1n), own].join('\n');
      return source;
    },
  };
}
