// The checker of the torture runs: small histories that must pass, and such as must fail, each for its own reason.
import { describe, expect, test } from 'vitest';
import type { Outcome, Status } from '../src/store/encode-settlements.ts';
import { type FaultName, judge } from './chaos/checker.ts';
import { followFurtherDrains } from './chaos/further.ts';
import { type Happening, type SettledEntry, startHistory } from './chaos/history.ts';
import { keepLeaseBook } from './chaos/lease-book.ts';
import type { Synced } from './chaos/observed.ts';

const LEASE_MS = 1_000;
const LANE = '5:invoices';

// The words histories are written in. Message `a` has the id `a` and the key `key of a`, and is alone in its request.
const keyOf = (id: string) => `key of ${id}`;
const numberOf = (id: string) => id.charCodeAt(0);
const begun = (id: string): Happening => ({ what: 'begun', request: numberOf(id), keys: [keyOf(id)] });
const ok = (id: string): Happening => ({ what: 'ok', request: numberOf(id), ids: [id] });
const failed = (id: string): Happening => ({ what: 'failed', request: numberOf(id) });
const unknown = (id: string): Happening => ({ what: 'unknown', request: numberOf(id) });
const stored = (id: string, delayMs = 0, key = keyOf(id)): Happening => ({
  what: 'stored',
  messages: [{ id, key, lane: LANE, delayMs }],
  at: 0,
});
const enqueued = (...ids: string[]) => ids.flatMap((id) => [begun(id), stored(id), ok(id)]);
const leased = (at: number, lease: string, ...entries: string[]): Happening => {
  return { what: 'leased', lease, entries, at, leaseMs: LEASE_MS };
};
const delivered = (entry: string, key = keyOf(entry.slice(2))): Happening => {
  return { what: 'delivered', id: entry.slice(2), attempt: Number(entry[0]), key, at: 0 };
};
const settled = (at: number, lease: string, entry: string, outcome: Outcome, status: Status, more = {}): Happening => {
  const settlements = [{ entry, outcome, status, delayMs: 0, cutOff: false, ...more }];
  return { what: 'settled', lease, settlements, at };
};
const acked = (lease: string, entry: string) => settled(100, lease, entry, 'ack', 'acked');
const lapse = (lease: string, entry: string, { extendedAt = 0, at = LEASE_MS } = {}): Happening => {
  return { what: 'lapse', lease, entries: [entry], at, extendedAt, leaseMs: LEASE_MS };
};
const outcome = (id: string, became: 'dead' | 'cancelled' | 'redriven'): Happening => {
  return { what: 'outcome', id, outcome: became };
};
const handled = (lease: string, ...entries: string[]) => [
  leased(1, lease, ...entries),
  ...entries.flatMap((entry) => [delivered(entry), acked(lease, entry)]),
];

function verdictOf(happenings: Happening[], limit?: number) {
  const history = startHistory();
  for (const happening of happenings) history.record(happening);
  return judge(history.events, { limitOf: () => limit });
}

/** The kinds of fault that were found, each with its ids. */
function faultsIn(happenings: Happening[], limit?: number): Partial<Record<FaultName, string[]>> {
  const { faults } = verdictOf(happenings, limit);
  return Object.fromEntries(Object.entries(faults).filter(([, ids]) => ids.length > 0));
}

