// The calls that write, each in a scenario of its own: what storage refuses inside them, the tests of refused writes try out.
import type { PreparedMessage, StoredDedup } from '../../src/message/envelope.ts';
import { openRings } from '../../src/rings/store.ts';
import { type Change, openScheduleStore } from '../../src/schedules/store.ts';
import { pack } from '../../src/shards/parcel.ts';
import { audit } from '../../src/store/audit.ts';
import { putMap } from '../../src/store/map.ts';
import {
  adopt as adoptMoved,
  evacuate,
  type Moving,
  moveMessage,
  moveSchedule,
  readStanding,
  type StandingMessage,
  splitMoved,
} from '../../src/store/moving.ts';
import { openTopicStore } from '../../src/topics/store.ts';
import { openSourceCounters } from '../../src/webhooks/counters-store.ts';
import { smallRunner } from '../model/small.ts';
import type { Bench } from './bench.ts';
import { type Answer, adopt, enqueues, type Scenario, type Scene, syncs } from './refusing.ts';
import { idOf } from './settling.ts';
import { shrinkRecords } from './small-store.ts';

const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const failure = { kind: 'failed', text: 'x' } as const;
const policy = (words: string, name = 'mail') => ({ name, pool: '*', policy: words });

const dedup = (mode: StoredDedup['mode'], release = false): StoredDedup => ({
  digest: 'd'.repeat(22),
  windowMs: 600_000,
  mode,
  release,
});

/** What follows on this one, in other queues than its own. */
const callbacks = (b: Bench, name: string): PreparedMessage['callbacks'] => [
  { on: 'done', message: b.message('after', `after ${name}`) },
  { on: 'dead', message: b.message('sorry', `sorry for ${name}`, { delayMs: 500 }) },
];

/** Dies by its consumer's word. */
async function bury(b: Bench, ...ids: string[]): Promise<void> {
  await b.take(ids.length, 'u');
  const settlements = ids.map((id) => ({ entry: `1.${id}`, outcome: 'dead' as const, failure }));
  await b.sync({ lease: 'u', settlements });
  for (const id of ids) b.unordered.add(id);
}

/** What takes the place of something cannot be taken back by deletes: done again it is the same. */
const REPLACED = / changed \/(envelopes\/<first>|rest\/callbacks:<first>|timers\/m \* 5:mail 1\.<first>: \d+ instead)/;

const enqueueing: Scenario[] = [
  { name: 'one message', call: enqueues((b) => [b.message('mail', 'a')]) },
  {
    name: 'messages of several lanes and groups',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'old')),
    call: enqueues((b) => [
      b.message('mail', 'a'),
      b.message('mail', 'b', { group: 'g' }),
      b.message('mail', 'c', { group: 'h' }),
      b.message('news', 'd', { priority: 1 }),
      b.message('mail', 'e'),
    ]),
  },
  { name: 'more than go into a lane at once', call: enqueues((b) => times(210, (i) => b.message('mail', `m${i}`))) },
  { name: 'a delayed one', call: enqueues((b) => [b.message('mail', 'a', { delayMs: 5_000 })]) },
  {
    name: 'ready and delayed ones',
    call: enqueues((b) => [
      b.message('mail', 'a', { delayMs: 5_000 }),
      b.message('mail', 'b'),
      b.message('news', 'c', { delayMs: 1 }),
    ]),
  },
  { name: 'one whose key is new', call: enqueues((b) => [b.message('mail', 'a', { dedup: dedup('drop') })]) },
  {
    name: 'one whose key is taken',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'first', { dedup: dedup('drop') })),
    call: enqueues((b) => [b.message('mail', 'a', { dedup: dedup('drop') }), b.message('mail', 'b')]),
  },
  {
    name: 'one that replaces another',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'first', { dedup: dedup('replace') })),
    call: enqueues((b) => [b.message('mail', 'first', { dedup: dedup('replace') }), b.message('mail', 'b')]),
    leaves: REPLACED,
  },
  {
    name: 'one that waits for quiet',
    call: enqueues((b) => [
      b.message('mail', 'a', { delayMs: 5_000, dedup: dedup('debounce'), callbacks: callbacks(b, 'a') }),
    ]),
  },
  {
    name: 'one that waits for quiet again',
    prepare: async (b: Bench) => {
      await b.enqueue(
        b.message('mail', 'first', { delayMs: 5_000, dedup: dedup('debounce'), callbacks: callbacks(b, 'first') }),
      );
      b.now += 1_000;
    },
    call: enqueues((b) => [
      b.message('mail', 'first', { delayMs: 5_000, dedup: dedup('debounce'), callbacks: callbacks(b, 'other') }),
    ]),
    leaves: REPLACED,
  },
  {
    name: 'one that waits for quiet again, with nothing to follow on it any more',
    prepare: (b: Bench) =>
      b.enqueue(
        b.message('mail', 'first', { delayMs: 5_000, dedup: dedup('debounce'), callbacks: callbacks(b, 'first') }),
      ),
    call: enqueues((b) => [b.message('mail', 'first', { delayMs: 6_000, dedup: dedup('debounce') })]),
    leaves: REPLACED,
  },
  {
    name: 'one that waits for quiet again, with what follows on it for the first time',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'first', { delayMs: 5_000, dedup: dedup('debounce') })),
    call: enqueues((b) => [
      b.message('mail', 'first', { delayMs: 6_000, dedup: dedup('debounce'), callbacks: callbacks(b, 'first') }),
    ]),
    leaves: REPLACED,
  },
  {
    name: 'one that waits for quiet again, in another lane',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'first', { delayMs: 5_000, dedup: dedup('debounce') })),
    call: enqueues((b) => [
      b.message('mail', 'first', { delayMs: 6_000, dedup: dedup('debounce'), priority: 0, group: 'g' }),
      b.message('mail', 'b'),
    ]),
    leaves: REPLACED,
  },
  {
    name: 'one on which others follow',
    call: enqueues((b) => [
      b.message('mail', 'a', { callbacks: callbacks(b, 'a') }),
      b.message('mail', 'b', { callbacks: callbacks(b, 'b') }),
    ]),
  },
  {
    name: 'messages that are handed off',
    call: async (scene: Scene) => {
      const list = [
        scene.b.message('mail', 'a', { callbacks: callbacks(scene.b, 'a') }),
        scene.b.message('news', 'b', { priority: 1 }),
        scene.b.message('mail', 'c', { dedup: dedup('drop') }),
      ];
      const handOff = { lease: 'L', leaseMs: 10_000, most: 5 };
      const { ids, replayed, wake } = await scene.b.store.enqueue({ messages: list, token: 'token', handOff });
      scene.b.expectAlive(ids, list);
      await scene.know();
      return scene.named({ ids, replayed, wake }) as Answer;
    },
    later: true, // what the lease does not take goes into the lanes, and is not given out by an expiry
  },
  { name: 'a publication', call: enqueues((b) => [b.message('mail', 'a'), b.message('news', 'b')], { note: 'note' }) },
].map((scenario) => ({
  ...scenario,
  name: `an enqueue: ${scenario.name}`,
  whole: true,
  behind: (b) => [b.message('mail', 'behind'), b.message('mail', 'behind too', { group: 'g' })],
}));

