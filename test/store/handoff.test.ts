// An enqueue that hands its messages off to the drain that its caller begins: only where nothing would have gone before them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PreparedMessage, StoredDedup } from '../../src/message/envelope.ts';
import type { Runner } from '../../src/redis/runner.ts';
import type { EnqueueRequest } from '../../src/store/enqueue.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const LEASE_MS = 30_000;
const ASKED = { lease: 'L', leaseMs: LEASE_MS, most: 10 };

/** Enqueues them, and asks for them. */
async function ask(b: Bench, messages: PreparedMessage[], request: Partial<EnqueueRequest> = {}, store = b.store) {
  const answer = await store.enqueue({ messages, handOff: ASKED, ...request });
  const fresh = answer.ids.filter((_, i) => !answer.duplicates.has(i));
  b.expectAlive(fresh, messages);
  return answer;
}

const dedup = (mode: StoredDedup['mode'] = 'drop', digest = 'key'): StoredDedup => {
  return { digest, windowMs: 60_000, mode, release: false };
};

const raw = (b: Bench) => b.redises.raw;

/** Each call is made twice, as where the answer to the first was lost. */
function repeating(b: Bench): Store {
  const runner = b.runner();
  const twice: Runner = {
    async run(...call) {
      await runner.run(...call);
      return runner.run(...call);
    },
  };
  return openStore(b.opened(twice, () => b.now));
}