const sound: [string, Happening[]][] = [
  ['two messages, enqueued, delivered in order and acked', [...enqueued('a', 'b'), ...handled('x', '1.a', '1.b')]],
  [
    'an enqueue whose answer was lost, and whose repeat was answered',
    [begun('a'), stored('a'), ok('a'), ...handled('x', '1.a')],
  ],
  ['an enqueue of unknown outcome that appears', [begun('a'), unknown('a'), stored('a'), ...handled('x', '1.a')]],
  ['an enqueue of unknown outcome that never appears', [begun('a'), unknown('a')]],
  ['an enqueue that never ended, and appears', [begun('a'), stored('a'), ...handled('x', '1.a')]],
  ['a refused enqueue', [begun('a'), failed('a')]],
  [
    'a lapse, then the next attempt',
    [...enqueued('a'), leased(0, 'x', '1.a'), delivered('1.a'), lapse('x', '1.a'), ...handled('y', '2.a')],
  ],
  [
    'a delivery that arrives after its lease has expired and the next has begun',
    [...enqueued('a'), leased(0, 'x', '1.a'), lapse('x', '1.a'), ...handled('y', '2.a'), delivered('1.a')],
  ],
  [
    'a lapse, then an ack that comes too late and is refused',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      lapse('x', '1.a'),
      leased(LEASE_MS, 'y', '2.a'),
      settled(LEASE_MS, 'x', '1.a', 'ack', 'stale'),
      delivered('2.a'),
      acked('y', '2.a'),
      settled(LEASE_MS, 'x', '1.a', 'ack', 'gone'),
    ],
  ],
  [
    'an ack whose answer was lost: the repeat finds it gone',
    [...enqueued('a'), ...handled('x', '1.a'), settled(200, 'x', '1.a', 'ack', 'gone')],
  ],
  [
    'a retry after its wait',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      settled(10, 'x', '1.a', 'retry', 'retried', { delayMs: 500 }),
      leased(510, 'x', '2.a'),
      delivered('2.a'),
      acked('x', '2.a'),
    ],
  ],
  [
    'a drain that had to end before its handler',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      settled(0, 'x', '1.a', 'retry', 'retried', { cutOff: true }),
      ...handled('y', '2.a'),
    ],
  ],
  [
    'released after its delivery: the same attempt is delivered again',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      settled(0, 'x', '1.a', 'release', 'released'),
      ...handled('y', '1.a'),
    ],
  ],
  [
    'a dead letter that nobody was given: its leases expired too often',
    [...enqueued('a'), leased(0, 'x', '1.a'), lapse('x', '1.a'), outcome('a', 'dead')],
  ],
  [
    'a dead letter that was redriven',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      settled(10, 'x', '1.a', 'dead', 'dead'),
      outcome('a', 'redriven'),
      ...handled('y', '1.a'),
    ],
  ],
  ['a cancelled message that is never delivered', [...enqueued('a'), outcome('a', 'cancelled')]],
  [
    'a delayed message that an undelayed one of the same lane overtakes',
    [begun('a'), stored('a', 300), ok('a'), ...enqueued('b'), ...handled('x', '1.b'), leased(300, 'x', '1.a')].concat([
      delivered('1.a'),
      acked('x', '1.a'),
    ]),
  ],
  [
    'a released message that others of its lane overtook',
    [
      ...enqueued('a', 'b'),
      leased(0, 'x', '1.a'),
      settled(0, 'x', '1.a', 'release', 'released'),
      ...handled('y', '1.b', '1.a'),
    ],
  ],
  [
    'arrivals in another order than the takings: two consumers side by side',
    [
      ...enqueued('a', 'b'),
      leased(0, 'x', '1.a'),
      leased(0, 'y', '1.b'),
      delivered('1.b'),
      acked('y', '1.b'),
      delivered('1.a'),
      acked('x', '1.a'),
    ],
  ],
];

describe('a sound history passes', () => {
  test.each(sound)('%s', (_, happenings) => {
    expect(faultsIn(happenings)).toEqual({});
  });
});

