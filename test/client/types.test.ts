// What the client's types allow: tsc is the judge, the calls are never made.
import { expect, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import type * as Example from '../../examples/consumer.ts'; // so that tsc sees it
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
  expectTypeOf(createClient).returns.toEqualTypeOf<Client>();
});
