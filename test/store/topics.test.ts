// Topics: a publication becomes one message for each matching subscription, all or none, however often it is repeated.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { enqueueInputs, type StoreInputs } from '../../src/broker/producer.ts';
import { InvalidMessage, RequestMismatch, UnknownTopic } from '../../src/errors.ts';
import type { StoredDestination } from '../../src/message/destination.ts';
import type { Envelope } from '../../src/message/envelope.ts';
import { defineQueue } from '../../src/queue/queue.ts';
import type { Runner } from '../../src/redis/runner.ts';
import { COMMON_WAKE } from '../../src/store/wake.ts';
import { openDisabling } from '../../src/topics/disabling.ts';
import { openTopicStore } from '../../src/topics/store.ts';
import { matches, openTopics, type Topics } from '../../src/topics/topics.ts';
import { Bench, onEachRedis, startEmbedded } from '../support/bench.ts';
import { dyingRunner, losingRunner } from '../support/schedules.ts';

const queues = new Map(
  [
    defineQueue('ledger', { kind: 'pull' }),
    defineQueue('mail', { handler: () => {} }),
    defineQueue('out', { destination: true }),
    defineQueue('fixed', { destination: { url: 'https://fixed.example.com/' } }),
    defineQueue('numbers', {
      kind: 'pull',
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => (typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] }),
        },
      },
    }),
  ].map((queue) => [queue.name, queue]),
);
const everything = () => {};
const name = (token: string, fingerprint = 'f') => ({ token, fingerprint, recognisedMs: 60_000 });

function topicsOn(bench: Bench): Topics {
  const accept: StoreInputs = (inputs, name) =>
    enqueueInputs(bench.store, queues, inputs, { ...name, wake: COMMON_WAKE });
  return openTopics({ topics: openTopicStore(bench.opened()), queues, accept, attend: () => {} });
}

/** Publishes, and tells the bench what lives now. */
async function publish(bench: Bench, topics: Topics, publication: object, request?: ReturnType<typeof name>) {
  const published = await topics.publish('invoices', publication, everything, request);
  bench.expectAlive(
    published.receipts.filter(({ duplicate }) => !duplicate).map(({ id }) => id),
    [],
  );
  return published;
}

test.each([
  ['*', 'invoice.paid', true],
  ['invoice.*', 'invoice.paid', true],
  ['invoice.*', 'invoice.line.added', true],
  ['invoice.*', 'invoice', false],
  ['invoice.*', 'invoices.paid', false],
  ['invoice.paid', 'invoice.paid', true],
  ['invoice.paid', 'invoice.paid.late', false],
  ['in*', 'invoice.paid', true],
])('%s matches %s: %s', (pattern, type, matched) => expect(matches(pattern, type)).toBe(matched));

const FAULTS = ['drop-reply', 'reset', 'truncate', 'flush-scripts'] as const;
test.each(FAULTS)('a request that meets "%s" at any step publishes once, with or without a name', async (kind) => {
  for (const step of [0, 1, 2, 3]) {
    let requests = Number.POSITIVE_INFINITY;
    const redises = await startEmbedded({ faults: () => (requests-- === 0 ? { kind } : undefined) });
    try {
      const bench = new Bench(redises);
      const topics = topicsOn(bench);
      for (const id of ['a', 'b']) await topics.subscribe('invoices', id, { queue: 'ledger' });
      for (const request of [undefined, name('t')]) {
        requests = step;
        const { receipts } = await publish(bench, topics, { type: 'a', body: 1 }, request);
        expect(receipts.map(({ subscription }) => subscription)).toEqual(['a', 'b']);
      }
      expect((await bench.shard()).lanes['5:ledger']).toHaveLength(4);
      expect(await bench.violations()).toEqual([]);
    } finally {
      await redises.stop();
    }
  }
});