const fewLanes = async (b: Bench) => {
  await b.enqueue(
    ...times(4, (i) => b.message('mail', `m${i}`)),
    ...times(3, (i) => b.message('news', `n${i}`)),
    b.message('mail', 'g', { group: 'g' }),
    b.message('chat', 'c', { priority: 1 }),
  );
};

const grouped = async (b: Bench) => {
  await b.enqueue(...['g', 'h', 'i'].flatMap((group) => times(3, (i) => b.message('mail', `${group}${i}`, { group }))));
};

const taking: Scenario[] = [
  {
    name: 'from one lane',
    prepare: (b: Bench) => b.enqueue(...times(3, (i) => b.message('mail', `m${i}`))),
    call: syncs({ want: 2 }),
  },
  {
    name: 'all of several lanes',
    prepare: fewLanes,
    call: syncs({ want: 20, drain: { ending: false, sleepMs: 60_000 } }),
  },
  { name: 'a part of several lanes', prepare: fewLanes, call: syncs({ want: 3 }), later: true },
  {
    name: 'more than go into a lease at once',
    prepare: (b: Bench) => b.enqueue(...times(210, (i) => b.message('mail', `m${i}`))),
    call: syncs({ want: 205 }),
  },
  {
    name: 'beside what it holds',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      await b.take(1);
    },
    call: syncs({ held: 1, want: 20 }),
  },
  {
    name: 'what an answer that was lost had taken',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      await b.take(2);
    },
    call: syncs({ want: 20 }),
  },
  {
    name: 'beside some in transit, one cancelled',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      const [entry = ''] = await b.take(2);
      await b.adminStore().cancel(idOf(entry));
      b.alive.delete(idOf(entry));
    },
    call: syncs({ want: 20 }),
  },
  {
    name: 'beside some in transit, one damaged',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      const [entry = ''] = await b.take(2);
      await b.redises.raw.del(`${b.root}m:${idOf(entry)}`);
    },
    call: syncs({ want: 20 }),
  },
  {
    name: 'up to a limit',
    prepare: async (b: Bench) => {
      b.deploy(policy('c=2'));
      await fewLanes(b);
    },
    call: syncs({ want: 20 }),
    later: true,
  },
  {
    name: 'one of each group',
    prepare: async (b: Bench) => {
      b.deploy(policy('c=9 gc=1'));
      await grouped(b);
    },
    call: syncs({ want: 20 }),
  },
  {
    name: 'of groups in order',
    prepare: async (b: Bench) => {
      b.deploy(policy('o'));
      await grouped(b);
    },
    call: syncs({ want: 20 }),
  },
  {
    name: 'as many as a period allows',
    prepare: async (b: Bench) => {
      b.deploy(policy('r=2/1000 gr=1/3000'));
      await grouped(b);
    },
    call: syncs({ want: 20 }),
    later: true,
  },
  {
    name: 'of a lane that waited for too long',
    prepare: async (b: Bench) => {
      b.deploy(policy('a=1000'));
      await fewLanes(b);
      await b.take(2, 'other');
      b.now += 2_000;
      await b.store.sweep('*');
    },
    call: syncs({ want: 3 }),
    later: true,
  },
  {
    name: 'where a destination is left alone',
    prepare: async (b: Bench) => {
      b.deploy(policy('gh=2/30000'));
      await grouped(b);
      const taken = await b.take(3, 'u');
      const settlements = taken.map((entry) => ({
        entry,
        outcome: 'retry' as const,
        health: 'bad' as const,
        delayMs: 1,
        failure,
      }));
      await b.sync({ lease: 'u', settlements });
      await b.sync({ lease: 'u', want: 3 });
    },
    call: syncs({ want: 20 }),
    later: true,
  },
  {
    name: 'what is over',
    prepare: async (b: Bench) => {
      await b.enqueue(
        b.message('mail', 'over', { ttlMs: 500, callbacks: callbacks(b, 'over'), dedup: dedup('drop', true) }),
        b.message('mail', 'good'),
      );
      b.now += 1_000;
    },
    call: syncs({ want: 5 }),
    later: true,
  },
  {
    name: 'what is over, on which one follows in a lane that it empties',
    prepare: async (b: Bench) => {
      const after = b.message('after', 'sorry');
      await b.enqueue(
        b.message('mail', 'over', { priority: 0, ttlMs: 500, callbacks: [{ on: 'dead', message: after }] }),
        b.message('after', 'waits'),
      );
      b.now += 1_000;
    },
    call: syncs({ want: 5 }),
    later: true,
  },
  {
    name: 'what is cancelled, and what has no envelope',
    prepare: async (b: Bench) => {
      const [gone = '', cancelled = ''] = await b.enqueue(
        b.message('mail', 'gone'),
        b.message('mail', 'cancelled'),
        b.message('mail', 'good'),
      );
      await b.redises.raw.set(`${b.root}m:${cancelled}`, 'cancelled');
      await b.redises.raw.del(`${b.root}m:${gone}`);
      b.alive.delete(cancelled);
      await b.redises.raw.set(`${b.root}failures:${gone}`, '1 1 missing x'); // the bench is to mind nothing before
    },
    call: syncs({ want: 5 }),
    later: true,
  },
  {
    name: 'while a queue is paused',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      await b.adminStore().pause('mail', '*');
    },
    call: syncs({ want: 20 }),
  },
  {
    name: 'while a queue is resumed',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      await b.adminStore().pause('mail', '*');
      await b.take(9, 'other');
      await b.adminStore().resume('mail', '*');
    },
    call: syncs({ want: 20 }),
    later: true,
  },
].map((scenario) => ({ ...scenario, name: `a sync that takes ${scenario.name}` }));