const unsound: [string, Happening[], Partial<Record<FaultName, string[]>>][] = [
  ['acknowledged and never seen again', [begun('a'), ok('a')], { lost: ['a'] }],
  [
    'leased, lapsed, and never seen again',
    [...enqueued('a'), leased(0, 'x', '1.a'), lapse('x', '1.a')],
    { lost: ['a'] },
  ],
  [
    'acked without having been delivered',
    [...enqueued('a'), leased(0, 'x', '1.a'), acked('x', '1.a')],
    { lost: ['a'] },
  ],
  [
    'delivered, and then neither acked nor dead',
    [...enqueued('a'), leased(0, 'x', '1.a'), delivered('1.a')],
    { unfinished: ['a'] },
  ],
  ['delivered, though nobody enqueued it', [stored('a'), ...handled('x', '1.a')], { unexpected: ['a'] }],
  [
    'delivered, though its enqueue was refused',
    [begun('a'), failed('a'), stored('a'), ...handled('x', '1.a')],
    { unexpected: ['a'] },
  ],
  [
    'delivered, though storage never said that it is stored',
    [begun('a'), unknown('a'), leased(0, 'x', '1.a'), delivered('1.a'), acked('x', '1.a')],
    { unexpected: ['a'] },
  ],
  [
    'delivered with the body of another',
    [...enqueued('a', 'b'), leased(1, 'x', '1.a', '1.b'), delivered('1.a', keyOf('b'))].concat([
      acked('x', '1.a'),
      delivered('1.b'),
      acked('x', '1.b'),
    ]),
    { unexpected: ['a'] },
  ],
  [
    'enqueued once, stored under two ids',
    [...enqueued('a'), stored('b', 0, keyOf('a')), ...handled('x', '1.a'), leased(2, 'x', '1.b')].concat([
      delivered('1.b', keyOf('a')),
      acked('x', '1.b'),
    ]),
    { enqueuedTwice: ['b'] },
  ],
  [
    'given out again though its lease has not lapsed',
    [...enqueued('a'), leased(0, 'x', '1.a'), delivered('1.a'), ...handled('y', '2.a')],
    { unexplainedDuplicates: ['a'] },
  ],
  [
    'given out again by a lease that was broken before its time',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      lapse('x', '1.a', { at: 900 }),
      leased(900, 'y', '2.a'),
      delivered('2.a'),
      acked('y', '2.a'),
    ],
    { unexplainedDuplicates: ['a'] },
  ],
  [
    'given out again by a lease that had just been extended',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      leased(800, 'x'),
      delivered('1.a'),
      lapse('x', '1.a', { extendedAt: 800 }),
      ...handled('y', '2.a'),
    ],
    { unexplainedDuplicates: ['a'] },
  ],
  [
    'given out again after its ack',
    [...enqueued('a'), ...handled('x', '1.a'), leased(2, 'y', '2.a'), delivered('2.a')],
    { unexplainedDuplicates: ['a'], unfinished: ['a'] },
  ],
  [
    'one attempt in two leases',
    [...enqueued('a'), leased(0, 'x', '1.a'), ...handled('y', '1.a')],
    { unexplainedDuplicates: ['a'] },
  ],
  [
    'one attempt delivered twice out of one lease',
    [...enqueued('a'), ...handled('x', '1.a'), delivered('1.a')],
    { unexplainedDuplicates: ['a'] },
  ],
  [
    'an attempt left out: a lapse counted twice',
    [...enqueued('a'), leased(0, 'x', '1.a'), lapse('x', '1.a'), ...handled('y', '3.a')],
    { unexplainedDuplicates: ['a'] },
  ],
  [
    'a dead letter that comes back by itself',
    [...enqueued('a'), leased(0, 'x', '1.a'), settled(1, 'x', '1.a', 'dead', 'dead'), ...handled('y', '2.a')],
    { unexplainedDuplicates: ['a'] },
  ],
  ['two acks accepted', [...enqueued('a'), ...handled('x', '1.a'), acked('x', '1.a')], { doubleAcks: ['a'] }],
  [
    'the ack of a stale consumer accepted',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      lapse('x', '1.a'),
      leased(LEASE_MS, 'y', '2.a'),
      acked('x', '1.a'),
    ],
    { unfenced: ['a'] },
  ],
  [
    'overtaken by a later message of its lane',
    [...enqueued('a', 'b'), ...handled('x', '1.b', '1.a')],
    { orderViolations: ['a'] },
  ],
  [
    'a delayed message before its time',
    [begun('a'), stored('a', 300), ok('a'), ...handled('x', '1.a')],
    { early: ['a'] },
  ],
  [
    'a retry before its wait is over',
    [
      ...enqueued('a'),
      leased(0, 'x', '1.a'),
      delivered('1.a'),
      settled(10, 'x', '1.a', 'retry', 'retried', { delayMs: 500 }),
      leased(400, 'x', '2.a'),
      delivered('2.a'),
      acked('x', '2.a'),
    ],
    { early: ['a'] },
  ],
];

describe('an unsound history fails, for the right reason', () => {
  test.each(unsound)('%s', (_, happenings, faults) => {
    expect(faultsIn(happenings)).toEqual(faults);
  });
});

