// What one request names twice is done once: whoever makes a list of ids may have an id in it twice.
import { expect, test } from 'vitest';
import { openAdmin } from '../../src/broker/admin.ts';
import { receive, settle } from '../../src/broker/consumer.ts';
import { defineQueue } from '../../src/queue/queue.ts';
import { openRings } from '../../src/rings/store.ts';
import { openScheduleStore } from '../../src/schedules/store.ts';
import type { Outcome } from '../../src/store/encode-settlements.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

async function deadLetter(b: Bench): Promise<string> {
  const [id = ''] = await b.enqueue(b.message('mail', 1));
  const [entry = ''] = await b.take(1);
  await b.sync({ settlements: [{ entry, outcome: 'dead' }] });
  b.unordered.add(id);
  return id;
}

onEachRedis('named twice in one request', (bench) => {
  test('a dead letter is redriven once, and given out once', async () => {
    const b = bench();
    const id = await deadLetter(b);
    expect(await b.adminStore().redrive('mail', [id, 'nobody', id])).toEqual(['redriven', 'gone', 'redriven']);
    expect(await b.take(9, 'r')).toEqual([`1r.${id}`]);
    expect(Object.keys((await b.shard()).dead)).toEqual([]);
  });

  test('a dead letter is answered once, however far apart its id stands', async () => {
    const b = bench();
    const id = await deadLetter(b);
    const others = Array.from({ length: 300 }, (_, i) => `nobody${i}`);
    const redriven = await openAdmin(b.adminStore(), 10).redrive(defineQueue('mail', { kind: 'push' }), {
      ids: [id, ...others, id],
    });
    expect(redriven.filter((answer) => answer.id === id)).toEqual([{ id, status: 'redriven' }]);
    expect(redriven).toHaveLength(301);
    expect(await b.take(9, 'r')).toEqual([`1r.${id}`]);
  });

  test.each([
    ['ack', 'retry'],
    ['retry', 'ack'],
    ['dead', 'release'],
    ['release', 'dead'],
    ['release', 'release'],
    ['ack', 'ack'],
  ] satisfies [Outcome, Outcome][])(
    'a message is settled once: %s, and the %s behind it changes nothing',
    async (first, second) => {
      const b = bench();
      const [id = ''] = await b.enqueue(b.message('mail', 1, { pool: 'mail' }));
      await b.take(1, 'a', { pools: ['mail'] });
      const { settled } = await settle(b, {
        lease: 'a',
        settlements: [
          { id, outcome: first },
          { id, attempt: 1, outcome: second },
        ],
      });
      const told = { ack: 'acked', retry: 'retried', dead: 'dead', release: 'released' };
      expect(settled).toEqual([
        { id, status: told[first] },
        { id, status: 'stale' },
      ]);
      if (first === 'ack') b.alive.delete(id);
      if (first === 'release') b.unordered.add(id);
    },
  );

  test('a queue is looked into once', async () => {
    const b = bench();
    const ask = (queues: string[]) => receive(b, { lease: 'a', queues, max: 5, visibilityMs: 30_000 });
    await ask(['mail']);
    const once = await b.cost(() => ask(['mail', 'news']));
    expect(await b.cost(() => ask(['mail', 'news', 'mail', 'mail']))).toEqual(once);
    const more = { queues: ['mail', 'mail'], max: 5, holding: 0 };
    const settled = await b.cost(() => settle(b, { lease: 'a', settlements: [], more }));
    const plain = { ...more, queues: ['mail'] };
    expect(await b.cost(() => settle(b, { lease: 'a', settlements: [], more: plain }))).toEqual(settled);
  });

  test('an item joins a ring once, and leaves it once', async () => {
    const b = bench();
    const rings = openRings(b.opened());
    expect(await rings.add('sites', ['a', 'b', 'a'])).toEqual({ added: 2, length: 2 });
    expect(await rings.remove('sites', ['a', 'a'])).toEqual({ removed: 1, length: 1 });
  });

  test('a schedule is changed once, and its message made once', async () => {
    const b = bench();
    const schedules = openScheduleStore(b.opened(b.runner(), () => b.now));
    const change = {
      id: 'hourly',
      expected: '',
      header: '5 active api r 0',
      error: '',
      lines: 'a\nb\nc',
      due: 5,
      messages: [b.message('mail', 1)],
    };
    expect((await schedules.change([change, change])).statuses).toEqual(['done', 'changed']);
    const { lanes } = await b.shard();
    expect(lanes['5:mail']).toHaveLength(1);
    for (const entry of lanes['5:mail'] ?? []) b.alive.add(entry.slice(2));
  });
});