/** Holds so many of these in lease a. */
const held = (messages: (b: Bench) => PreparedMessage[], words?: string) => async (b: Bench) => {
  if (words !== undefined) b.deploy(policy(words));
  const ids = await b.enqueue(...messages(b));
  await b.take(ids.length);
  for (const id of ids) b.unordered.add(id);
};

const three = held((b) => ['a', 'b', 'c'].map((name) => b.message('mail', name)));
const inGroups = (b: Bench) =>
  ['a', 'b', 'c'].map((name) => b.message('mail', name, { group: name, maxAttempts: name === 'c' ? 1 : 5 }));

const settling: Scenario[] = [
  {
    name: 'acks all',
    prepare: three,
    call: syncs({
      settle: [
        ['a', 'ack'],
        ['b', 'ack'],
        ['c', 'ack'],
      ],
    }),
  },
  { name: 'acks one of three', prepare: three, call: syncs({ held: 2, settle: [['b', 'ack']] }) },
  {
    name: 'acks most of many',
    prepare: held((b) => times(20, (i) => b.message('mail', `m${i}`))),
    call: syncs({ held: 3, settle: times(17, (i) => [`m${i}`, 'ack']) }),
  },
  {
    name: 'acks with a result, a key that goes and what follows',
    prepare: held((b) => [
      b.message('mail', 'a', { resultTtlMs: 60_000 }),
      b.message('mail', 'b', { dedup: dedup('drop', true) }),
      b.message('mail', 'c', { callbacks: callbacks(b, 'c') }),
      b.message('mail', 'd'),
    ]),
    call: syncs({ held: 1, settle: ['a', 'b', 'c'].map((name) => [name, 'ack', { result: '{"x":1}' }]) }),
  },
  {
    name: 'acks with what its handler enqueued',
    prepare: three,
    call: async (scene: Scene, earlier?: Answer) => {
      const { b } = scene;
      const chained = [
        { id: 'x'.repeat(20), ...b.message('news', 'x') },
        { id: 'y'.repeat(20), ...b.message('news', 'y', { delayMs: 500 }) },
      ];
      return syncs({
        held: 1,
        settle: [
          ['a', 'ack', { chained }],
          ['b', 'ack'],
        ],
      })(scene, earlier);
    },
  },
  {
    name: 'retries',
    prepare: three,
    call: syncs({
      held: 1,
      settle: [
        ['a', 'retry', { delayMs: 1_000 }],
        ['b', 'retry'],
      ],
    }),
  },
  {
    name: 'retries for the last time',
    prepare: held((b) => [
      b.message('mail', 'a', { maxAttempts: 1, callbacks: callbacks(b, 'a') }),
      b.message('mail', 'b'),
    ]),
    call: syncs({ held: 1, settle: [['a', 'retry']] }),
  },
  {
    name: 'dead-letters',
    prepare: three,
    call: syncs({
      held: 1,
      settle: [
        ['a', 'dead'],
        ['b', 'dead'],
      ],
    }),
  },
  {
    name: 'releases',
    prepare: three,
    call: syncs({
      held: 1,
      settle: [
        ['a', 'release'],
        ['b', 'release'],
      ],
    }),
  },
  {
    name: 'releases for later',
    prepare: three,
    call: syncs({ held: 1, settle: [['a', 'release', { delayMs: 1_000 }]] }),
  },
  {
    name: 'does all of it and takes',
    prepare: async (b: Bench) => {
      await held((b) => ['a', 'b', 'c', 'd', 'e'].map((name) => b.message('mail', name)))(b);
      await b.enqueue(b.message('mail', 'f'), b.message('news', 'g'));
    },
    call: syncs({
      held: 1,
      want: 9,
      settle: [
        ['a', 'ack'],
        ['b', 'retry', { delayMs: 1_000 }],
        ['c', 'dead'],
        ['d', 'release', { delayMs: 2_000 }],
      ],
    }),
  },
  {
    name: 'settles what has slots',
    prepare: held(inGroups, 'c=3 gc=1'),
    call: syncs({
      settle: [
        ['a', 'ack'],
        ['b', 'retry'],
        ['c', 'retry'],
      ],
    }),
    later: true,
  },
  {
    name: 'settles what is in order',
    prepare: async (b: Bench) => {
      await held(inGroups, 'o')(b);
      await b.enqueue(...inGroups(b).map((message, i) => ({ ...message, json: `{"body":"next ${i}"}` })));
    },
    call: syncs({
      settle: [
        ['a', 'ack'],
        ['b', 'retry', { delayMs: 1_000 }],
        ['c', 'release'],
      ],
    }),
    later: true,
  },
  {
    name: 'settles what holds its group back',
    prepare: held(inGroups, 'b'),
    call: syncs({
      settle: [
        ['a', 'dead'],
        ['b', 'retry', { delayMs: 1_000 }],
        ['c', 'retry'],
      ],
    }),
    later: true,
  },
  {
    name: 'speaks of a destination that fails, and of one that is well again',
    prepare: async (b: Bench) => {
      b.deploy(policy('gh=2/30000'));
      await b.enqueue(...['g', 'h'].flatMap((group) => times(2, (i) => b.message('mail', `${group}${i}`, { group }))));
      await b.take(2);
      for (const id of [...b.alive]) b.unordered.add(id);
    },
    call: syncs({
      held: 0,
      want: 5,
      settle: [
        ['g0', 'retry', { health: 'bad' }],
        ['h0', 'ack', { health: 'good' }],
      ],
    }),
    later: true,
  },
].map((scenario) => ({ ...scenario, name: `a sync that ${scenario.name}` }) as Scenario);