onEachRedis('topics', (bench) => {
  test('are subscribed to, listed, and left again, each as often as it is repeated', async () => {
    const topics = topicsOn(bench());
    for (let i = 0; i < 2; i++) {
      expect(await topics.subscribe('invoices', 'books', { queue: 'ledger' })).toEqual({
        id: 'books',
        queue: 'ledger',
        events: ['*'],
      });
      await topics.subscribe('invoices', 'all', { queue: 'mail', events: ['invoice.*'] });
      await topics.subscribe('users', 'all', { queue: 'mail' });
      expect(await topics.list()).toEqual([
        { topic: 'invoices', subscriptions: 2 },
        { topic: 'users', subscriptions: 1 },
      ]);
    }
    expect((await topics.get('invoices')).map(({ id }) => id)).toEqual(['all', 'books']);
    expect([await topics.unsubscribe('invoices', 'all'), await topics.unsubscribe('invoices', 'all')]).toEqual([1, 0]);
    expect(await topics.list()).toContainEqual({ topic: 'invoices', subscriptions: 1 });
    expect([await topics.unsubscribe('invoices'), await topics.unsubscribe('invoices')]).toEqual([1, 0]);
    expect(await topics.list()).toEqual([{ topic: 'users', subscriptions: 1 }]);
    await expect(topics.get('invoices')).rejects.toThrow(UnknownTopic);
    await topics.unsubscribe('users', 'all');
    expect(Object.keys((await bench().shard()).rest)).toEqual([]);
  });

  test('have at most 100 subscriptions, and a known one can still be changed', async () => {
    const topics = topicsOn(bench());
    const ids = Array.from({ length: 100 }, (_, i) => `s${i}`);
    await Promise.all(ids.map((id) => topics.subscribe('invoices', id, { queue: 'ledger' })));
    expect(await topics.subscribe('invoices', 'one-more', { queue: 'ledger' })).toBeUndefined();
    expect(await topics.subscribe('invoices', 's7', { queue: 'mail' })).toMatchObject({ queue: 'mail' });
    expect((await topics.get('invoices')).length).toBe(100);
    const { receipts } = await publish(bench(), topics, { type: 'a', body: 1 });
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(100);
  });

  test('a publication goes to those that match, in one request, with its type', async () => {
    const topics = topicsOn(bench());
    await topics.subscribe('invoices', 'books', { queue: 'ledger', events: ['invoice.paid'] });
    await topics.subscribe('invoices', 'more', { queue: 'mail', events: ['invoice.*'] });
    await topics.subscribe('invoices', 'partner', {
      queue: 'out',
      destination: 'https://partner.example.com/hook',
      events: ['x', 'invoice.p*'],
    });
    await topics.subscribe('invoices', 'deaf', { queue: 'mail', events: ['user.*'] });
    const cost = await bench().cost(async () => {
      const { receipts, wake } = await publish(bench(), topics, {
        type: 'invoice.paid',
        body: { n: 7 },
        headers: { a: 'b' },
      });
      expect(receipts.map(({ subscription, queue, state }) => [subscription, queue, state])).toEqual([
        ['books', 'ledger', 'ready'],
        ['more', 'mail', 'ready'],
        ['partner', 'out', 'ready'],
      ]);
      expect(wake).toBe(true);
    });
    expect(cost.requests).toBeLessThanOrEqual(4); // two, and two for scripts that this server has not seen yet
    const { envelopes, lanes } = await bench().shard();
    expect(Object.keys(lanes).toSorted()).toEqual(['5:ledger', '5:mail', '5:out/https%3A%2F%2Fpartner.example.com']);
    for (const envelope of Object.values(envelopes)) {
      expect(JSON.parse(envelope.slice(envelope.indexOf('\n')))).toMatchObject({
        body: { n: 7 },
        headers: {
          a: 'b',
          'sluice-topic': 'invoices',
          'sluice-event': 'invoice.paid',
          'sluice-subscription': expect.stringMatching(/^(books|more|partner)$/),
        },
      });
    }
  });

  describe('a subscription whose receiver wants no more', () => {
    const HOOK = 'https://partner.example.com/hook';
    const partner = { queue: 'out', destination: HOOK, events: ['*'] };
    const EVENT = { type: 'a', body: 1 };
    const plenty = () => true;
    const SENT = { queue: 'out', destination: { url: HOOK }, topic: 'invoices', subscription: 'partner' };

    interface Sent {
      queue: string;
      destination?: StoredDestination | undefined;
      topic?: string;
      subscription?: string;
    }

    /** A message of the topic was answered 410. */
    async function gone(
      { queue, destination, topic, subscription }: Sent = SENT,
      { afford = plenty, runner = bench().runner() } = {},
    ) {
      const disabling = openDisabling(openTopicStore(bench().opened(runner)), queues, afford);
      const headers = { 'sluice-topic': topic, 'sluice-subscription': subscription };
      const message = { queue, headers, ...(destination && { destination }) } as unknown as Envelope['message'];
      for (let i = 0; i < 3; i++) disabling.note(message, 'HTTP 410');
      await disabling.ended();
    }

    const stateOf = async (topics: Topics, id = 'partner') =>
      (await topics.get('invoices')).find((one) => one.id === id)?.disabled;

    let warned: string[];
    beforeEach(() => {
      warned = [];
      vi.spyOn(console, 'warn').mockImplementation((line) => void warned.push(line));
    });
    afterEach(() => vi.restoreAllMocks());

    test('is disabled, which is said once; nothing is published to it until it is enabled, or put anew', async () => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', partner);
      await topics.subscribe('invoices', 'books', { queue: 'ledger' });
      const before = Date.now();
      for (let i = 0; i < 2; i++) await gone();
      const disabled = await stateOf(topics);
      expect(disabled).toEqual({ at: expect.any(Number), reason: 'HTTP 410' });
      expect(disabled?.at).toBeGreaterThanOrEqual(before);
      const said = { topic: 'invoices', subscription: 'partner', queue: 'out', reason: 'HTTP 410' };
      expect(warned.map((line) => JSON.parse(line))).toEqual([
        { level: 'warn', event: 'subscription disabled', ...said },
      ]);
      const names = async () =>
        (await publish(bench(), topics, EVENT)).receipts.map(({ subscription }) => subscription);
      expect(await names()).toEqual(['books']);
      for (let i = 0; i < 2; i++)
        expect(await topics.enable('invoices', 'partner', everything)).toEqual({ id: 'partner', ...partner });
      expect([await stateOf(topics), await names()]).toEqual([undefined, ['books', 'partner']]);
      await gone();
      expect(await names()).toEqual(['books']);
      await topics.subscribe('invoices', 'partner', partner);
      expect(await names()).toEqual(['books', 'partner']);
      expect(await topics.list()).toEqual([{ topic: 'invoices', subscriptions: 2 }]);
    });

    test('is disabled too where its queue has the URL', async () => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', { queue: 'fixed' });
      await gone({ ...SENT, queue: 'fixed', destination: undefined });
      expect(await stateOf(topics)).toMatchObject({ reason: 'HTTP 410' });
    });

    test('where all are, publishing goes to nobody, and is no error', async () => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', partner);
      await gone();
      expect(await publish(bench(), topics, EVENT, name('t'))).toEqual({ receipts: [], wake: false, replayed: false });
    });

    test.each<[string, Sent, object]>([
      ['was put anew with another URL', SENT, { ...partner, destination: 'https://new.example.com/hook' }],
      [
        'was put anew with other headers',
        SENT,
        { ...partner, destination: { url: HOOK, headers: { 'x-key': 'new' } } },
      ],
      ['was put anew for another queue', SENT, { queue: 'ledger' }],
      ['has another name', { ...SENT, subscription: 'other' }, partner],
      ['is in another topic', { ...SENT, topic: 'others' }, partner],
      ['is named by what is no name', { ...SENT, subscription: 'a}:b' }, partner],
      ['was published before messages said from where', { ...SENT, topic: undefined as never }, partner],
      [
        'is not what a message elsewhere says of itself',
        { ...SENT, destination: { url: 'https://evil.example.com/' } },
        partner,
      ],
    ])('one that %s stays as it is', async (_, sent, stands) => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', stands);
      await gone(sent);
      expect([await stateOf(topics), warned]).toEqual([undefined, []]);
    });

    test('one that is put anew between the look and the write stays as it is', async () => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', partner);
      const plain = bench().runner();
      const runner: Runner = {
        async run(...call) {
          const answer = await plain.run(...call);
          if (call[0].name === 'get-topic')
            await topics.subscribe('invoices', 'partner', { ...partner, events: ['b'] });
          return answer;
        },
      };
      await gone(SENT, { runner });
      expect([await stateOf(topics), warned]).toEqual([undefined, []]);
      expect(await topics.get('invoices')).toEqual([{ id: 'partner', ...partner, events: ['b'] }]);
    });

    test('one that is gone by then does not come back', async () => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', partner);
      const plain = bench().runner();
      const runner: Runner = {
        async run(...call) {
          const answer = await plain.run(...call);
          if (call[0].name === 'get-topic') await topics.unsubscribe('invoices', 'partner');
          return answer;
        },
      };
      await gone(SENT, { runner });
      await expect(topics.get('invoices')).rejects.toThrow(UnknownTopic);
      expect(await topics.list()).toEqual([]);
    });

    test('what a budget has no room for is not begun, and the next answer does it; once for all of a drain', async () => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', partner);
      await gone(SENT, { afford: () => false });
      expect(await stateOf(topics)).toBeUndefined();
      const afford = vi.fn(() => true);
      const { requests } = await bench().cost(() => gone(SENT, { afford }));
      expect(afford.mock.calls).toEqual([[4]]);
      expect(requests).toBeLessThanOrEqual(4);
      expect(await stateOf(topics)).toBeDefined();
    });

    test.each(['before', 'after'] as const)('a drain that dies %s each step leaves it to the next', async (when) => {
      const topics = topicsOn(bench());
      await topics.subscribe('invoices', 'partner', partner);
      for (const step of [1, 2]) {
        await topics.subscribe('invoices', 'partner', partner);
        await gone(SENT, { runner: dyingRunner(bench().runner(), step, when) });
        await gone();
        expect(await stateOf(topics)).toEqual({ at: expect.any(Number), reason: 'HTTP 410' });
      }
      await topics.enable('invoices', 'partner', everything);
      await gone(SENT, { runner: losingRunner(bench().runner()) }); // each call is made twice
      expect([warned.length > 0, await stateOf(topics)]).toEqual([
        true,
        { at: expect.any(Number), reason: 'HTTP 410' },
      ]);
    });

    test('enabling asks for the queue, and finds nothing where there is nothing', async () => {
      const topics = topicsOn(bench());
      expect(await topics.enable('invoices', 'partner', everything)).toBeUndefined();
      await topics.subscribe('invoices', 'partner', partner);
      await gone();
      const notOut = (queue: string) => {
        throw new Error(`not ${queue}`);
      };
      await expect(topics.enable('invoices', 'partner', notOut)).rejects.toThrow('not out');
      expect(await stateOf(topics)).toBeDefined();
    });
  });

  test('nobody subscribed is an error, nobody interested is not', async () => {
    const topics = topicsOn(bench());
    await expect(publish(bench(), topics, { type: 'a', body: 1 })).rejects.toThrow(UnknownTopic);
    await topics.subscribe('invoices', 'books', { queue: 'ledger', events: ['b'] });
    expect(await publish(bench(), topics, { type: 'a', body: 1 })).toEqual({
      receipts: [],
      wake: false,
      replayed: false,
    });
  });

  test('repeated after subscriptions have changed it gives the first answer and enqueues nothing', async () => {
    const topics = topicsOn(bench());
    const publication = { type: 'a', body: 1, dedup: { key: 'k' } };
    await topics.subscribe('invoices', 'books', { queue: 'ledger' });
    await topics.subscribe('invoices', 'more', { queue: 'ledger' });
    const first = await publish(bench(), topics, publication, name('t'));
    expect(first.receipts.map(({ duplicate }) => duplicate)).toEqual([false, false]); // a dedup key for each subscription
    const before = await bench().shard();
    const changes = [
      () => topics.unsubscribe('invoices', 'more'),
      () => topics.subscribe('invoices', 'third', { queue: 'mail' }),
      () => topics.subscribe('invoices', 'numbers', { queue: 'numbers' }),
      () => topics.unsubscribe('invoices'),
    ];
    for (const change of changes) {
      await change();
      expect(await topics.publish('invoices', publication, everything, name('t'))).toMatchObject({
        receipts: first.receipts,
        replayed: true,
      });
      expect((await bench().shard()).envelopes).toEqual(before.envelopes);
    }
    await expect(topics.publish('invoices', publication, everything, name('t', 'other'))).rejects.toThrow(
      RequestMismatch,
    );
    await topics.subscribe('invoices', 'books', { queue: 'ledger' });
    const again = await publish(bench(), topics, publication, name('t2'));
    expect(again.receipts).toEqual([{ ...first.receipts[0], state: 'duplicate', duplicate: true }]);
    expect((await topics.publish('invoices', publication, everything, name('t2'))).receipts).toEqual(again.receipts);
  });

  test('published twenty times at once under one name it is enqueued once', async () => {
    const topics = topicsOn(bench());
    for (const id of ['a', 'b', 'c']) await topics.subscribe('invoices', id, { queue: 'ledger' });
    const all = await Promise.all(
      Array.from({ length: 20 }, () => publish(bench(), topics, { type: 'a', body: 1 }, name('t'))),
    );
    expect(new Set(all.map(({ receipts }) => JSON.stringify(receipts))).size).toBe(1);
    expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect((await bench().shard()).lanes['5:ledger']).toHaveLength(3);
  });

  test('where one queue refuses, or the caller may not reach one, none gets it', async () => {
    const topics = topicsOn(bench());
    await topics.subscribe('invoices', 'books', { queue: 'ledger' });
    await topics.subscribe('invoices', 'numbers', { queue: 'numbers' });
    await expect(publish(bench(), topics, { type: 'a', body: 'text' }, name('t'))).rejects.toMatchObject({
      issues: [{ field: 'subscriptions.numbers.body', code: 'schema' }],
    });
    const notNumbers = (queue: string) => {
      if (queue === 'numbers') throw new Error('not for you');
    };
    await expect(topics.publish('invoices', { type: 'a', body: 1 }, notNumbers, name('t'))).rejects.toThrow(
      'not for you',
    );
    expect((await bench().shard()).lanes).toEqual({});
    await publish(bench(), topics, { type: 'a', body: 1 }, name('t'));
  });

  test.each([
    [{ queue: 'nowhere' }, 'queue'],
    [{ queue: 'ledger', destination: 'https://example.com/' }, 'destination'],
    [{ queue: 'out' }, 'destination'],
    [{ queue: 'out', destination: 'https://10.0.0.1/' }, 'destination'],
    [{ queue: 'ledger', events: [] }, 'events'],
    [{ queue: 'ledger', events: ['a*b'] }, 'events.0'],
    [{ queue: 'ledger', topic: 'x' }, 'topic'],
    [7, ''],
  ])('a subscription of %j is refused', async (wanted, field) => {
    const refused = topicsOn(bench()).subscribe('invoices', 'a', wanted);
    await expect(refused).rejects.toMatchObject({ name: InvalidMessage.name, issues: [{ field }] });
    expect((await bench().shard()).rest).toEqual({});
  });
});
