/** Records that are divided when they have few elements: each script with another bound, in the file of tests that asks for it. */
import * as scripts from '../../src/redis/lua/generated.ts';

/** As the scripts have it: what stands in their texts. */
const BOUND = /\b1048576\b/g;

/** @param most elements of one record */
export function divideAbove(most: number): void {
  for (const script of Object.values(scripts)) {
    const source = script.source.replace(BOUND, String(most));
    Object.defineProperty(script, 'source', { value: source });
  }
}
