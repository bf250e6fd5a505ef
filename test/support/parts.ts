/** Records that are divided when they have few elements: each script with another bound, for the tests of one file. */
import { afterAll, beforeAll } from 'vitest';
import * as scripts from '../../src/redis/lua/generated.ts';

/** As the scripts have it: what stands in their texts. */
const BOUND = /\b1048576\b/g;

/** @param most elements of one record, as long as the tests of this file run */
export function divideAbove(most: number): void {
  const all = Object.values(scripts);
  const sources = all.map(({ source }) => source);
  const give = (texts: string[]) => {
    for (const [i, script] of all.entries())
      Object.defineProperty(script, 'source', { value: texts[i], configurable: true });
  };
  beforeAll(() => give(sources.map((source) => source.replace(BOUND, String(most)))));
  afterAll(() => give(sources));
}