const sweeps = async (scene: Scene): Promise<Answer> => {
  const { schedules, findings } = await scene.b.store.sweep('*', { cursor: '0' });
  adopt(scene, await scene.know());
  return scene.named({ schedules, findings }) as Answer;
};

/** A lease that lapsed, of all kinds of messages. */
const lapsed = (words?: string) => async (b: Bench) => {
  if (words !== undefined) b.deploy(policy(words));
  const [, , cancelled = '', vanished = ''] = await b.enqueue(
    b.message('mail', 'again', { group: 'g' }),
    b.message('mail', 'last', { maxAttempts: 1, callbacks: callbacks(b, 'last'), group: 'h' }),
    b.message('mail', 'cancelled', { group: 'i' }),
    b.message('news', 'vanished'),
    b.message('news', 'too'),
  );
  await b.take(9, 'crashed');
  await b.redises.raw.set(`${b.root}m:${cancelled}`, 'cancelled');
  b.alive.delete(cancelled);
  await b.redises.raw.del(`${b.root}m:${vanished}`);
  await b.redises.raw.set(`${b.root}failures:${vanished}`, '1 1 missing x');
  b.now += 30_000;
};

/** A lease that could not be given back still holds what has no envelope, and a deep audit says so. */
const HELD_WITHOUT_ENVELOPE = /^audit: entry-without-envelope 1\.<vanished>$/;

const due = async (b: Bench) => {
  await b.enqueue(
    ...times(3, (i) => b.message('mail', `m${i}`, { delayMs: 1_000 })),
    b.message('news', 'n', { delayMs: 1_500, group: 'g' }),
    b.message('news', 'later', { delayMs: 9_000 }),
    b.message('chat', 'again'),
  );
  const [again = ''] = await b.take(1);
  await b.sync({ settlements: [{ entry: again, outcome: 'retry', delayMs: 1_000, failure }] });
  b.now += 2_000;
};

const dueInOrder = async (b: Bench) => {
  b.deploy(policy('o'));
  await grouped(b);
  const taken = await b.take(9);
  await b.sync({ settlements: taken.map((entry) => ({ entry, outcome: 'retry', delayMs: 1_000, failure })) });
  for (const id of b.alive) b.unordered.add(id);
  b.now += 2_000;
};

const windows = async (b: Bench) => {
  b.deploy(policy('r=2/1000 gr=1/3000'));
  await grouped(b);
  await b.take(9);
  await b.sync({ settlements: [] });
  b.now += 3_000;
};

const firing: Scenario[] = [
  { name: 'that gives back what lapsed', prepare: lapsed(), call: sweeps, later: true, leaves: HELD_WITHOUT_ENVELOPE },
  {
    name: 'that gives back what lapsed and had slots',
    prepare: lapsed('c=5 gc=1'),
    call: sweeps,
    later: true,
    leaves: HELD_WITHOUT_ENVELOPE,
  },
  {
    name: 'that gives back what lapsed and holds its group back',
    prepare: lapsed('b'),
    call: sweeps,
    later: true,
    leaves: HELD_WITHOUT_ENVELOPE,
  },
  {
    name: 'that gives back more than goes into a lane at once',
    prepare: async (b: Bench) => {
      await b.enqueue(...times(210, (i) => b.message('mail', `m${i}`)));
      await b.take(205, 'crashed');
      b.now += 30_000;
    },
    call: sweeps,
    later: true,
  },
  { name: 'when some are due', prepare: due, call: sweeps, later: true },
  { name: 'when groups in order are due', prepare: dueInOrder, call: sweeps, later: true },
  { name: 'when a period begins', prepare: windows, call: sweeps, later: true },
  {
    name: 'that meets a schedule',
    prepare: async (b: Bench) => {
      await b.redises.raw.hset(`${b.root}schedules`, 'often', `${b.now} active api r 0\n\nlines`);
      await b.redises.raw.zadd(`${b.root}timers`, b.now, 's often', b.now, 's none');
    },
    call: sweeps,
  },
  {
    name: 'that rolls up counters',
    prepare: async (b: Bench) => {
      await three(b);
      await b.sync({ settlements: [...b.alive].map((id) => ({ entry: `1.${id}`, outcome: 'ack' })) });
    },
    call: sweeps,
  },
  {
    name: 'that finds a lane waiting for too long',
    prepare: async (b: Bench) => {
      b.deploy(policy('a=1000'));
      await fewLanes(b);
      await b.take(2, 'other', { leaseMs: 60_000 });
      b.now += 2_000;
    },
    call: sweeps,
  },
].map((scenario) => ({ ...scenario, name: `a sweep ${scenario.name}` }));

const firingSyncs: Scenario[] = [
  {
    name: 'that gives back what lapsed',
    prepare: lapsed(),
    call: syncs({ want: 20 }),
    later: true,
    leaves: HELD_WITHOUT_ENVELOPE,
  },
  { name: 'when some are due', prepare: due, call: syncs({ want: 20 }), later: true },
  { name: 'when groups in order are due', prepare: dueInOrder, call: syncs({ want: 20 }), later: true },
  { name: 'when a period begins', prepare: windows, call: syncs({ want: 20 }), later: true },
].map((scenario) => ({ ...scenario, name: `a sync ${scenario.name}` }));