describe('limits', () => {
  const two = enqueued('a', 'b');

  test('two at once where one is allowed', () => {
    const happenings = [...two, leased(0, 'x', '1.a'), ...handled('y', '1.b'), delivered('1.a'), acked('x', '1.a')];
    expect(faultsIn(happenings, 1)).toEqual({ overLimit: ['b'] });
    expect(faultsIn(happenings, 2)).toEqual({});
  });

  test('one after the other', () => {
    expect(faultsIn([...two, ...handled('x', '1.a'), ...handled('y', '1.b')], 1)).toEqual({});
  });

  test('what was cancelled in a lease counts no more: its place is free as soon as its consumer is told, seen or not', () => {
    const held = [...enqueued('a', 'b'), leased(0, 'x', '1.a')];
    const gone = settled(1, 'x', '1.a', 'ack', 'gone');
    expect(faultsIn([...held, delivered('1.a'), outcome('a', 'cancelled'), gone, ...handled('y', '1.b')], 1)).toEqual(
      {},
    );
    expect(faultsIn([...held, outcome('a', 'cancelled'), ...handled('x', '1.b')], 1)).toEqual({});
  });

  test('a lease whose time is over counts no more', () => {
    const later = [leased(LEASE_MS, 'y', '1.b'), delivered('1.b'), acked('y', '1.b'), lapse('x', '1.a')];
    expect(faultsIn([...two, leased(0, 'x', '1.a'), ...later, ...handled('z', '2.a')], 1)).toEqual({});
  });

  test('what a lease held before its time was over counts no more where it begins anew, and what it takes then does', () => {
    const anew = [leased(LEASE_MS + 1, 'x', '1.b'), delivered('1.b'), acked('x', '1.b'), lapse('x', '1.a')];
    expect(faultsIn([...two, leased(0, 'x', '1.a'), ...anew, ...handled('z', '2.a')], 1)).toEqual({});
    const more = [
      leased(LEASE_MS + 1, 'x', '1.b'),
      leased(LEASE_MS + 2, 'y', '1.c'),
      delivered('1.b'),
      delivered('1.c'),
    ];
    const ends = [acked('x', '1.b'), acked('y', '1.c'), lapse('x', '1.a'), ...handled('z', '2.a')];
    expect(faultsIn([...enqueued('a', 'b', 'c'), leased(0, 'x', '1.a'), ...more, ...ends], 1)).toEqual({
      overLimit: ['c'],
    });
  });
});

describe('ordered groups', () => {
  const inOrder = (...happenings: Happening[]) => {
    const history = startHistory();
    for (const happening of happenings) history.record(happening);
    return judge(history.events, { isOrdered: () => true }).faults.groupOvertaken;
  };
  const two = enqueued('a', 'b');
  const first = [leased(0, 'x', '1.a'), delivered('1.a')];
  const retried = settled(10, 'x', '1.a', 'retry', 'retried', { delayMs: 500 });

  test.each<[string, Happening[]]>([
    ['is given out while the first is at work', first],
    ['is given out while the first waits to be tried again', [...first, retried]],
    ['is given out after the first has lapsed', [...first, lapse('x', '1.a')]],
  ])('one that %s has overtaken', (_, happenings) => {
    expect(inOrder(...two, ...happenings, ...handled('y', '1.b'))).toEqual(['b']);
  });

  test.each<[string, Happening[]]>([
    ['was acked', [...first, acked('x', '1.a')]],
    ['is dead', [...first, settled(10, 'x', '1.a', 'dead', 'dead')]],
    ['was cancelled', [outcome('a', 'cancelled')]],
  ])('one that is given out after the first %s has not', (_, happenings) => {
    expect(inOrder(...two, ...happenings, ...handled('y', '1.b'))).toEqual([]);
  });
});

