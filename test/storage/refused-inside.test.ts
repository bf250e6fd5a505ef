/**
 * Storage that refuses growing writes in the middle of a script: each write of each call in turn, alone or with all after it; by
 * command; by key. Nothing that was acknowledged is lost, what failed has changed nothing or can be repeated, and when writes
 * are taken again everything comes out by itself.
 */
import { describe, expect, test } from 'vitest';
import type { Refusal } from '../../src/local/emulator/refusals.ts';
import { onEachRedis, type Redises } from '../support/bench.ts';
import { scenarios } from '../support/refused-calls.ts';
import { runRefused, runUndisturbed, type Scenario, type Undisturbed } from '../support/refusing.ts';

const ALWAYS = Number.POSITIVE_INFINITY;

/** Runs the call once undisturbed, and then with each refusal that meets any of its writes. */
async function tryAll(
  redises: Redises,
  scenario: Scenario,
  refusals: (undisturbed: Undisturbed) => [string, Refusal][],
) {
  const undisturbed = await runUndisturbed(redises, scenario);
  const faults: string[] = [];
  for (const [where, refusal] of refusals(undisturbed)) {
    const found = await runRefused(redises, scenario, refusal, undisturbed).catch((error: Error) => [
      `it throws ${error.message}`,
    ]);
    faults.push(...found.map((fault) => `${where}: ${fault}`));
  }
  return faults;
}

const nameOf = (write: string) => (write.length > 60 ? `${write.slice(0, 50)} …` : write);

/** At each growing write: that one alone, and all from there on. */
const atEachWrite = ({ writes }: Undisturbed): [string, Refusal][] =>
  writes.flatMap((write, i) =>
    [1, ALWAYS].map((times): [string, Refusal] => [
      `write ${i + 1} of ${writes.length}, ${nameOf(write)}${times === 1 ? '' : ' and all after it'}`,
      { from: i + 1, times },
    ]),
  );

/** Of engines and services that refuse some kinds only, and of those that look at each key. */
const COMMANDS = [['ZADD'], ['LPUSH', 'RPUSH'], ['HSET'], ['SET', 'MSET'], ['RPUSH', 'LPUSH', 'ZADD']];
const KEYS = [
  'timers',
  'dead:*',
  'failures',
  'lane:*',
  'lease:*',
  'inflight',
  'stats*',
  'ready:*',
  'parked:*',
  'm:*',
  'then:*',
  'req:*',
  'config',
  'breakers',
];

const byCommand = ({ writes }: Undisturbed): [string, Refusal][] =>
  COMMANDS.filter((names) => writes.some((write) => names.includes(write.split(' ')[0] ?? ''))).map((commands) => [
    `all ${commands.join(' and ')}`,
    { from: 1, times: ALWAYS, commands },
  ]);

const byKey = ({ writes }: Undisturbed): [string, Refusal][] =>
  KEYS.filter((form) => writes.some((write) => write.includes(` ${form.replace('*', '')}`))).map((form) => [
    `all of ${form}`,
    { from: 1, times: ALWAYS, keys: [form] },
  ]);

onEachRedis(
  'a write is refused',
  (bench) => {
    describe('at each of its growing writes, that one alone and all from there on', () => {
      test.each(scenarios.map((scenario) => ({ scenario, name: scenario.name })))(
        'ST8 Refused inside: $name',
        async ({ scenario }) => {
          expect(await tryAll(bench().redises, scenario, atEachWrite)).toEqual([]);
        },
      );
    });

    describe('by command and by key', () => {
      test.each(scenarios.map((scenario) => ({ scenario, name: scenario.name })))(
        'ST8 Refused inside: $name',
        async ({ scenario }) => {
          expect(await tryAll(bench().redises, scenario, (all) => [...byCommand(all), ...byKey(all)])).toEqual([]);
        },
      );
    });
  },
  ['redis-server'],
);
