// Bodies that code can hand over and JSON cannot carry: each is refused by name, and nothing is stored.
import { expect, test } from 'vitest';
import { enqueueInputs } from '../../src/broker/producer.ts';
import type { MessageInput } from '../../src/broker/validate.ts';
import { defineQueue, InvalidMessage } from '../../src/index.ts';
import { onEachRedis } from '../support/bench.ts';

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

const deep: unknown[] = [];
for (let i = 0, at = deep; i < 100_000; i++) {
  const inner: unknown[] = [];
  at.push(inner);
  at = inner;
}

const bodies: [string, unknown][] = [
  ['a function', () => 1],
  ['nothing', undefined],
  ['a symbol', Symbol('s')],
  ['an object whose toJSON gives nothing', { toJSON: () => undefined }],
  [
    'an object whose toJSON throws',
    {
      toJSON: () => {
        throw new Error('no');
      },
    },
  ],
  ['a BigInt', { n: 10n }],
  ['a cycle', cycle],
  ['lists nested 100,000 deep', deep],
];

onEachRedis(
  'a body from code',
  (bench) => {
    const input = (body: unknown, path = ''): MessageInput => ({
      queue: defineQueue('work', { kind: 'pull' }),
      body,
      options: {},
      path,
    });

    test.each(bodies)('that is %s is an invalid message, and nothing is stored', async (_, body) => {
      const b = bench();
      const error = await enqueueInputs(b.store, new Map(), [input(body)]).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(InvalidMessage);
      expect((error as InvalidMessage).issues.map(({ field }) => field)).toEqual(['body']);
      expect((await b.shard()).envelopes).toEqual({});
    });

    test.each(bodies)(
      'that is %s, in a batch, is named by its place, and nothing of the batch is stored',
      async (_, body) => {
        const b = bench();
        const error = await enqueueInputs(b.store, new Map(), [
          input('fine', 'messages[0].'),
          input(body, 'messages[1].'),
        ]).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(InvalidMessage);
        expect((error as InvalidMessage).issues.map(({ field }) => field)).toEqual(['messages[1].body']);
        expect((await b.shard()).envelopes).toEqual({});
      },
    );
  },
  ['the embedded Redis'],
);