describe('what operators say', () => {
  test('a cancelled message is not given out', () => {
    const happenings = [...enqueued('a'), outcome('a', 'cancelled'), ...handled('x', '1.a')];
    expect(faultsIn(happenings)).toEqual({ afterCancel: ['a'] });
  });

  test('a cancelled message that is at work may still be acked', () => {
    const happenings = [...enqueued('a'), leased(0, 'x', '1.a'), outcome('a', 'cancelled'), delivered('1.a')];
    expect(faultsIn([...happenings, acked('x', '1.a')])).toEqual({});
    expect(faultsIn([...happenings, settled(9, 'x', '1.a', 'ack', 'gone')])).toEqual({});
  });

  test('nothing of a paused queue is given out until it is resumed', () => {
    const paused: Happening = { what: 'paused', queue: 'invoices' };
    const resumed: Happening = { what: 'resumed', queue: 'invoices' };
    expect(faultsIn([...enqueued('a'), paused, ...handled('x', '1.a')])).toEqual({ whilePaused: ['a'] });
    expect(faultsIn([...enqueued('a'), paused, resumed, ...handled('x', '1.a')])).toEqual({});
  });

  test('what comes with an ack is there, and nothing that came with a refused one', () => {
    const history = startHistory();
    const book = keepLeaseBook(history);
    for (const happening of enqueued('a')) history.record(happening);
    const chained = [{ id: 'b', key: keyOf('b'), lane: LANE, delayMs: 0 }];
    const sync = {
      what: 'synced' as const,
      lease: 'x',
      leaseMs: LEASE_MS,
      held: 0,
      at: 1,
      lost: false,
      unseen: false,
      refused: false,
      promised: [],
    };
    const ack: SettledEntry = { entry: '1.a', outcome: 'ack', status: 'acked', delayMs: 0, cutOff: false };
    book.see({ ...sync, settlements: [], chained: [], taken: ['1.a'] });
    history.record(delivered('1.a'));
    book.see({ ...sync, settlements: [ack], chained, taken: [] });
    history.record(delivered('1.c'));
    expect(judge(history.events).faults).toMatchObject({ lost: ['b'], unexpected: ['c'] });
  });
});

describe('what was accepted together', () => {
  const together: Happening = { what: 'begun', request: 1, keys: [keyOf('a'), keyOf('b')] };
  const accepted: Happening = { what: 'ok', request: 1, ids: ['a', 'b'] };

  test('is there together, and the time from the first to the last is told', () => {
    const at = (ms: number, id: string) => ({ ...(stored(id) as Happening & { what: 'stored' }), at: ms });
    const verdict = verdictOf([together, at(-240, 'a'), accepted, at(0, 'b'), ...handled('x', '1.a', '1.b')]);
    expect([verdict.isSound, verdict.spread]).toEqual([true, { requests: 1, p50Ms: 240, p99Ms: 240, longestMs: 240 }]);
  });

  test('is half visible where one of it is not there in the end, whatever its producer knows', () => {
    const halfVisible = [keyOf('b')];
    expect(faultsIn([together, stored('a'), ...handled('x', '1.a')])).toEqual({ halfVisible });
    expect(faultsIn([together, stored('a'), accepted, ...handled('x', '1.a')])).toEqual({ halfVisible, lost: ['b'] });
  });

  test('may be represented by an earlier message with its dedup key', () => {
    expect(faultsIn([together, stored('a'), { what: 'met', keys: [keyOf('b')] }, ...handled('x', '1.a')])).toEqual({});
  });

  test('is not lost where it was accepted on its way, and an earlier message is found to stand for it', () => {
    const met: Happening = { what: 'met', keys: [keyOf('b')] };
    expect(faultsIn([together, stored('a'), accepted, met, ...handled('x', '1.a')])).toEqual({});
  });

  test('is lost where it was promised with an ack, and never came', () => {
    const promised: Happening = { what: 'promised', keys: [keyOf('b')] };
    expect(faultsIn([begun('b'), promised, { what: 'ok', request: numberOf('b'), ids: [] }])).toEqual({
      lost: [keyOf('b')],
    });
    expect(faultsIn([begun('b'), promised, stored('b'), ...handled('x', '1.b')])).toEqual({});
  });
});

