// The partition of a queue: what may be said, and what one shard alone can keep. Pure.
import { describe, expect, test } from 'vitest';
import { describeQueue } from '../../src/broker/admin.ts';
import { defineQueue, type QueueOptions } from '../../src/queue/queue.ts';

const handler = () => {};
const URL = 'https://receiver.example/hook';

test('is in the definition, and in what operators see of it', () => {
  const counts = {
    limits: '',
    ready: {},
    delayed: 0,
    leased: 0,
    dead: 0,
    paused: false,
    complete: true,
    oldestComplete: true,
  };
  const reported = (options: QueueOptions) => describeQueue(defineQueue('a', options), counts).partition;
  expect(defineQueue('a', { handler }).partition).toBe(undefined);
  expect(describeQueue(defineQueue('a', { handler }), counts)).not.toHaveProperty('partition');
  expect(reported({ handler, partition: 'any' })).toBe('any');
  expect(reported({ kind: 'pull', partition: 'group' })).toBe('group');
  expect(defineQueue('a', { kind: 'push', partition: 'group' }).handle(handler).partition).toBe('group');
});

describe('of a queue that is on any shard', () => {
  test.each<[string, QueueOptions, string]>([
    ['with order', { ordered: true }, 'the queue is ordered'],
    ['with a concurrency', { limits: { concurrency: 2 } }, 'the queue as a whole has limits'],
    ['with a rate', { limits: { rate: { limit: 1, per: '1s' } } }, 'the queue as a whole has limits'],
  ])('is refused %s', (_, options, reason) => {
    const define = () => defineQueue('a', { handler, partition: 'any', ...options });
    expect(define).toThrow(new RangeError(`partition of queue "a" cannot be 'any': ${reason}`));
    expect(() => defineQueue('a', { handler, partition: 'group', ...options })).not.toThrow();
  });

  test('is refused with the limit that a destination has by itself, until that is lifted', () => {
    const define = (limits: Pick<QueueOptions, 'limits'>) =>
      defineQueue('a', { destination: { url: URL }, partition: 'any', ...limits });
    expect(() => define({})).toThrow('for its destination has two deliveries at once unless `limits` say otherwise');
    expect(define({ limits: {} }).partition).toBe('any');
  });

  test('may be where only groups have limits', () => {
    expect(defineQueue('a', { handler, partition: 'any', limits: { group: { concurrency: 2 } } }).partition).toBe(
      'any',
    );
    expect(defineQueue('a', { destination: true, partition: 'any' }).partition).toBe('any');
  });
});

test('that is none is refused', () => {
  const options = { handler, partition: 'all' } as unknown as QueueOptions;
  expect(() => defineQueue('a', options)).toThrow(
    new RangeError(`partition of queue "a" must be 'group' or 'any'; got all`),
  );
});
