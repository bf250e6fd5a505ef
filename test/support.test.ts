// The judge of the invariants is judged: each broken shard below must be told from a sound one.
import { describe, expect, test } from 'vitest';
import { type Shard, violations } from './support/shard.ts';

const sound = (): Shard => ({
  lanes: { '5:mail': ['1.c', '1.b'] },
  leases: { x: ['1.a'] },
  timers: { 'l x': 5, '+ 1': 8, 'm * 5:mail 2.d': 9 },
  overflow: { '1': { 'm * 5:mail 2.d': 9 } },
  twice: [],
  ready: { '*': { '5:mail': 1 } },
  dead: { mail: { '5.e': 1 } },
  deadParts: [],
  envelopes: Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((id, i) => [id, `5:mail * 5 ${i} 0\n{}`])),
  failures: { d: '1 0 failed x' },
  parts: {},
  divided: {},
  blocked: {},
  config: {},
  inflight: {},
  slots: {},
  rest: {},
});
const expected = { alive: new Set(['a', 'b', 'c', 'd', 'e']), unordered: new Set<string>() };

const broken: [string, RegExp, (shard: Shard) => void][] = [
  ['an entry in two places', /^I1: a/, (s) => s.lanes['5:mail']?.push('1.a')],
  ['an entry without envelope', /^I2: b has no envelope/, (s) => delete s.envelopes.b],
  [
    'an envelope without entry',
    /^I2: the envelope of f/,
    (s) => Object.assign(s.envelopes, { f: '5:mail * 5 0 0\n{}' }),
  ],
  ['overflow without a marker', /^I8: m \* 5:mail 2.d/, (s) => delete s.timers['+ 1']],
  ['overflow due before its marker', /^I8: m \* 5:mail 2.d/, (s) => (s.timers['+ 1'] = 10)],
  [
    'a part of dead letters that is not listed',
    /^I1: nobody looks for dead letters in part mail:1/,
    (s) => s.deadParts.push('mail:1'),
  ],
  ['a timer in two records', /^I1: m \* 5:mail 2.d/, (s) => s.twice.push('m * 5:mail 2.d')],
  ['failures without entry', /^I2: the failures of f/, (s) => Object.assign(s.failures, { f: 'x' })],
  ['a lane out of the index', /^I3: lane 5:mail/, (s) => delete s.ready['*']],
  ['a lane in the wrong pool', /^I3: lane 5:mail/, (s) => Object.assign(s, { ready: { mail: { '5:mail': 1 } } })],
  ['a lane both ready and blocked', /^I3: lane 5:mail/, (s) => Object.assign(s, { blocked: { mail: ['5:mail'] } })],
  ['an empty lane in the index', /^I3: empty lane/, (s) => Object.assign(s.ready['*'] ?? {}, { '0:x': 1 })],
  ['a lease without timer', /^I4/, (s) => delete s.timers['l x']],
  ['a slot that nobody has', /^I6: mail counts 1/, (s) => Object.assign(s, { inflight: { mail: 1 } })],
  [
    'a lost message',
    /^I5: d is lost/,
    (s) => {
      delete s.timers['m * 5:mail 2.d'];
      delete s.envelopes.d;
      delete s.failures.d;
    },
  ],
  [
    'a message that was acked',
    /^I5: z should be gone/,
    (s) => {
      s.lanes['5:mail']?.unshift('1.z');
      s.envelopes.z = '5:mail * 5 9 0\n';
    },
  ],
  ['a lane out of order', /^I7/, (s) => s.lanes['5:mail']?.reverse()],
];

describe('the judge of the invariants', () => {
  test('finds nothing in a sound shard', () => expect(violations(sound(), expected)).toEqual([]));

  test.each(broken)('finds %s', (_, sentence, breakIt) => {
    const shard = sound();
    breakIt(shard);
    const found = violations(shard, expected);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(sentence);
  });
});
