// What a deployment changes strands nothing: a queue that becomes push or pull, one that is not known, another priority of an ordered one.
import { expect, test } from 'vitest';
import { encodeDefinitions } from '../../src/queue/limits.ts';
import type { Settlement } from '../../src/store/encode-settlements.ts';
import { openStore } from '../../src/store/store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { idOf } from '../support/settling.ts';

const handler = () => {};
const push = { name: 'mail', pool: '*', policy: '', handler };
const pull = { name: 'mail', pool: 'mail', policy: '' };
const other = { name: 'other', pool: '*', policy: '', handler };
const failure = { kind: 'failed', text: 'x' } as const;

/** From now on this is the deployment: it knows these queues and no other. */
function define(b: Bench, queues: Parameters<typeof encodeDefinitions>[0]): void {
  b.store = openStore(
    b.opened(b.runner(), () => b.now),
    { queues, policies: encodeDefinitions(queues) },
  );
}

/** One message in each state: ready, delayed, waiting for its retry, and leased. */
async function inEachState(b: Bench, pool: string): Promise<string[]> {
  const mail = (body: string, options = {}) => b.message('mail', body, { pool, ...options });
  const [retried = '', leased = ''] = await b.enqueue(mail('retried'), mail('leased'));
  const [first = ''] = await b.take(1, 'x', { pools: [pool] });
  const settlements: Settlement[] = [{ entry: first, outcome: 'retry', delayMs: 2_000, failure }];
  await b.sync({ lease: 'x', settlements });
  await b.take(1, 'held', { pools: [pool], leaseMs: 2_000 });
  const [ready = '', delayed = ''] = await b.enqueue(mail('ready'), mail('delayed', { delayMs: 2_000 }));
  for (const id of [retried, leased, ready, delayed]) b.unordered.add(id);
  return [retried, leased, ready, delayed];
}

onEachRedis('a deployment', (bench) => {
  test('whose queue loses its handler: consumers get what is ready, delayed, retried and leased', async () => {
    const b = bench();
    define(b, [push, other]);
    const ids = await inEachState(b, '*');
    define(b, [pull, other]);
    b.now += 2_000;
    expect(await b.take(10, 'drain')).toEqual([]); // it moves what it meets
    const taken = await b.take(10, 'consumer', { pools: ['mail'] });
    expect(taken.map(idOf).toSorted()).toEqual(ids.toSorted());
  });

  test('whose queue gets a handler: drains get what is ready, delayed, retried and leased', async () => {
    const b = bench();
    define(b, [pull, other]);
    const ids = await inEachState(b, 'mail');
    define(b, [push, other]);
    b.now += 2_000;
    await b.store.sweep('*', { cursor: '0' });
    const taken = await b.take(10, 'drain');
    expect(taken.map(idOf).toSorted()).toEqual(ids.toSorted());
  });

  test('a message of a queue that became pull while it was delayed is found, and can be cancelled', async () => {
    const b = bench();
    define(b, [push]);
    const [id = ''] = await b.enqueue(b.message('mail', 1, { delayMs: 5_000 }));
    define(b, [pull]);
    expect((await b.adminStore().look(id)).state).toBe('delayed');
    expect(await b.adminStore().cancel(id)).toBe('delayed');
    b.alive.delete(id);
  });

  test('that does not know a queue leaves its messages to one that does, after seconds and longer each time', async () => {
    const b = bench();
    define(b, [push, other]);
    const [mail = ''] = await b.enqueue(b.message('mail', 1, { priority: 0 }));
    const [seen = ''] = await b.enqueue(b.message('other', 1));
    define(b, [other]); // an older version
    expect((await b.take(5, 'old')).map(idOf)).toEqual([seen]);
    await b.sync({ lease: 'old', settlements: [{ entry: `1.${seen}`, outcome: 'ack' }] });
    const waits: number[] = [];
    const since = b.now;
    while (b.now < since + 86_400_000) {
      const { nextDue = 0 } = await b.sync({ lease: 'old', want: 5 });
      waits.push(nextDue - b.now);
      b.now = nextDue;
    }
    expect(waits[0]).toBe(2_000);
    expect(waits.every((wait, i) => wait >= (waits[i - 1] ?? 0))).toBe(true);
    expect(waits.at(-1)).toBe(900_000);
    expect(waits.length).toBeLessThanOrEqual(160); // looks in a day
    define(b, [push, other]);
    await b.store.sweep('*', { cursor: '0' }); // whoever knows it brings it back at once
    expect(await b.take(5, 'new')).toEqual([`1.${mail}`]); // untouched: no attempt was counted
  });

  test.each([
    [1, 1],
    [10, 1],
    [32, 2],
  ])(
    'S13 when a rollout of %i minutes is over, a drain alone has its messages %i minutes later',
    async (minutes, most) => {
      const b = bench();
      define(b, [push, other]);
      const [mail = ''] = await b.enqueue(b.message('mail', 1));
      const over = b.now + minutes * 60_000;
      define(b, [other]);
      while (b.now < over) b.now = (await b.sync({ lease: 'old', want: 5 })).nextDue ?? over;
      expect(b.now - over).toBeLessThanOrEqual(most * 60_000);
      define(b, [push, other]);
      expect(await b.take(5, 'new')).toEqual([`1.${mail}`]);
    },
  );

  test("that has a queue's definition without its handler leaves its messages where another's drain finds them", async () => {
    const b = bench();
    define(b, [push]);
    const [mail = ''] = await b.enqueue(b.message('mail', 1, { priority: 0 }));
    const [seen = ''] = await b.enqueue(b.message('other', 1));
    define(b, [{ ...push, handler: undefined as never }, other]);
    expect((await b.take(5, 'elsewhere')).map(idOf)).toEqual([seen]);
    define(b, [push, other]);
    expect(await b.take(5, 'here')).toEqual([`1.${mail}`]);
  });

  test.each([
    { before: 5, after: 2 },
    { before: 2, after: 5 },
  ] as const)(
    'that changes the priority of an ordered queue from $before to $after: no group overtakes itself',
    async ({ before, after }) => {
      const b = bench();
      const ordered = (priority: number) => ({ ...push, policy: `o p=${priority}` });
      const batch = (priority: 2 | 5) => [1, 2, 3].map((n) => b.message('mail', n, { group: 'g', priority }));
      define(b, [ordered(before)]);
      const ids = await b.enqueue(...batch(before));
      define(b, [ordered(after)]);
      ids.push(...(await b.enqueue(...batch(after))));
      const taken: string[] = [];
      for (const [n] of ids.entries()) {
        const [entry = ''] = await b.take(5, 'one');
        taken.push(idOf(entry));
        // The first of the old ones fails: what comes again stays before the new ones, too.
        if (n === 0) {
          await b.sync({ lease: 'one', settlements: [{ entry, outcome: 'retry', delayMs: 1_000, failure }] });
          expect(await b.take(5, 'none')).toEqual([]);
          b.now += 1_000;
          const [again = ''] = await b.take(5, 'one');
          expect(idOf(again)).toBe(idOf(entry));
          await b.sync({ lease: 'one', settlements: [{ entry: again, outcome: 'ack' }] });
        } else await b.sync({ lease: 'one', settlements: [{ entry, outcome: 'ack' }] });
      }
      expect(taken).toEqual(ids);
    },
  );
});
