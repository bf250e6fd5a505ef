// A Worker whose handlers fail in each way that there is.

import { api } from '../../src/http/functions.ts';
import { createSluice, defineQueue, NonRetriableError, RetryAfterError } from '../../src/index.ts';

interface Order {
  customer?: { name: string };
}

const customerOf = (order: Order): string => (order.customer as { name: string }).name;

const failing = (name: string, handler: () => unknown) => defineQueue(name, { attempts: 1, handler });

const queues = [
  defineQueue('bug', { attempts: 1, handler: ({ body }) => void customerOf(body as Order) }),
  failing('lines', async () => {
    await Promise.resolve();
    throw new Error('a message\n    at work (elsewhere.js:1:1)\nof three lines', {
      cause: new RangeError('its cause'),
    });
  }),
  failing('deep', function deeper() {
    const dig = (depth: number): never => {
      if (depth === 0) throw new Error(`${'x'.repeat(700)}\t${'é'.repeat(700)}`);
      return dig(depth - 1);
    };
    dig(50);
  }),
  failing('text', () => {
    throw 'just a text';
  }),
  defineQueue('unchecked', {
    kind: 'pull',
    schema: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (body) => ({ value: customerOf(body as Order) }),
      },
    },
  }),
  failing('refusing', () => {
    throw new NonRetriableError('no such customer');
  }),
  failing('later', () => {
    throw new RetryAfterError('1h', 'not yet');
  }),
];

export default createSluice({ queues, functions: api });
