/**
 * Storage that refuses some kinds of growing writes inside scripts, or those in some keys, for as long as a call lasts: engines
 * that look at each command, and services that look at each record.
 */
import { expect, test } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import { onEachRedis } from '../support/bench.ts';
import { scenarios } from '../support/refused-calls.ts';
import { tryAll, type Undisturbed } from '../support/refusing.ts';

const COMMANDS = [['ZADD'], ['LPUSH', 'RPUSH'], ['HSET'], ['SET', 'MSET', 'MSETNX'], ['LPUSH', 'RPUSH', 'ZADD']];
const KEYS = [
  ...['timers', 'failures:*', 'inflight', 'config', 'breakers', 'schedules', 'stats*'],
  ...[
    'dead:*',
    'lane:*',
    'lease:*',
    'ready:*',
    'blocked:*',
    'm:*',
    'callbacks:*',
    'req:*',
    'dedup:*',
    'result:*',
    'rate:*',
  ],
];
const times = Number.POSITIVE_INFINITY;

/** Those that meet any of its writes. */
function ofEachKind({ writes }: Undisturbed): [string, Refusal][] {
  const commands = COMMANDS.filter((names) => writes.some((write) => names.includes(write.split(' ')[0] ?? '')));
  const keys = KEYS.filter((form) => writes.some((write) => write.includes(` ${form.replace('*', '')}`)));
  return [
    ...commands.map((names): [string, Refusal] => [`all ${names.join(' and ')}`, { from: 1, times, commands: names }]),
    ...keys.map((form): [string, Refusal] => [`all in ${form}`, { from: 1, times, keys: [form] }]),
  ];
}

onEachRedis(
  'writes of a kind are refused',
  (bench) => {
    test.each(scenarios.map((scenario) => ({ name: scenario.name, scenario })))(
      'ST1 Refused inside: $name',
      async ({ scenario }) => {
        expect(await tryAll(bench().redises, scenario, ofEachKind)).toEqual([]);
      },
    );
  },
  ['redis-server'],
);