describe('callbacks', () => {
  const parent = 'taken.7.calls';
  const enqueuedParent: Happening[] = [
    { what: 'begun', request: 1, keys: [parent] },
    stored('p', 0, parent),
    { what: 'ok', request: 1, ids: ['p'] },
    leased(1, 'x', '1.p'),
    delivered('1.p', parent),
  ];
  const done = [leased(2, 'x', '1.d'), delivered('1.d', 'taken.7.done'), acked('x', '1.d')];
  const dead = [leased(2, 'x', '1.e'), delivered('1.e', 'taken.7.dead'), acked('x', '1.e')];
  const buried = settled(100, 'x', '1.p', 'dead', 'dead');

  test('follow on the end that they are for, without an enqueue of their own', () => {
    expect(faultsIn([...enqueuedParent, acked('x', '1.p'), ...done])).toEqual({});
    expect(faultsIn([...enqueuedParent, buried, ...dead])).toEqual({});
  });

  test('are missed, and none may come that is for another end', () => {
    expect(faultsIn([...enqueuedParent, acked('x', '1.p')])).toEqual({ lost: ['p'] });
    expect(faultsIn([...enqueuedParent, buried])).toEqual({ lost: ['p'] });
    expect(faultsIn([...enqueuedParent, acked('x', '1.p'), ...done, ...dead])).toEqual({ unexpected: ['e'] });
    expect(faultsIn([...enqueuedParent, buried, ...dead, ...done])).toEqual({ unexpected: ['d'] });
  });

  test('come once', () => {
    const again = [leased(3, 'x', '1.f'), delivered('1.f', 'taken.7.done'), acked('x', '1.f')];
    expect(faultsIn([...enqueuedParent, acked('x', '1.p'), ...done, ...again])).toEqual({ enqueuedTwice: ['f'] });
  });
});

test('a pause holds on the shard where it was written', () => {
  const paused: Happening = { what: 'paused', queue: 'invoices', shard: 'one' };
  const on = (shard: string) => [...enqueued('a'), paused, { ...leased(1, 'x', '1.a'), shard } as Happening];
  const rest = [delivered('1.a'), acked('x', '1.a')];
  expect(faultsIn([...on('two'), ...rest])).toEqual({});
});

test('the counts tell what faults and what consumers caused', () => {
  const { redelivered, ...counts } = verdictOf([
    ...enqueued('a'),
    begun('b'),
    unknown('b'),
    stored('b'),
    leased(0, 'x', '1.a', '1.b'),
    delivered('1.a'),
    { what: 'killed' },
    lapse('x', '1.a'),
    lapse('x', '1.b'),
    ...handled('y', '2.a', '2.b'),
  ]);
  expect(counts).toMatchObject({ enqueued: 2, acknowledged: 1, delivered: 2, deliveries: 3, recovered: 1, kills: 1 });
  expect(redelivered).toEqual({ lapse: 1, 'cut off': 0, retry: 0, release: 0, redrive: 0 });
});

