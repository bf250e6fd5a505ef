// Hash tags for the shards of a cluster: wherever slots are divided evenly, no master has more of them than it must. Slots are told by ioredis.
import { Command } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { chooseTags } from '../src/config/tags.ts';
import { makeKeys } from '../src/redis/keys.ts';

const SLOTS = 16_384;
const slotOf = (tag: string) => new Command('GET', [`{${tag}}:timers`]).getSlot() as number;

/** How many of the tags each of so many masters has, with the ranges that `redis-cli --cluster create` gives them. */
function spread(slots: number[], masters: number): number[] {
  const firsts = Array.from({ length: masters }, (_, i) => Math.round((i * SLOTS) / masters));
  const counts = firsts.map(() => 0);
  for (const slot of slots) {
    const master = firsts.findLastIndex((first) => first <= slot);
    counts[master] = (counts[master] ?? 0) + 1;
  }
  return counts;
}

const ALL = chooseTags('sluice', 192).map(slotOf);
const spreadOf = (prefix: string, count: number, masters: number) =>
  spread(chooseTags(prefix, count).map(slotOf), masters);
/** Of each number of tags, from so many on. */
const numbersFrom = (least: number) => ALL.map((_, i) => i + 1).filter((count) => count >= least);

describe('tags', () => {
  test.each([2, 3, 4, 6, 12, 24])('of any number no master of %i has more than another, but one', (masters) => {
    const uneven = numbersFrom(1).filter((count) => {
      const counts = spread(ALL.slice(0, count), masters);
      return Math.max(...counts) - Math.min(...counts) > 1;
    });
    expect(uneven).toEqual([]);
  });

  test('on another number of masters one has at most one more than it must', () => {
    for (const masters of [5, 7, 8, 9, 10, 11, 16, 20, 32]) {
      const mostOf = (count: number) => Math.max(...spread(ALL.slice(0, count), masters));
      const uneven = numbersFrom(masters).filter((count) => mostOf(count) > Math.ceil(count / masters) + 1);
      expect(uneven, `on ${masters}`).toEqual([]);
    }
  });

  test('sixteen on three and on six masters are as even as whole numbers are; twelve and twenty-four wholly', () => {
    expect(spreadOf('sluice', 16, 3).toSorted()).toEqual([5, 5, 6]);
    expect(spreadOf('sluice', 16, 6).toSorted()).toEqual([2, 2, 3, 3, 3, 3]);
    for (const count of [12, 24]) {
      for (const masters of [3, 6])
        expect(new Set(spreadOf('production', count, masters))).toEqual(new Set([count / masters]));
    }
  });

  test('those of a shorter list are the first of a longer one, under each prefix', () => {
    for (const prefix of ['sluice', 'a', 'Production_2.eu-west']) {
      const tags = chooseTags(prefix, 64);
      for (const count of [1, 2, 12, 16, 63]) expect(chooseTags(prefix, count)).toEqual(tags.slice(0, count));
      for (const tag of tags) expect(makeKeys(tag).root).toMatch(`{${prefix}.`);
      expect(new Set(tags).size).toBe(64);
    }
  });

  test('are the same for ever: data is stored under them', () => {
    expect(chooseTags('sluice', 12)).toEqual([
      ...['sluice.9i', 'sluice.8q', 'sluice.4p', 'sluice.f0', 'sluice.gx', 'sluice.58'],
      ...['sluice.6o', 'sluice.3j', 'sluice.5i', 'sluice.2r', 'sluice.7w', 'sluice.az'],
    ]);
  });

  test.each([0, -1, 1.5, 193, Number.NaN])('%d is no number of tags', (count) => {
    expect(() => chooseTags('sluice', count)).toThrow(RangeError);
  });
});