/** What is wrong, and who finds it. */
const damage: [name: string, wreck: (b: Bench) => Promise<unknown>, deep?: boolean][] = [
  [
    'a lane that no index has',
    async (b) => {
      await fewLanes(b);
      await b.redises.raw.zrem(`${b.root}ready:*`, '5:mail', '5:news');
    },
  ],
  [
    'a lease without its timer',
    async (b) => {
      await three(b);
      await b.redises.raw.del(`${b.root}timers`);
    },
  ],
  [
    'a lane that is blocked for nothing',
    async (b) => {
      await fewLanes(b);
      await b.redises.raw.zrem(`${b.root}ready:*`, '5:mail', '5:news');
      await b.redises.raw.zadd(`${b.root}blocked:mail`, 1, '5:mail');
      await b.redises.raw.zadd(`${b.root}blocked:news`, 1, '5:news');
    },
  ],
  [
    'lanes of one queue that are blocked for nothing',
    async (b) => {
      await grouped(b);
      for (const lane of ['5:mail/g', '5:mail/h', '5:mail/i']) {
        await b.redises.raw.zrem(`${b.root}ready:*`, lane);
        await b.redises.raw.zadd(`${b.root}blocked:mail`, 1, lane);
      }
    },
  ],
  [
    'a pause that nobody would notice',
    async (b) => {
      await fewLanes(b);
      await b.adminStore().pause('mail', '*');
      await b.redises.raw.zrem(`${b.root}ready:*`, '!');
    },
  ],
  [
    'slots that are counted wrong',
    async (b) => {
      b.deploy(policy('c=9 gc=1'));
      await grouped(b);
      await b.take(2);
      await b.redises.raw.hset(`${b.root}inflight`, 'mail', 7, 'mail/g', 3, 'mail/h', 1, 'mail/i', 9);
    },
  ],
  [
    'entries without envelopes',
    async (b) => {
      const [gone = ''] = await b.enqueue(b.message('mail', 'gone'), b.message('mail', 'good'));
      await b.redises.raw.del(`${b.root}m:${gone}`);
      await b.redises.raw.set(`${b.root}failures:${gone}`, '1 1 missing x');
    },
  ],
  [
    'a lane of another pool',
    async (b) => {
      await b.enqueue(b.message('mail', 'a', { pool: 'mail' }), b.message('news', 'b'));
      b.store = b.openStore(() => b.now, b.prefix, ['mail']);
    },
  ],
  [
    'a turn in the future',
    async (b) => {
      b.now += 600_000;
      await fewLanes(b);
      b.now -= 600_000;
    },
  ],
];

const deepDamage: typeof damage = [
  [
    'a schedule without its timer',
    async (b) => {
      await b.redises.raw.hset(`${b.root}schedules`, 'often', `${b.now + 5_000} active api r 0\n\nlines`);
    },
  ],
  [
    'messages that no list has',
    async (b) => {
      await b.enqueue(
        b.message('mail', 'a'),
        b.message('mail', 'b', { maxAttempts: 1, callbacks: callbacks(b, 'b') }),
        b.message('news', 'c'),
      );
      for (const id of b.alive) b.unordered.add(id);
      await b.redises.raw.del(`${b.root}lane:5:mail`);
      await b.redises.raw.zrem(`${b.root}ready:*`, '5:mail');
    },
    true,
  ],
  [
    'a dead letter without its envelope',
    async (b) => {
      const [id = ''] = await b.enqueue(b.message('mail', 'a'));
      await bury(b, id);
      await b.redises.raw.del(`${b.root}m:${id}`);
    },
  ],
];

const audits =
  (deep: boolean) =>
  async (scene: Scene): Promise<Answer> => {
    const { findings } = await audit(scene.b.store, '0', true, deep);
    adopt(scene, await scene.know());
    return scene.named({ findings }) as Answer;
  };

const repairing: Scenario[] = [
  ...damage.map(([name, prepare]) => ({ name: `a sweep that finds ${name}`, prepare, call: sweeps })),
  ...[...damage, ...deepDamage].map(([name, prepare, deep = false]) => ({
    name: `an audit that finds ${name}`,
    prepare,
    call: audits(deep),
  })),
].map((scenario) => ({
  ...scenario,
  later: true,
  right: /^I3: lane 5:mail of pool mail is indexed in|^I2: the failures of/,
  again: true,
}));

/** Two dead letters of two lanes, one of them with a key and with what follows. */
const dead = async (b: Bench) => {
  const ids = await b.enqueue(
    b.message('mail', 'a', { callbacks: callbacks(b, 'a') }),
    b.message('mail', 'b', { group: 'g' }),
    b.message('mail', 'c'),
  );
  await bury(b, ...ids);
  adopt({ b }, await b.shard());
};

const redrives =
  (...names: string[]) =>
  async ({ b, id, named }: Scene): Promise<Answer> => {
    const answers = await b.adminStore().redrive('mail', names.map(id));
    return named({ answers }) as Answer;
  };

const cancels =
  (name: string) =>
  async ({ b, id }: Scene): Promise<Answer> => {
    const was = await b.adminStore().cancel(id(name));
    if (was !== 'gone') b.alive.delete(id(name));
    return { was };
  };

/** Seven dead letters, six of them in two parts, and one that is left. */
async function deadInParts(b: Bench): Promise<void> {
  shrinkRecords(b);
  for (const names of ['abc', 'def', 'g'])
    await bury(b, ...(await b.enqueue(...[...names].map((name) => b.message('mail', name)))));
  await b.enqueue(b.message('mail', 'h'), b.message('mail', 'i'));
  await b.take(2);
}

