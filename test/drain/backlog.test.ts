// How many drains a backlog is worth.
import { expect, test } from 'vitest';
import { countDrains, type DrainPower } from '../../src/drain/backlog.ts';
import { type AnyQueue, defineQueue, type QueueOptions } from '../../src/index.ts';
import type { ReadyWork } from '../../src/store/drains.ts';

const POWER: DrainPower = { ends: 100, concurrency: 5, takes: ({ timeoutMs }) => timeoutMs <= 20_000 };

const lane = (name: string, length: number, setByOperators = '') => ({ lane: `5:${name}`, length, setByOperators });
const ready = (...first: ReadyWork['first']): ReadyWork => ({ lanes: first.length, first, taken: [] });

function worthOf(work: ReadyWork, options: QueueOptions = {}): number {
  const handled = defineQueue('jobs', { ...options, handler: () => {} }) as AnyQueue;
  const elsewhere = defineQueue('elsewhere', { kind: 'push' }) as AnyQueue;
  return countDrains(work, new Map([handled, elsewhere].map((queue) => [queue.name, queue])), POWER);
}

test('as many as end it soon, and one for the least', () => {
  expect([0, 1, 100, 101, 1_000].map((length) => worthOf(ready(lane('jobs', length))))).toEqual([0, 1, 1, 2, 10]);
});

test('lanes that were not looked at are taken to be like those that were', () => {
  expect(worthOf({ ...ready(lane('jobs/a', 50), lane('jobs/b', 150)), lanes: 20 })).toBe(20);
});

test.each<[string, QueueOptions, number]>([
  ['of a queue', { limits: { concurrency: 10 } }, 2],
  ['of its groups', { limits: { group: { concurrency: 5 } } }, 3],
  ['of an order', { ordered: true }, 1],
  ['of a rate', { limits: { rate: { limit: 40, per: '1s' } } }, 2],
  ['of a rate of its groups', { limits: { group: { rate: { limit: 40, per: '1s' } } } }, 6],
])('no more than limits let work: %s', (_, options, worth) => {
  expect(worthOf(ready(...['a', 'b', 'c'].map((group) => lane(`jobs/${group}`, 10_000))), options)).toBe(worth);
});

test('limits that operators set count in their place', () => {
  const limits = { limits: { concurrency: 100 } };
  expect(worthOf(ready(lane('jobs', 10_000, 'open * c=10')), limits)).toBe(2);
  expect(worthOf(ready(lane('jobs', 10_000, 'paused *')))).toBe(0);
});

test('nothing for what a drain does not take: of another deployment, unknown, or longer than it lives', () => {
  expect(worthOf(ready(lane('elsewhere', 10_000), lane('unknown', 10_000)))).toBe(0);
  expect(worthOf(ready(lane('jobs', 10_000)), { timeout: '90s' })).toBe(0);
});
