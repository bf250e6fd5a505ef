// What the client's types allow: tsc is the judge, the calls are never made.
import { expect, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import type * as Example from '../../examples/consumer.ts'; // so that tsc sees it
import type { queues } from '../../functions/queues/index.ts';
import { type Client, createClient, type Lease, type ReceivedMessage } from '../../src/client/index.ts';
import { defineQueue } from '../../src/index.ts';

const mail = defineQueue('mail', {
  kind: 'pull',
  schema: z.object({ to: z.string(), copies: z.string().transform(Number) }),
});
const count = defineQueue('count', { kind: 'pull', schema: z.object({ n: z.number() }) });
const anything = defineQueue('anything', { kind: 'pull' });

test('bodies are typed by what a queue takes in', () => {
  type Mail = { to: string; copies: string };
  const calls = (client: Client, signal: AbortSignal) => {
    client.enqueue(mail, { to: 'ada', copies: '2' }, { priority: 1, delay: '5m', idempotencyKey: 'k' });
    client.enqueue('mail', { whatever: 1 });
    client.enqueue(anything, [1]);
    // @ts-expect-error copies goes in as text
    client.enqueue(mail, { to: 'ada', copies: 2 });
    // @ts-expect-error there is no such option
    client.enqueue(mail, { to: 'ada', copies: '2' }, { prio: 1 });

    client.enqueueMany([
      { queue: mail, body: { to: 'ada', copies: '2' } },
      { queue: count, body: { n: 1 }, options: { ttl: '1h' } },
      { queue: 'mail', body: 1 },
    ]);
    client.enqueueMany([1, 2].map((n) => ({ queue: count, body: { n } })));
    // @ts-expect-error each body belongs to its own queue
    client.enqueueMany([{ queue: mail, body: { n: 1 } }]);

    expectTypeOf(client.receive(mail)).resolves.toEqualTypeOf<Lease<Mail>>();
    expectTypeOf(client.receive('mail')).resolves.toEqualTypeOf<Lease<unknown>>();
    expectTypeOf(client.receive([mail, count])).resolves.toEqualTypeOf<Lease<Mail | { n: number }>>();
    client.consume(
      [mail],
      (message, context) => {
        expectTypeOf(message).toEqualTypeOf<ReceivedMessage<Mail>>();
        expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
      },
      { signal },
    );
    // @ts-expect-error without a signal it would never end
    client.consume(mail, () => {}, {});
  };
  expect(calls).toBeTypeOf('function');
  expectTypeOf<keyof typeof Example>().toEqualTypeOf<never>();
  expectTypeOf(createClient({ url: '', token: '-' })).toEqualTypeOf<Client>();
});

test('bodies are typed by the names of queues, where the client has their types', () => {
  type Mail = { to: string; copies: string };
  const push = defineQueue('push', { kind: 'push', schema: z.object({ n: z.number() }) });
  const set = [mail, count, anything, push.handle(() => {})];
  const record = { first: mail, second: count, push };
  const calls = (client: Client<typeof set>, byRecord: Client<typeof record>, signal: AbortSignal) => {
    client.enqueue('mail', { to: 'ada', copies: '2' }, { priority: 1, idempotencyKey: 'k' });
    client.enqueue('push', { n: 1 });
    client.enqueue('anything', [1]);
    client.enqueue(mail, { to: 'ada', copies: '2' });
    byRecord.enqueue('mail', { to: 'ada', copies: '2' });
    // @ts-expect-error there is no such queue
    client.enqueue('mails', { to: 'ada', copies: '2' });
    // @ts-expect-error nor under its key
    byRecord.enqueue('first', { to: 'ada', copies: '2' });
    // @ts-expect-error copies goes in as text
    client.enqueue('mail', { to: 'ada', copies: 2 });
    // @ts-expect-error it is another queue's body
    byRecord.enqueue('push', { to: 'ada', copies: '2' });

    client.enqueueMany([
      { queue: 'mail', body: { to: 'ada', copies: '2' } },
      { queue: 'push', body: { n: 1 }, options: { ttl: '1h' } },
      { queue: count, body: { n: 1 } },
      { queue: 'anything', body: null },
    ]);
    client.enqueueMany([1, 2].map((n) => ({ queue: 'push', body: { n } })));
    // @ts-expect-error each body belongs to its own queue
    client.enqueueMany([{ queue: 'mail', body: { n: 1 } }]);
    // @ts-expect-error there is no such queue
    client.enqueueMany([{ queue: 'mails', body: { n: 1 } }]);

    expectTypeOf(client.receive('mail')).resolves.toEqualTypeOf<Lease<Mail>>();
    expectTypeOf(client.receive(['mail', 'count'])).resolves.toEqualTypeOf<Lease<Mail | { n: number }>>();
    client.consume('count', ({ body }) => expectTypeOf(body).toEqualTypeOf<{ n: number }>(), { signal });
    // @ts-expect-error its deployment handles it
    client.receive('push');
    // @ts-expect-error by its definition too
    client.receive(push);
    // @ts-expect-error its deployment handles it
    byRecord.consume('push', () => {}, { signal });
  };
  expect(calls).toBeTypeOf('function');
});

test('the queues of a deployment serve as they are', () => {
  const calls = (client: Client<typeof queues>) => {
    client.enqueue('confirmation.email', { to: 'ada@example.com', token: '42' });
    client.enqueue('monitor.check', {}); // of its input, which has defaults
    client.enqueue('github.review', { any: 'thing' });
    client.receive('reports');
    // @ts-expect-error it has a token too
    client.enqueue('confirmation.email', { to: 'ada@example.com' });
    // @ts-expect-error there is no such queue
    client.enqueue('confirmation', {});
    // @ts-expect-error it has a handler
    client.receive('confirmation.email');
  };
  expect(calls).toBeTypeOf('function');
  expectTypeOf(createClient<typeof queues>).returns.toEqualTypeOf<Client<typeof queues>>();
});