const dividing: Scenario[] = [
  {
    name: 'letters that are divided',
    prepare: deadInParts,
    call: syncs({
      settle: [
        ['h', 'dead'],
        ['i', 'dead'],
      ],
    }),
  },
  { name: 'a redrive from parts', prepare: deadInParts, call: redrives('g', 'b', 'f', 'a'), whole: true },
  { name: 'a redrive of a part', prepare: deadInParts, call: redrives('c', 'a', 'b'), whole: true },
  { name: 'cancelling what is dead in a part', prepare: deadInParts, call: cancels('e'), whole: true, deletes: true },
];

const operating: Scenario[] = [
  { name: 'a redrive', prepare: dead, call: redrives('a', 'b') },
  {
    name: 'a redrive of what holds its group back',
    prepare: async (b: Bench) => {
      b.deploy(policy('c=2 b'));
      const ids = await b.enqueue(b.message('mail', 'a', { group: 'g' }));
      await bury(b, ...ids);
      await b.enqueue(b.message('mail', 'b', { group: 'g' }));
      await b.take(2);
    },
    call: redrives('a'),
  },
  {
    name: 'cancelling what is ready',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'a'), b.message('mail', 'b')),
    call: cancels('a'),
    deletes: true,
  },
  {
    name: 'cancelling the last of a lane where another waits for its turn',
    prepare: async (b: Bench) => {
      b.deploy(policy('c=1'));
      await b.enqueue(...['g', 'h', 'i'].map((group) => b.message('mail', group, { group })));
      await b.take(1);
      await b.sync({ lease: 'other', want: 1 });
      await b.redises.raw.zadd(`${b.root}ready:*`, 1, '5:mail/h');
      await b.redises.raw.zrem(`${b.root}blocked:mail`, '5:mail/h');
    },
    call: cancels('h'),
    later: true,
  },
  {
    name: 'cancelling what is delayed',
    prepare: (b: Bench) => b.enqueue(b.message('mail', 'a', { delayMs: 500, dedup: dedup('drop') })),
    call: cancels('a'),
    deletes: true,
  },
  { name: 'cancelling what is dead', prepare: dead, call: cancels('b'), deletes: true },
  { name: 'cancelling what is leased', prepare: three, call: cancels('b') },
  {
    name: 'cancelling what keeps the slot of its group',
    prepare: async (b: Bench) => {
      b.deploy(policy('o'));
      await b.enqueue(...times(2, (i) => b.message('mail', `m${i}`, { group: 'g' })));
      const [entry = ''] = await b.take(1);
      await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs: 5_000, failure }] });
      await b.take(1, 'other');
    },
    call: cancels('m0'),
  },
].map((scenario) => ({ ...scenario, whole: true }));

const configures =
  (change: (b: Bench) => Promise<void>): Scenario['call'] =>
  async ({ b }) => ({ done: await change(b) });

/** It makes syncs look at the configuration, and goes with the first that finds nothing there. */
const MARK = / changed \/ready\/\*\/!/;

const restricting: Scenario[] = [
  {
    name: 'a purge',
    deletes: true,
    prepare: async (b: Bench) => {
      b.deploy(policy('b'));
      await b.enqueue(b.message('news', 'stays'));
      const ids = await b.enqueue(b.message('mail', 'dead', { group: 'g', priority: 0 }));
      await bury(b, ...ids);
      await b.enqueue(
        b.message('mail', 'ready', { group: 'g' }),
        b.message('mail', 'late', { delayMs: 900, dedup: dedup('drop') }),
      );
      await b.sync({ lease: 'other', want: 0 });
    },
    call: async ({ b, know }: Scene) => {
      const sent = b.adminStore().purge('mail', ['ready', 'delayed', 'dead'], '0');
      const { purged } = await sent.finally(async () => {
        const { envelopes } = await know();
        for (const id of b.alive) if (!(id in envelopes)) b.alive.delete(id);
      });
      return { purged };
    },
    later: true,
  },
  {
    name: 'pausing',
    prepare: fewLanes,
    call: configures((b) => b.adminStore().pause('mail', '*')),
    whole: true,
    leaves: MARK,
  },
  {
    name: 'limiting',
    prepare: fewLanes,
    call: configures((b) => b.adminStore().limit('mail', '*', { concurrency: ' c=1' })),
    whole: true,
    leaves: MARK,
  },
  {
    name: 'resuming',
    prepare: async (b: Bench) => {
      await fewLanes(b);
      await b.adminStore().pause('mail', '*');
      await b.take(9, 'other');
    },
    call: configures((b) => b.adminStore().resume('mail', '*')),
    whole: true,
    leaves: MARK,
  },
];

const schedule = (b: Bench, more: Partial<Change>): Change => ({
  id: 'often',
  expected: '',
  header: `${b.now + 5_000} active api revision 0`,
  error: '',
  lines: 'lines',
  due: b.now + 5_000,
  messages: [],
  ...more,
});

const scheduled = (b: Bench) => schedules(b).change([schedule(b, {})]);
const schedules = (b: Bench) => openScheduleStore(b.opened(b.runner(), () => b.now));

const reschedules =
  (changes: (b: Bench) => Change[]) =>
  async (scene: Scene): Promise<Answer> => {
    const { b } = scene;
    const { statuses, wake } = await schedules(b).change(changes(b), true);
    for (const id of Object.keys((await scene.know()).envelopes)) b.alive.add(id);
    return { statuses, wake };
  };

