/**
 * Storage that refuses growing writes in the middle of a script, at each write of each call in turn. Nothing that was acknowledged
 * is lost, what failed has changed nothing or can be repeated, and when writes are taken again everything comes out by itself.
 */
import { expect, test } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { scenarios } from '../support/refused-calls.ts';
import { tryAll, type Undisturbed } from '../support/refusing.ts';

type Refusals = (undisturbed: Undisturbed) => [string, Refusal][];

/** That one alone, as where one record is full, and all from there on, as where the database is. */
const atEachWrite: Refusals = ({ writes }) =>
  writes.flatMap((write, i) => {
    const name = `write ${i + 1} of ${writes.length}, ${write.length > 60 ? `${write.slice(0, 50)} …` : write}`;
    return [
      [name, { from: i + 1 }],
      [`${name} and all after it`, { from: i + 1, times: Number.POSITIVE_INFINITY }],
    ];
  });

const cases = scenarios.map((scenario) => ({ name: scenario.name, scenario }));

const suite = (of: typeof cases, refusals: Refusals) => (bench: () => Bench) => {
  test.each(of)('ST1 Refused inside: $name', async ({ scenario }) => {
    expect(await tryAll(bench().redises, scenario, refusals)).toEqual([]);
  });
};

onEachRedis('each write is refused', suite(cases, atEachWrite), ['redis-server']);

/** Each write in one of the two ways, turn about: what another engine may do otherwise is how it refuses, and how its undo goes on. */
const turnAbout: Refusals = (undisturbed) => atEachWrite(undisturbed).filter((_, i) => i % 2 === Math.floor(i / 2) % 2);

/** Of each kind of script one: a whole run is for the fastest. */
const FEW =
  /enqueue: ready and|takes one of each|does all|sweep when some|redrive$|occurrence of|turns by some|subscription more|newer map/;
const few = cases.filter(({ name }) => FEW.test(name));
onEachRedis('each write is refused', suite(few, turnAbout), ['the embedded Redis', 'a Redis Cluster of three masters']);
