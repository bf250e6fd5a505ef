// The demo's judge of priority is judged: it counts what overtakes, and nothing else.
import { describe, expect, test } from 'vitest';
import { watchInversions } from '../examples/demo/inversions.ts';
import type { Enqueued, Synced } from '../scripts/lua/observe.ts';

const enqueued = (lane: string, ids: string[], delayMs = 0): Enqueued => ({
  what: 'enqueued',
  at: 0,
  met: [],
  messages: ids.map((id) => ({ id, lane, delayMs, json: '{}' })),
});

const handedOff = (lane: string, ids: string[], lease: string): Enqueued => {
  return { ...enqueued(lane, ids), handedTo: { lease, leaseMs: 1_000 } };
};

const synced = (lease: string, taken: string[], settlements: [string, 'acked' | 'released'][] = []): Synced => ({
  what: 'synced',
  chained: [],
  envelopes: [],
  lease,
  leaseMs: 1_000,
  held: 0,
  at: 0,
  lost: false,
  unseen: false,
  refused: false,
  taken,
  settlements: settlements.map(([entry, status]) => ({
    entry,
    status,
    outcome: status === 'acked' ? 'ack' : 'release',
    delayMs: 0,
    text: '',
  })),
});

const rows: [string, (Enqueued | Synced)[], number][] = [
  ['urgent first', [enqueued('5:a', ['x']), enqueued('0:b', ['y']), synced('l', ['1.y', '1.x'])], 0],
  ['urgent left behind', [enqueued('5:a', ['x']), enqueued('0:b', ['y']), synced('l', ['1.x'])], 1],
  ['two overtake one', [enqueued('5:a', ['x', 'z']), enqueued('0:b', ['y']), synced('l', ['1.x', '1.z'])], 2],
  ['urgent came later', [enqueued('5:a', ['x']), synced('l', ['1.x']), enqueued('0:b', ['y'])], 0],
  ['urgent is delayed', [enqueued('5:a', ['x']), enqueued('0:b', ['y'], 500), synced('l', ['1.x'])], 0],
  [
    'urgent is leased elsewhere',
    [enqueued('0:b', ['y']), synced('m', ['1.y']), enqueued('5:a', ['x']), synced('l', ['1.x'])],
    0,
  ],
  [
    'handed off, and urgent came later',
    [handedOff('5:a', ['x'], 'l'), enqueued('0:b', ['y']), synced('l', ['1.y'])],
    0,
  ],
  ['urgent left behind by a hand-off', [enqueued('0:b', ['y']), handedOff('5:a', ['x'], 'l')], 1],
  [
    'urgent was given back',
    [
      enqueued('0:b', ['y']),
      enqueued('5:a', ['x']),
      synced('m', ['1.y']),
      synced('m', [], [['1.y', 'released']]),
      synced('l', ['1.x']),
    ],
    1,
  ],
  [
    'what comes again after a lost reply is not taken anew',
    [enqueued('5:a', ['x']), synced('l', ['1.x']), enqueued('0:b', ['y']), synced('l', ['1.x', '1.y'])],
    0,
  ],
];

describe('inversions', () => {
  test.each(rows)('%s', (_, events, count) => {
    const watch = watchInversions();
    for (const event of events) watch.see(event);
    expect(watch.count()).toBe(count);
  });

  test('what is held goes down with acks', () => {
    const watch = watchInversions();
    for (const event of [enqueued('5:a', ['x', 'z']), synced('l', ['1.x', '1.z'])]) watch.see(event);
    expect(watch.held()).toBe(2);
    watch.see(synced('l', [], [['1.x', 'acked']]));
    expect(watch.held()).toBe(1);
  });
});
