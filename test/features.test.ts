// What a deployment was not given it does not have in its bundle: it says so, and how it gets it.
import { expect, test } from 'vitest';
import { rings, topics } from '../src/http/functions.ts';
import { createSluice } from '../src/index.ts';

const NOWHERE = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 'none' };

test('rings', async () => {
  expect(() => createSluice({ queues: [] }).ring(NOWHERE, 'sites')).toThrow('Give createSluice the function "rings"');
  const given = createSluice({ queues: [], functions: [rings] });
  expect(() => given.ring(NOWHERE, 'no name')).toThrow(RangeError);
  await expect(given.ring(NOWHERE, 'sites').rotate(0)).rejects.toThrow('the count must be');
});

test('topics', async () => {
  const publish = (functions: (typeof topics)[]) =>
    createSluice({ queues: [], functions }).producer(NOWHERE).publish('invoices', '?', {});
  await expect(publish([])).rejects.toThrow('give createSluice the function "topics"');
  await expect(publish([topics])).rejects.toMatchObject({ name: 'InvalidMessage' }); // its type is none
});
