// Contracts apart from handlers: what defines a queue stands in shared code, and its handler where it runs.
import { describe, expect, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import * as define from '../src/define.ts';
import * as all from '../src/index.ts';
import { type AnyQueue, createSluice, defineSchedule, defineSource, type Message, type Queue } from '../src/index.ts';
import * as providers from '../src/webhooks/providers.ts';
import { onEachRedis } from './support/bench.ts';
import { deploymentOn } from './support/deployment.ts';
import { reachedFrom } from './support/imports.ts';

const { defineQueue } = define;

const invoice = defineQueue('invoice', {
  kind: 'push',
  schema: z.object({ customer: z.string(), cents: z.string().transform(Number) }),
  priority: 2,
  timeout: '5s',
});
const reports = defineQueue('reports', { kind: 'pull' });
const hooks = defineQueue('hooks', { destination: true });
const nothing = () => {};

describe('a definition', () => {
  test('has its name and its kind as literals, where they are known', () => {
    expectTypeOf(invoice.name).toEqualTypeOf<'invoice'>();
    expectTypeOf(invoice.kind).toEqualTypeOf<'push'>();
    expectTypeOf(reports.kind).toEqualTypeOf<'pull'>();
    expectTypeOf(defineQueue('a', { handler: nothing }).kind).toEqualTypeOf<'push'>();
    expectTypeOf(defineQueue('a' as string, { kind: 'pull' }).name).toEqualTypeOf<string>();
    expect([invoice.kind, reports.kind, hooks.kind]).toEqual(['push', 'pull', 'push']);
  });

  test('is one of any queues, and one for its input', () => {
    const queues: AnyQueue[] = [invoice, reports, hooks, invoice.handle(nothing)];
    expectTypeOf(invoice).toExtend<
      Queue<'invoice', { customer: string; cents: string }, { customer: string; cents: number }>
    >();
    expectTypeOf(invoice).toExtend<all.QueueFor<{ customer: string; cents: string }>>();
    expectTypeOf(invoice).not.toExtend<all.QueueFor<{ customer: string; cents: number }>>();
    expect(queues).toHaveLength(4);
  });
});

describe('queue.handle', () => {
  test('gives another queue, of the same policy, with the handler; the definition stays as it is', () => {
    const handled = invoice.handle(nothing);
    const { handler, handle: _, ...policy } = handled;
    expect(handler).toBe(nothing);
    expect(invoice).toMatchObject(policy);
    expect([handled.timeoutMs, handled.schema]).toEqual([5_000, invoice.schema]);
    expect(invoice.handler).toBeUndefined();
    expect([Object.isFrozen(handled), Object.isFrozen(invoice)]).toEqual([true, true]);
  });

  test('types the message by the schema, and the context by the deployment', () => {
    interface Env {
      BILLING: string;
    }
    const handled = invoice.handle((message, { env, enqueue }: all.HandlerContext<Env>) => {
      expectTypeOf(message).toEqualTypeOf<Message<{ customer: string; cents: number }>>();
      expectTypeOf(env.BILLING).toEqualTypeOf<string>();
      return enqueue(invoice, { customer: 'ada', cents: '1' });
    });
    expectTypeOf(handled.name).toEqualTypeOf<'invoice'>();
    expectTypeOf(handled.kind).toEqualTypeOf<'push'>();
    // @ts-expect-error the schema makes a number of cents
    invoice.handle(({ body }: Message<{ cents: string }>) => body.cents);
  });

  test('is refused where there is one who works on the messages already, by the name of the queue', () => {
    // @ts-expect-error consumers elsewhere have it
    expect(() => reports.handle(nothing)).toThrow(
      new RangeError('queue reports is for pull: it cannot have a handler or a destination'),
    );
    expect(() => hooks.handle(nothing)).toThrow(
      new RangeError('queue hooks has a handler and a destination: it can have one'),
    );
    expect(() => invoice.handle(nothing).handle(nothing)).toThrow(
      new RangeError('queue invoice has a handler already'),
    );
  });

  test('is refused a handler that is not there, which would leave the messages to nobody', () => {
    const missing = undefined as unknown as () => void; // as it is within a circle of imports
    expect(() => invoice.handle(missing)).toThrow(new TypeError('the handler of queue invoice must be a function'));
  });
});

describe('a deployment', () => {
  const handled = invoice.handle(nothing);
  const options = { queues: [handled, reports] };

  test('takes schedules and sources by the definition', () => {
    const nightly = defineSchedule('nightly', { every: '1h', queue: invoice, body: { customer: 'ada', cents: '1' } });
    const github = defineSource('github', { provider: providers.github, secret: 'SECRET', route: invoice });
    expect(() => createSluice({ ...options, schedules: [nightly], sources: [github] })).not.toThrow();
  });

  test('is refused where a queue is twice there, as with and without its handler', () => {
    for (const queues of [
      [invoice, handled],
      [handled, invoice.handle(nothing)],
      [reports, reports],
    ]) {
      const name = queues[0]?.name;
      expect(() => createSluice({ queues })).toThrow(new RangeError(`two queues have the name ${name}`));
    }
  });

  test('has its producer typed by each definition', () => {
    const sluice = createSluice(options);
    const calls = (anything: unknown) => {
      const producer = sluice.producer({});
      producer.enqueue(invoice, { customer: 'ada', cents: '1' });
      producer.enqueueMany([
        { queue: invoice, body: { customer: 'ada', cents: '1' }, options: { delay: '1s' } },
        { queue: reports, body: anything },
      ]);
      producer.enqueueMany(['1', '2'].map((cents) => ({ queue: invoice, body: { customer: 'ada', cents } })));
      // @ts-expect-error nobody knows that it fits
      producer.enqueue(invoice, anything);
      // @ts-expect-error cents goes in as text
      producer.enqueueMany([{ queue: invoice, body: { customer: 'ada', cents: 1 } }]);
      // @ts-expect-error nobody knows that it fits
      producer.enqueueMany([{ queue: invoice, body: anything }]);
    };
    expect(calls).toBeTypeOf('function');
  });

  test('has its named producer typed by its queues', () => {
    const sluice = createSluice(options);
    const calls = () => {
      const producer = sluice.named<typeof options.queues>({});
      producer.enqueue('invoice', { customer: 'ada', cents: '1' }, { delay: '5m' });
      producer.enqueueMany([
        { queue: 'invoice', body: { customer: 'ada', cents: '1' }, priority: 0 },
        { queue: 'reports', body: [1] },
      ]);
      // @ts-expect-error there is no such queue
      producer.enqueue('invoices', {});
      // @ts-expect-error cents goes in as text
      producer.enqueue('invoice', { customer: 'ada', cents: 1 });
      // @ts-expect-error each body belongs to its own queue
      producer.enqueueMany([{ queue: 'invoice', body: [1] }]);
      sluice.named({}).enqueue('whatever', 1);
      sluice.named({}).enqueueMany([{ queue: 'whatever', body: 1, delay: '1s' }]);
    };
    expect(calls).toBeTypeOf('function');
  });
});

describe('sluice/define', () => {
  test('has the same objects as sluice', () => {
    expect(Object.keys(define).toSorted()).toEqual([
      'NonRetriableError',
      'RetryAfterError',
      'constant',
      'defineQueue',
      'exponential',
      'rawBytes',
      'steps',
    ]);
    const library: Record<string, unknown> = { ...all };
    for (const [name, value] of Object.entries(define)) expect(library[name], name).toBe(value);
  });

  test('reaches no package and nothing of the engine', () => {
    const reached = reachedFrom(['src/define.ts']);
    expect(reached).toContain('src/queue/queue.ts');
    expect(reached.filter((path) => !/^src\/((formats|message|queue)\/[a-z-]+|errors|define)\.ts$/.test(path))).toEqual(
      [],
    );
  });
});

onEachRedis('two programs with one contract', (bench) => {
  test('one enqueues by it and leaves the message, the other handles it', async () => {
    const b = bench();
    const seen: unknown[] = [];
    const web = deploymentOn(b, [invoice, reports]);
    const worker = deploymentOn(b, [invoice.handle(({ body }) => void seen.push(body)), reports]);
    const { id } = await web.sluice.producer(web.env, web.context).enqueue(invoice, { customer: 'ada', cents: '4200' });
    b.alive.add(id);
    await web.settled();
    await web.call('POST', '/v1/drain');
    expect(seen).toEqual([]);
    await worker.call('POST', '/v1/drain');
    expect(seen).toEqual([{ customer: 'ada', cents: 4_200 }]);
    b.alive.delete(id);
    const other = await worker.sluice
      .producer(worker.env, worker.context)
      .enqueue(invoice, { customer: 'bob', cents: '1' });
    b.alive.add(other.id);
    await worker.settled();
    expect(seen).toHaveLength(2);
    b.alive.delete(other.id);
  });
});
