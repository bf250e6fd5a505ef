// A script that fails half-way, because one of its keys has a wrong type: nothing has changed, or what has is harmless.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { Bench, type Redises, straightTo } from '../support/bench.ts';
import { type ControlledRedis, redisesOn, startControlledRedis } from '../support/redis-control.ts';
import { redisServerPresent } from '../support/redis-server.ts';
import { auditAll, deliverAll, idOf } from '../support/settling.ts';

const present = redisServerPresent();
if (!present) console.warn('skipped: keys of a wrong type: no redis-server on the PATH');

/** A shard in the middle of everything: what each name stands for is an id. */
interface Scene {
  b: Bench;
  ids: Record<string, string>;
}

interface Variant {
  /** The envelope of what the crashed consumer held is gone. */
  vanished?: boolean;
  /** One queue is paused, another is being resumed. */
  paused?: boolean;
  /** The queue has limits, and one that keeps order has a group that waits for a dead letter; what follows on ends waits too. */
  limited?: boolean;
}

const LIMITS = [
  { name: 'mail', pool: '*', policy: 'c=5 r=50/1000' },
  { name: 'order', pool: '*', policy: 'b' },
];

async function setScene(redises: Redises, { vanished, paused, limited }: Variant): Promise<Scene> {
  await redises.raw.flushall(); // what looks through all keys would find those of the scenes before
  const b = new Bench(redises, straightTo(redises.emulator));
  const mail = (body: string, options = {}) => b.message('mail', body, { priority: 5, ...options });
  if (limited) await setLimits(b);
  // One that failed once and is held again; one held for the first time; one whose only attempt is under way.
  const [again = '', first = '', last = ''] = await b.enqueue(
    mail('again'),
    mail('first'),
    mail('last', { maxAttempts: 1 }),
  );
  await b.take(1, 'a');
  await b.sync({
    lease: 'a',
    settlements: [{ entry: `1.${again}`, outcome: 'retry', failure: { kind: 'failed', text: 'x' } }],
  });
  b.now += 10;
  await b.take(3, 'a');
  // A dead letter, and a lease whose consumer died.
  const [letter = ''] = await b.enqueue(mail('letter'));
  await b.take(1, 'b');
  await b.sync({
    lease: 'b',
    settlements: [{ entry: `1.${letter}`, outcome: 'dead', failure: { kind: 'refused', text: 'no' } }],
  });
  const [lapsed = ''] = await b.enqueue(mail('lease_expired'));
  await b.take(1, 'crashed');
  // Ready ones in two lanes, and one that is due by now.
  const [ready = '', due = '', other = ''] = await b.enqueue(
    mail('ready'),
    mail('due', { delayMs: 20_000 }),
    b.message('other', 'o'),
  );
  b.unordered.add(letter);
  b.now += 29_995; // 'crashed' and the delayed one are due; 'a' has been extended by then
  await b.redises.raw.zadd(`${b.root}timers`, b.now + 30_000, 'l a');
  b.now += 5;
  if (vanished) await redises.raw.del(`${b.root}m:${lapsed}`);
  if (paused) {
    const [blocked = '', back = ''] = await b.enqueue(
      b.message('news', 'n', { priority: 0 }),
      b.message('old', 'p', { priority: 0 }),
    );
    await b.adminStore().pause('news', '*');
    await b.adminStore().pause('old', '*');
    b.unordered.add(blocked);
    await redises.raw.zrem(`${b.root}ready:*`, '0:old');
    await redises.raw.zadd(`${b.root}blocked:old`, 1, '0:old');
    await b.adminStore().resume('old', '*');
    b.unordered.add(back);
  }
  return { b, ids: { again, first, last, letter, lapsed, ready, due, other } };
}