const scheduling: Scenario[] = [
  { name: 'a schedule that is new', call: reschedules((b) => [schedule(b, {}), schedule(b, { id: 'other' })]) },
  {
    name: 'the occurrence of a schedule',
    prepare: scheduled,
    call: reschedules((b) => [
      schedule(b, {
        expected: `${b.now + 5_000} active api revision 0`,
        header: `${b.now + 9_000} active api revision ${b.now}`,
        due: b.now + 9_000,
        messages: [b.message('mail', 'made'), b.message('mail', 'late', { delayMs: 500 })],
      }),
    ]),
    leaves: / changed \/timers\/s often:/, // where only the record is refused, and no deletes can put the timer back: the slot comes late
  },
  {
    name: 'a schedule that is paused while another goes',
    prepare: async (b: Bench) => {
      await scheduled(b);
      await schedules(b).change([schedule(b, { id: 'other' })]);
    },
    call: reschedules((b) => [
      schedule(b, {
        expected: `${b.now + 5_000} active api revision 0`,
        header: '0 paused api revision 0',
        due: undefined,
      }),
      schedule(b, { id: 'other', expected: `${b.now + 5_000} active api revision 0`, header: '', due: undefined }),
    ]),
  },
].map((scenario) => ({ ...scenario, whole: true }));

const rings = (b: Bench) => openRings(b.opened());
const topics = (b: Bench) => openTopicStore(b.opened());
const counters = (b: Bench) => openSourceCounters(b.opened());
const items = (count: number) => times(count, (i) => `item ${i}`);
const does =
  (call: (b: Bench) => Promise<unknown>) =>
  async ({ b }: Scene): Promise<Answer> => ({ answer: await call(b) });
const ring = (count: number) => (b: Bench) => rings(b).add('ring', items(count));

const besides: Scenario[] = [
  { name: 'a ring that turns by one', prepare: ring(4), call: does((b) => rings(b).rotate('ring', 1)) },
  { name: 'a ring that turns by some', prepare: ring(4), call: does((b) => rings(b).rotate('ring', 3)) },
  { name: 'a ring that turns by all', prepare: ring(4), call: does((b) => rings(b).rotate('ring', 9)), deletes: true },
  { name: 'a long ring that turns', prepare: ring(700), call: does((b) => rings(b).rotate('ring', 450)) },
  { name: 'a new ring', call: does((b) => rings(b).add('ring', items(3))) },
  { name: 'a ring that grows', prepare: ring(3), call: does((b) => rings(b).add('ring', items(450))) },
  {
    name: 'items that leave a ring',
    prepare: ring(3),
    call: does((b) => rings(b).remove('ring', items(2))),
    deletes: true,
  },
  {
    name: 'a ring that is emptied',
    prepare: ring(3),
    call: does((b) => rings(b).remove('ring', items(3))),
    deletes: true,
  },
  { name: 'a ring that goes', prepare: ring(3), call: does((b) => rings(b).drop('ring')), deletes: true },
  { name: 'the first subscription', call: does((b) => topics(b).subscribe('topic', 's', '{}')) },
  {
    name: 'a subscription more',
    prepare: (b: Bench) => topics(b).subscribe('topic', 's', '{}'),
    call: does((b) => topics(b).subscribe('topic', 't', '{}')),
  },
  {
    name: 'a subscription that changes',
    prepare: (b: Bench) => topics(b).subscribe('topic', 's', '{}'),
    call: does((b) => topics(b).subscribe('topic', 's', '{"a":1}')),
  },
  {
    name: 'a subscription that goes',
    prepare: async (b: Bench) => {
      for (const id of ['s', 't', 'u']) await topics(b).subscribe('topic', id, '{}');
    },
    call: does((b) => topics(b).unsubscribe('topic', 's')),
  },
  {
    name: 'the last subscription that goes',
    prepare: (b: Bench) => topics(b).subscribe('topic', 's', '{}'),
    call: does((b) => topics(b).unsubscribe('topic', 's')),
    deletes: true,
  },
  { name: 'the first map of the shards', call: does((b) => putMap(b.opened(), '1 {}', 1)) },
  {
    name: 'a newer map of the shards',
    prepare: (b: Bench) => putMap(b.opened(), '1 {}', 1),
    call: does((b) => putMap(b.opened(), '2 {}', 2)),
  },
  {
    name: 'figures of sources',
    call: does((b) =>
      counters(b).add(
        new Map([
          ['a x', 1],
          ['a y', 2],
        ]),
      ),
    ),
  },
  {
    name: 'more figures of sources',
    prepare: (b: Bench) => counters(b).add(new Map([['a x', 1]])),
    call: does((b) =>
      counters(b).add(
        new Map([
          ['a x', 1],
          ['a y', 2],
        ]),
      ),
    ),
  },
].map((scenario) => ({ ...scenario, whole: true }));

/** Delayed ones, of which three records are full; those due last were stored first. */
async function overflowing(b: Bench): Promise<void> {
  shrinkRecords(b);
  for (let i = 14; i > 0; i--) {
    await b.enqueue(
      b.message('mail', `m${i}`, { delayMs: i * 1_000, dedup: { ...dedup('debounce'), digest: `${i}` } }),
    );
  }
}

const late = async (b: Bench) => {
  await overflowing(b);
  b.now += 20_000;
};

/** A marker that could not be followed comes again a minute later. */
const PUT_OFF = /^I8: .* marked \d+$/;

const overflow: Scenario[] = [
  {
    name: 'an enqueue that spills',
    prepare: overflowing,
    call: enqueues((b) => times(3, (i) => b.message('mail', `n${i}`, { delayMs: 7_500 + i * 5_000 }))),
  },
  {
    name: 'an enqueue of one in overflow that waits for quiet again',
    prepare: overflowing,
    call: enqueues((b) => [
      b.message('mail', 'm14', { delayMs: 2_500, dedup: { ...dedup('debounce'), digest: '14' } }),
      b.message('mail', 'm13', { delayMs: 30_000, dedup: { ...dedup('debounce'), digest: '13' } }),
    ]),
    leaves: / changed \/envelopes\/<m1[34]>/,
  },
  { name: 'a sweep that meets overflow', prepare: late, call: sweeps, later: true, right: PUT_OFF },
  { name: 'a sync that meets overflow', prepare: late, call: syncs({ want: 20 }), later: true, right: PUT_OFF },
  { name: 'cancelling what is in overflow', prepare: overflowing, call: cancels('m14'), whole: true, deletes: true },
];