onEachRedis('a hand-off', (bench) => {
  test('puts what comes into an idle system in the lease, in the order of arrival, and answers what a sync would', async () => {
    const b = bench();
    const messages = [
      b.message('mail', 1),
      b.message('news', 2, { priority: 0, ttlMs: 60_000 }),
      b.message('mail', 3, { group: 'g', resultTtlMs: 1_000 }),
      b.message('mail', 4, { callbacks: [{ on: 'done', message: b.message('after', 5) }] }),
      b.message('mail', 6),
    ];
    const { ids, wake, handOff } = await ask(b, messages);
    const { envelopes, leases, timers, lanes, ready, rest } = await b.shard();
    expect(wake).toBe(true);
    expect(handOff?.taken).toEqual(ids.map((id) => ({ entry: `1.${id}`, envelope: envelopes[id] })));
    expect(leases).toEqual({ L: ids.map((id) => `1.${id}`).toReversed() });
    expect(timers).toEqual({ 'l L': b.now + LEASE_MS });
    expect([lanes, ready]).toEqual([{}, {}]);
    expect(rest.awake).toBeDefined();
    const settlements = ids.map((id) => ({ entry: `1.${id}`, outcome: 'ack' as const }));
    const { statuses } = await b.sync({ lease: 'L', want: 10, settlements, drain: { ending: false, sleepMs: 0 } });
    expect(new Set(statuses)).toEqual(new Set(['acked']));
    expect((await b.shard()).rest.awake).toBeUndefined();
  });

  test('costs 9 commands, and 8 to settle: 17 from enqueue to ack', async () => {
    const b = bench();
    const store = b.openStore();
    const one = async () => {
      const { handOff } = await store.enqueue({ messages: [b.message('mail', 1)], handOff: ASKED });
      const settlements = (handOff?.taken ?? []).map(({ entry }) => ({ entry, outcome: 'ack' as const }));
      const request = { lease: 'L', leaseMs: LEASE_MS, held: 0, want: 5, pools: ['*'], settlements };
      return () => store.sync({ ...request, drain: { ending: false, sleepMs: 0 } });
    };
    await (await one())(); // loads the scripts
    let settle = async (): Promise<unknown> => undefined;
    const enqueued = await b.cost(async () => {
      settle = await one();
    });
    expect([enqueued, await b.cost(settle)]).toEqual([
      { commands: 9, requests: 1 },
      { commands: 8, requests: 1 },
    ]);
  });

  /** By what they cost, with the clock of the server. */
  const others: [string, (b: Bench) => Promise<unknown>, number][] = [
    ['something is ready', (b) => b.enqueue(b.message('news', 'less urgent', { priority: 9 })), 8],
    ['a queue is paused', (b) => b.adminStore().pause('news', '*'), 8],
    ['an operator has set limits', (b) => b.adminStore().limit('news', '*', { concurrency: ' c=5' }), 8],
    [
      'a lane of its queue is blocked',
      async (b) => {
        await b.enqueue(b.message('mail', 'first', { group: 'g' }));
        await raw(b).rename(`${b.root}ready:*`, `${b.root}blocked:mail`);
      },
      8,
    ],
    [
      'something is due',
      async (b) => {
        await b.enqueue(b.message('news', 'due', { delayMs: 1 }));
        b.now += 1;
      },
      9,
    ],
    [
      'a lease has expired',
      async (b) => {
        await b.enqueue(b.message('news', 'held'));
        await b.take(1, 'dead', { leaseMs: 1 });
        b.now += 1;
      },
      9,
    ],
    ['somebody drains', (b) => raw(b).set(`${b.root}awake`, 'somebody'), 7],
  ];
  test.each(others)('is not where %s: the messages go into their lanes', async (what, prepare, commands) => {
    const b = bench();
    await b.store.enqueue({ messages: [b.message('else', 0)] }); // loads the script
    await raw(b).del(`${b.root}lane:5:else`, `${b.root}ready:*`, `${b.root}awake`);
    for (const key of Object.keys((await b.shard()).envelopes)) await raw(b).del(`${b.root}m:${key}`);
    await prepare(b);
    if (what !== 'somebody drains') await raw(b).del(`${b.root}awake`);
    let answer: Awaited<ReturnType<typeof ask>> | undefined;
    const cost = await b.cost(async () => {
      answer = await ask(b, [b.message('mail', 1)]);
    });
    expect(answer).toMatchObject({ wake: what !== 'somebody drains' });
    expect(answer?.handOff).toBeUndefined();
    const { lanes, leases } = await b.shard();
    expect([lanes['5:mail'], leases.L]).toEqual([[`1.${answer?.ids[0]}`], undefined]);
    expect(cost).toEqual({ commands: commands - 1, requests: 1 }); // this clock is not asked for
    b.unordered.add(answer?.ids[0] ?? '');
  });

  test('is beside a lane of another queue that waits for its own limit: that goes before nothing', async () => {
    const b = bench();
    b.deploy({ name: 'news', pool: '*', policy: ' r=1/60000' });
    await b.enqueue(b.message('news', 'taken'), b.message('news', 'waits'));
    await b.take(5, 'other');
    await raw(b).del(`${b.root}awake`);
    expect(Object.keys((await b.shard()).blocked)).toEqual(['news']);
    const { ids, handOff } = await ask(b, [b.message('mail', 1)]);
    expect(handOff?.taken?.map(({ entry }) => entry)).toEqual([`1.${ids[0]}`]);
  });

  test('is not asked for where there are more than its drain can begin, where one is delayed, or where nobody would be woken', async () => {
    const b = bench();
    const many = Array.from({ length: 11 }, (_, i) => b.message('mail', i));
    const asked: [PreparedMessage[], Partial<EnqueueRequest>][] = [
      [many, {}],
      [[b.message('mail', 1), b.message('mail', 2, { delayMs: 1 })], {}],
      [[b.message('mail', 1, { notBefore: b.now - 1 })], {}],
      [[b.message('mail', 1)], { wake: false }],
    ];
    for (const [messages, request] of asked) {
      await raw(b).del(`${b.root}awake`);
      expect((await ask(b, messages, request)).handOff).toBeUndefined();
    }
    expect((await b.shard()).leases).toEqual({});
  });

  test('of messages with dedup keys takes the new ones, as they are at the end of their request', async () => {
    const b = bench();
    const [first = ''] = await b.enqueue(b.message('mail', 'first', { dedup: dedup('drop', 'old') }));
    await b.take(1);
    await raw(b).del(`${b.root}awake`);
    const messages = [
      b.message('mail', 'met', { dedup: dedup('drop', 'old') }),
      b.message('mail', 'draft', { dedup: dedup('replace', 'new') }),
      b.message('mail', 'plain'),
      b.message('mail', 'final', { dedup: dedup('replace', 'new') }),
    ];
    const { ids, handOff, duplicates } = await ask(b, messages);
    const { envelopes } = await b.shard();
    expect([...duplicates].map(([place, { id, what }]) => [place, id, what])).toEqual([
      [0, first, 'duplicate'],
      [3, ids[1], 'replaced'],
    ]);
    expect(
      handOff?.taken?.map(({ entry, envelope }) => [entry, JSON.parse(envelope.split('\n')[1] ?? '').body]),
    ).toEqual([
      [`1.${ids[1]}`, 'final'],
      [`1.${ids[2]}`, 'plain'],
    ]);
    expect(handOff?.taken?.map(({ envelope }) => envelope)).toEqual([envelopes[ids[1] ?? ''], envelopes[ids[2] ?? '']]);
  });

  test('where all met their keys there is nothing to hand off, and nobody is woken', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 'first', { dedup: dedup() }));
    await b.take(1);
    await raw(b).del(`${b.root}awake`);
    expect(await ask(b, [b.message('mail', 'met', { dedup: dedup() })])).toMatchObject({ wake: false });
    expect((await b.shard()).rest.awake).toBeUndefined();
  });

  test('CR9 whose answer was lost is told of the lease by its repetition, and not what it holds: a sync says that', async () => {
    const b = bench();
    const { ids, wake, replayed, handOff } = await ask(b, [b.message('mail', 1)], {}, repeating(b));
    expect([wake, replayed, handOff?.lease, handOff?.taken]).toEqual([true, true, 'L', undefined]);
    expect(await b.take(5, 'L')).toEqual(ids.map((id) => `1.${id}`));
  });

  test('CR9 whose answer was lost is told of the lease also where others drain by now: nobody else knows of it', async () => {
    const b = bench();
    const runner = b.runner();
    const slow: Runner = {
      async run(...call) {
        await runner.run(...call);
        await raw(b).set(`${b.root}awake`, 'others');
        return runner.run(...call);
      },
    };
    const { wake, handOff } = await ask(b, [b.message('mail', 1)], {}, openStore(b.opened(slow, () => b.now)));
    expect([wake, handOff?.lease]).toEqual([true, 'L']);
  });

  test('CR9 that is repeated by another under its token names no lease: two drains on one would not know what they hold', async () => {
    const b = bench();
    const request = { messages: [b.message('mail', 1)], token: 't' };
    await ask(b, request.messages, request);
    const again = await b.store.enqueue({ ...request, handOff: { ...ASKED, lease: 'other' } });
    expect([again.replayed, again.wake, again.handOff]).toEqual([true, true, undefined]);
    await raw(b).del(`${b.root}awake`);
    const late = await b.store.enqueue({ ...request, handOff: { ...ASKED, lease: 'third' } });
    expect([late.replayed, late.wake, late.handOff]).toEqual([true, false, undefined]); // nothing waits for a drain
    expect(Object.keys((await b.shard()).leases)).toEqual(['L']);
  });

  test('CR9 that storage runs late, when its messages are done, leaves the lease as its drain has it by now', async () => {
    const b = bench();
    const runner = b.runner();
    let late = async (): Promise<unknown> => undefined;
    const noting: Runner = {
      run(...call) {
        late = () => runner.run(...call);
        return runner.run(...call);
      },
    };
    const { ids } = await ask(b, [b.message('mail', 1)], {}, openStore(b.opened(noting, () => b.now)));
    const [next = ''] = await b.enqueue(b.message('mail', 2));
    const settlements = ids.map((id) => ({ entry: `1.${id}`, outcome: 'ack' as const }));
    expect(await b.take(5, 'L', { settlements })).toEqual([`1.${next}`]);
    await raw(b).del(`${b.root}awake`);
    const { rest: _, ...before } = await b.shard();
    await late();
    const { rest, ...after } = await b.shard();
    expect(after).toEqual(before);
    expect([after.timers, rest.awake]).toEqual([{ 'l L': b.now + LEASE_MS }, undefined]);
  });

  test('whose token was used for something else leaves nothing, and nobody awake', async () => {
    const b = bench();
    await ask(b, [b.message('mail', 1)], { token: 't', fingerprint: 'one' });
    await raw(b).del(`${b.root}awake`);
    const before = await b.shard();
    const other = {
      messages: [b.message('mail', 2)],
      token: 't',
      fingerprint: 'two',
      handOff: { ...ASKED, lease: 'M' },
    };
    await expect(b.store.enqueue(other)).rejects.toThrow('used for other messages');
    expect(await b.shard()).toEqual(before);
  });

  test('whose drain never begins comes again when the lease is over, an attempt later', async () => {
    const b = bench();
    const { ids } = await ask(b, [b.message('mail', 1), b.message('mail', 2)]);
    b.now += LEASE_MS;
    expect(await b.take(5, 'next')).toEqual(ids.map((id) => `2.${id}`));
  });

  test('of two callers at once one gets a lease, and what the other brought is found by the first look', async () => {
    const b = bench();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), async (callers) => {
        await raw(b).del(`${b.root}awake`);
        const lease = (i: number) => `${callers}-${i}`;
        const asked = Array.from({ length: callers }, (_, i) =>
          ask(b, [b.message('mail', i)], { handOff: { ...ASKED, lease: lease(i) } }),
        );
        const answers = await Promise.all(asked);
        const handed = answers.filter(({ handOff }) => handOff);
        expect(answers.filter(({ wake }) => wake)).toEqual(handed);
        expect(handed).toHaveLength(1);
        const [{ handOff } = {}] = handed;
        const settlements = (handOff?.taken ?? []).map(({ entry }) => ({ entry, outcome: 'ack' as const }));
        const found = await b.take(5, handOff?.lease, { settlements, drain: { ending: false, sleepMs: 0 } });
        expect(found).toHaveLength(callers - 1);
        const rest = found.map((entry) => ({ entry, outcome: 'ack' as const }));
        await b.sync({ lease: handOff?.lease ?? '', want: 5, settlements: rest, drain: { ending: false, sleepMs: 0 } });
      }),
      { numRuns: 4 },
    );
  });
});