/** A dead letter that holds its group back, on whose end another follows, and one behind it in a lane that is blocked. */
async function setLimits(b: Bench): Promise<void> {
  b.deploy(...LIMITS);
  const ordered = (body: string, options = {}) => b.message('order', body, { group: 'g', priority: 0, ...options });
  const callbacks = [{ on: 'done' as const, message: b.message('mail', 'follows') }];
  const [blocks = ''] = await b.enqueue(ordered('blocks', { callbacks }), ordered('waits'));
  b.unordered.add(blocks);
  await b.take(1, 'o');
  const failure = { kind: 'refused', text: 'no' } as const;
  await b.sync({ lease: 'o', settlements: [{ entry: `1.${blocks}`, outcome: 'dead', failure }] });
  expect(await b.take(1, 'o')).toEqual([]);
}

const settle =
  (outcome: Settlement['outcome'], { delayMs = 0, want = 0, pools = ['*'] } = {}) =>
  async ({ b, ids }: Scene) => {
    const failure = { kind: 'failed', text: 'x' } as const;
    const settlements = [`2.${ids.again}`, `1.${ids.first}`].map((entry) => ({ entry, outcome, delayMs, failure }));
    if (outcome === 'release') for (const id of [ids.again, ids.first]) b.unordered.add(id ?? '');
    await b.sync({ lease: 'a', held: 1, want, pools, settlements });
  };

const calls: [string, (scene: Scene) => Promise<unknown>][] = [
  [
    'enqueue',
    async ({ b }) => {
      const messages = [
        b.message('mail', 'new'),
        b.message('fresh', 'new'),
        b.message('mail', 'later', { delayMs: 50 }),
      ];
      const { ids } = await b.store.enqueue({ messages, token: 'token' });
      b.expectAlive(ids, messages);
    },
  ],
  ['a sync that acks', settle('ack')],
  ['a sync that retries', settle('retry', { delayMs: 100 })],
  ['a sync that dead-letters', settle('dead')],
  ['a sync that releases', settle('release')],
  ['a sync that releases for later', settle('release', { delayMs: 100 })],
  ['a sync that acks and takes', settle('ack', { want: 10 })],
  ['a sync that retries and takes', settle('retry', { delayMs: 100, want: 10 })],
  ['a sync that dead-letters and takes', settle('dead', { want: 10 })],
  ['a sync that releases and takes', settle('release', { want: 10 })],
  ['a sync that acks and takes from two pools', settle('ack', { want: 10, pools: ['*', 'pulled'] })],
  [
    'a sync that does all of it and takes',
    async ({ b, ids }) => {
      const failure = { kind: 'failed', text: 'x' } as const;
      const settlements: Settlement[] = [
        { entry: `2.${ids.again}`, outcome: 'ack' },
        { entry: `1.${ids.first}`, outcome: 'release' },
        { entry: `1.${ids.last}`, outcome: 'retry', failure },
      ];
      b.unordered.add(ids.first ?? '');
      await b.sync({ lease: 'a', want: 10, settlements, drain: { ending: false, sleepMs: 60_000 } });
    },
  ],
  ['a sync that takes', ({ b }) => b.sync({ lease: 'c', want: 2, drain: { ending: false, sleepMs: 60_000 } })],
  [
    'a sync that finds too little',
    ({ b }) => b.sync({ lease: 'c', want: 10, drain: { ending: false, sleepMs: 60_000 } }),
  ],
  ['a sweep', ({ b }) => b.store.sweep('*')],
  ...['ready', 'due', 'letter', 'again'].map((which): [string, (scene: Scene) => Promise<unknown>] => [
    `cancelling what is ${which}`,
    async ({ b, ids }) => {
      const id = ids[which] ?? '';
      const there = () => b.redises.raw.exists(`${b.root}m:${id}`);
      const before = await there();
      try {
        if ((await b.adminStore().cancel(id)) !== 'gone') b.alive.delete(id);
      } finally {
        // An index of a wrong type is met last: the call fails and the message is gone all the same, as was wanted.
        if (before && !(await there())) b.alive.delete(id);
      }
    },
  ]),
  [
    'a redrive',
    async ({ b, ids }) => {
      await b.adminStore().redrive('mail', [ids.letter ?? '']);
    },
  ],
];