describe('the lease book', () => {
  const synced = {
    what: 'synced' as const,
    leaseMs: LEASE_MS,
    held: 0,
    lost: false,
    settlements: [],
    chained: [],
    promised: [],
    taken: [],
    unseen: false,
    refused: false,
  };
  const book = (...syncs: (Partial<Synced> & { lease: string; at: number })[]) => {
    const history = startHistory();
    const keeper = keepLeaseBook(history);
    for (const sync of syncs) keeper.see({ ...synced, ...sync });
    return history.events.map(({ seq: _, ...happening }) => happening);
  };
  const stale: SettledEntry = { entry: '1.a', outcome: 'ack', status: 'stale', delayMs: 0, cutOff: false };
  const taken = { lease: 'x', at: 0, taken: ['1.a'] };

  test('what became of messages that were handed off, and which leases of a drain stood beside others', () => {
    const keeper = keepLeaseBook(startHistory());
    const handOff = (lease: string, ...ids: string[]) => {
      const messages = ids.map((id) => ({ id, key: keyOf(id), lane: LANE, delayMs: 0 }));
      keeper.see({ what: 'stored', messages, at: 0, met: [], parcels: 0, handedTo: { lease, leaseMs: LEASE_MS } });
    };
    const sync = (lease: string, more: Partial<Synced>) => keeper.see({ ...synced, drain: 'd', lease, at: 1, ...more });
    const ended = (entry: string, outcome: 'ack' | 'release', status: 'acked' | 'released'): SettledEntry => {
      return { entry, outcome, status, delayMs: 0, cutOff: false };
    };
    handOff('x', 'a', 'b');
    handOff('y', 'c');
    sync('x', { settlements: [ended('1.a', 'ack', 'acked'), ended('1.b', 'release', 'released')] });
    sync('z', { at: LEASE_MS, taken: ['2.c'] });
    sync('w', { at: LEASE_MS, taken: ['1.d'] });
    const handled = { messages: 3, handled: 1, givenBack: 1, lapsed: 1, leases: 2, neverSynced: 1 };
    expect([keeper.handedOff(), keeper.furtherLeases()]).toEqual([handled, 1]);
  });

  test('what comes again because its answer was lost is leased once', () => {
    expect(book(taken, { ...taken, at: 50 })).toEqual([leased(0, 'x', '1.a'), leased(50, 'x')]);
  });

  test('the next attempt elsewhere shows the lapse, with the last extension', () => {
    const next = { lease: 'y', at: 1_200, taken: ['2.a'] };
    const lapsed = lapse('x', '1.a', { extendedAt: 100, at: 1_200 });
    expect(book(taken, { lease: 'x', at: 100, held: 1 }, next).slice(2)).toEqual([lapsed, leased(1_200, 'y', '2.a')]);
  });

  test.each([
    ['is told that it was lost', { held: 1, lost: true }],
    ['holds less than the book says', { held: 2 }],
    [
      'only settles, and does not say what it holds',
      { held: -1, settlements: [{ ...stale, status: 'refused' as const }] },
    ],
  ])('a lease whose consumer %s is not surely extended, and not surely lapsed', (_, doubtful) => {
    const answer = { lease: 'x', at: 800, ...doubtful };
    const next = { lease: 'y', at: LEASE_MS, taken: ['2.a'] };
    expect(book(taken, answer, next)).toContainEqual(lapse('x', '1.a'));
    expect(book(taken, answer, { ...taken, at: 900 }).filter(({ what }) => what === 'lapse')).toEqual([]);
  });

  test('what storage refused to settle stays in its lease, which is not surely extended', () => {
    const refused: SettledEntry = { entry: '1.a', outcome: 'retry', status: 'refused', delayMs: 5, cutOff: false };
    const answer = { lease: 'x', at: 800, settlements: [refused], refused: true };
    const next = { lease: 'y', at: LEASE_MS, taken: ['2.a'] };
    const [, , ...events] = book(taken, answer, next);
    expect(events).toEqual([lapse('x', '1.a'), leased(LEASE_MS, 'y', '2.a')]);
    expect(book(taken, answer, { lease: 'x', at: 900, held: 1 }).filter(({ what }) => what === 'lapse')).toEqual([]);
  });

  test('what does not come at once is still in its lease', () => {
    const more = { lease: 'x', at: 100, taken: ['1.a'], unseen: true };
    expect(book({ ...taken, taken: ['1.a', '1.b'] }, more).filter(({ what }) => what === 'lapse')).toEqual([]);
  });

  test.each([
    ['a stale answer', { settlements: [stale] }],
    ['an answer without what was in transit', {}],
  ])('%s shows the lapse, and is no extension', (_, answer) => {
    const events = book(taken, { lease: 'x', at: LEASE_MS, ...answer });
    expect(events.filter(({ what }) => what !== 'settled').slice(1)).toEqual([lapse('x', '1.a')]);
  });
});

test('a hundred thousand messages are judged in one go', () => {
  const history = startHistory();
  for (let from = 0; from < 100_000; from += 100) {
    const ids = Array.from({ length: 100 }, (_, i) => `m${from + i}`);
    history.record({ what: 'begun', request: from, keys: ids });
    history.record({ what: 'stored', messages: ids.map((id) => ({ id, key: id, lane: LANE, delayMs: 0 })), at: 0 });
    history.record({ what: 'ok', request: from, ids });
    history.record(leased(0, `lease ${from}`, ...ids.map((id) => `1.${id}`)));
    for (const id of ids) history.record({ what: 'delivered', id, attempt: 1, key: id, at: 0 });
    for (const id of ids) history.record(acked(`lease ${from}`, `1.${id}`));
  }
  const verdict = judge(history.events);
  expect([verdict.isSound, verdict.delivered]).toEqual([true, 100_000]);
});

test('further drains that were at work die with their Worker', () => {
  let now = 0;
  const further = followFurtherDrains(1_000, () => now);
  for (const place of ['0', '1', '2']) further.begun(place, place === '2' ? 'another' : 'one');
  further.claimed({ own: '', others: [], back: ['0'] });
  further.killed('one');
  now = 2_000;
  further.killed('another');
  expect(further.figures()).toEqual({ started: 3, died: 1 });
});