/** What stands on a shard, and how it got there. */
interface Standing {
  name: string;
  prepare(b: Bench): Promise<unknown>;
  /** Its scripts have small constants. */
  small?: boolean;
  /** What leaves besides messages. */
  others?(b: Bench): Promise<Moving[]>;
}

const onShard = (b: Bench, { small }: Standing) => b.opened(small ? smallRunner(b.runner()) : b.runner(), () => b.now);

async function readAll(b: Bench, standing: Standing): Promise<StandingMessage[]> {
  const messages: StandingMessage[] = [];
  for (const queue of ['mail', 'news', 'chat', 'after', 'sorry']) {
    for (const state of ['dead', 'delayed', 'ready'] as const) {
      messages.push(...(await readStanding(onShard(b, standing), queue, state, 500, '')).messages);
    }
  }
  return messages;
}

const PARCEL = 'p'.repeat(20);
const movedBy = new WeakMap<Bench, string[]>();

/** From now on there is a parcel in the place of all of it. */
async function evacuateAll(b: Bench, standing: Standing): Promise<void> {
  const messages = await readAll(b, standing);
  const others = (await standing.others?.(b)) ?? [];
  for (let tries = 0; tries < 2; tries++) {
    const leaving = [...messages.map(moveMessage), ...others];
    const [moved, claims] = [leaving.flatMap((each) => each.moved), leaving.map(({ claim }) => claim)];
    const parcel = pack({ to: 'other', args: moved, count: leaving.length, isMoved: true }, 2_000);
    const statuses = await evacuate(onShard(b, standing), PARCEL, parcel, claims);
    if (statuses) {
      for (const [i, message] of messages.entries()) message.held = statuses[i] === 'held';
      continue;
    }
    for (const { id } of messages) b.alive.delete(id);
    b.expectAlive([PARCEL], [parcel]);
    movedBy.set(b, moved);
    return;
  }
  throw new Error('nothing has left');
}

/** It has left, and its parcel is forwarded to the shard where it was. */
async function sendAway(b: Bench, standing: Standing): Promise<void> {
  await standing.prepare(b);
  await evacuateAll(b, standing);
  await b.adminStore().cancel(PARCEL);
  b.alive.delete(PARCEL);
}

async function adoptAll(b: Bench, standing: Standing): Promise<boolean> {
  const moved = movedBy.get(b) as string[];
  const wake = await adoptMoved(onShard(b, standing), { moved, token: 'token', recognisedMs: 60_000, epoch: '1' });
  for (const [kind, id = ''] of splitMoved(moved)) {
    if (kind !== 'm') continue;
    b.alive.add(id);
    b.unordered.add(id);
  }
  return wake;
}

const standings: Standing[] = [
  { name: 'ready ones of several lanes', prepare: fewLanes },
  {
    name: 'some of each state',
    async prepare(b) {
      await dead(b);
      await b.enqueue(
        b.message('mail', 'late', { delayMs: 5_000, callbacks: callbacks(b, 'late'), dedup: dedup('drop') }),
        b.message('news', 'tried', { callbacks: callbacks(b, 'tried') }),
      );
      const [entry = ''] = await b.take(1);
      await b.sync({ settlements: [{ entry, outcome: 'retry', delayMs: 3_000, failure }] });
      await b.enqueue(b.message('news', 'ready', { callbacks: callbacks(b, 'ready') }));
    },
  },
  {
    name: 'some that wait for their limit',
    async prepare(b) {
      b.deploy(policy('c=1'));
      await b.enqueue(...['g', 'h', 'i'].map((group) => b.message('mail', group, { group })));
      await b.take(1, 'other');
      await b.sync({ lease: 'other', held: 1, want: 1 });
    },
  },
  {
    name: 'some that keep the slot of their group',
    async prepare(b) {
      b.deploy(policy('o'));
      await grouped(b);
      const taken = await b.take(2);
      await b.sync({ settlements: taken.map((entry) => ({ entry, outcome: 'retry', delayMs: 5_000, failure })) });
      for (const id of b.alive) b.unordered.add(id);
    },
  },
  {
    name: 'a dead one that holds its group back',
    async prepare(b) {
      b.deploy(policy('c=2 b'));
      await bury(b, ...(await b.enqueue(b.message('mail', 'a', { group: 'g' }))));
    },
  },
  { name: 'dead ones in parts', prepare: deadInParts, small: true },
  { name: 'delayed ones in overflow', prepare: overflowing, small: true },
  {
    name: 'a schedule and figures',
    async prepare(b) {
      await scheduled(b);
      await counters(b).add(new Map([['a x', 1]]));
      await three(b);
      await b.sync({ settlements: [...b.alive].map((id) => ({ entry: `1.${id}`, outcome: 'ack' })) });
    },
    async others(b) {
      const record = (await b.redises.raw.hget(`${b.root}schedules`, 'often')) ?? '';
      const lines = (await b.redises.raw.lrange(`${b.root}stats`, 0, -1)).join('\n');
      const figures = { claim: ['l', lines], moved: ['l', lines] };
      return [moveSchedule('often', record), figures];
    },
  },
];

const moving: Scenario[] = standings.flatMap((standing) => [
  {
    name: `evacuating ${standing.name}`,
    prepare: standing.prepare,
    call: does((b) => evacuateAll(b, standing)),
    whole: true,
  },
  {
    name: `adopting ${standing.name}`,
    prepare: (b: Bench) => sendAway(b, standing),
    call: async (scene: Scene) => {
      const wake = await adoptAll(scene.b, standing);
      await scene.know();
      return { wake };
    },
    whole: true,
  },
]);

export const scenarios: Scenario[] = [
  ...overflow,
  ...enqueueing,
  ...taking,
  ...settling,
  ...firing,
  ...firingSyncs,
  ...repairing,
  ...operating,
  ...dividing,
  ...restricting,
  ...scheduling,
  ...besides,
  ...moving,
];