const KEYS = [
  'timers',
  'failures:again',
  'awake',
  'sleeper',
  'config',
  'stats',
  'req:token',
  'ready:*',
  'ready:pulled',
  'lane:5:mail',
  'lane:5:other',
  'lane:5:fresh',
  'lease:a',
  'lease:c',
  'lease:crashed',
  'dead:mail',
  'dead:-',
  'm:ready',
];

/** Keys that only some calls can meet. */
const onlyMetBy: Record<string, RegExp> = {
  'req:token': /enqueue/,
  'lane:5:fresh': /enqueue/,
  'ready:pulled': /two pools/,
  'lease:c': /that takes|too little/,
};

/** The group that was held back goes on, in order; the audit counts slots again. */
async function letGo(b: Bench): Promise<void> {
  const [letter = ''] = Object.keys((await b.shard()).dead.order ?? {}).map(idOf);
  if (letter) await b.adminStore().redrive('order', [letter]);
  await auditAll(b.store);
  await auditAll(b.store);
}

const variants: [string, Variant, string[]][] = [
  ['', {}, KEYS],
  [' where an envelope vanished', { vanished: true }, ['dead:mail', 'dead:-', 'm:lapsed']],
  [
    ' where limits hold',
    { limited: true },
    ['inflight', 'blocked:mail', 'blocked:order', 'rate:1000:mail', 'callbacks:', 'ready:*'],
  ],
  [' while a queue is paused', { paused: true }, ['config', 'ready:*', 'blocked:news', 'blocked:old']],
];

describe.skipIf(!present)('a key of a wrong type', () => {
  let redis: ControlledRedis;
  let redises: Redises;
  let cases = 0;
  beforeAll(async () => {
    redis = await startControlledRedis(['--appendonly', 'no']);
    redises = await redisesOn(redis);
  });
  afterAll(async () => {
    console.log(`ST7: ${cases} calls met a key of a wrong type`);
    await redises.stop();
    await redis.close();
  });

  /** Puts the key aside and something else in its place; gives back the way to mend it. */
  async function spoil(key: string): Promise<() => Promise<void>> {
    const { raw } = redis;
    const wrong = /:(awake|sleeper|req:.*|rate:.*|m:.*|failures:.*)$/.test(key) ? 'list' : 'string';
    const was = await raw.exists(key);
    if (was) await raw.rename(key, `aside ${key}`);
    await (wrong === 'list' ? raw.lpush(key, 'wrong') : raw.set(key, 'wrong'));
    return async () => {
      if ((await raw.type(key)) === wrong) await raw.del(key);
      // Texts of failures are lost with their key: put back, they would name messages that are gone by now.
      if (was && key.includes(':failures:')) await raw.del(`aside ${key}`);
      else if (was) await raw.rename(`aside ${key}`, key);
    };
  }

  for (const [what, call] of calls) {
    for (const [where, variant, names] of variants) {
      const met = names.filter((name) => onlyMetBy[name]?.test(what) ?? true);
      test.each(met)(`ST7 Script fails half-way: ${what}${where}: %s`, async (name) => {
        const scene = await setScene(redises, variant);
        const { b, ids } = scene;
        const [letter = ''] = Object.keys((await b.shard()).dead.order ?? {}).map(idOf);
        const key =
          b.root +
          name
            .replace(/^(m|failures):(.*)$/, (_, kind, which) => `${kind}:${ids[which]}`)
            .replace(/^callbacks:$/, `callbacks:${letter}`);
        const mend = await spoil(key);
        for (const _ of ['first', 'replayed']) await call(scene).catch(() => {});
        await mend();
        await call(scene);
        await auditAll(b.store);
        if (variant.limited) await letGo(b); // nobody waits for the dead letter, and counts that were lost are made up for
        if (!variant.vanished) expect(await b.violations()).toEqual([]);
        for (const queue of variant.paused ? ['news', 'old'] : []) await b.adminStore().resume(queue, '*');
        const { given, dead } = await deliverAll(b);
        expect([...given].filter(([, times]) => times > 1)).toEqual([]);
        for (const id of b.alive) expect(dead).toContain(id);
        expect(await b.violations()).toEqual([]);
        cases += 1;
      });
    }
  }
});
