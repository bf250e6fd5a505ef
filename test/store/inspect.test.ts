// What operators see of many queues at once, of leases and of causes: what is there, each thing once.
import { expect, test } from 'vitest';
import { openInspector } from '../../src/broker/inspector.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

onEachRedis('looking over many queues', (bench) => {
  test('one call counts each queue as a call of its own does: drained, pulled, paused and empty ones', async () => {
    const b = bench();
    const adminStore = b.adminStore();
    await b.enqueue(b.message('mail', 1), b.message('mail', 2, { priority: 2, group: 'acme' }), b.message('chat', 3));
    await b.enqueue(b.message('pulled', 4, { pool: 'pulled' }), b.message('mail', 5, { delayMs: 1_000 }));
    await b.take(1, 'a', { pools: ['pulled'] });
    await adminStore.pause('chat', '*');
    await b.sync({ lease: 'b', want: 1 }); // blocks the lane of what is paused
    const queues = ['mail', 'chat', 'pulled', 'empty'];
    const counted = await adminStore.countAll(queues);
    expect(counted).toMatchObject([
      { ready: { 5: 1 }, delayed: 1, leased: 1, paused: false, complete: true, oldestReadyAt: b.now },
      { ready: { 5: 1 }, delayed: 0, leased: 0, paused: true, complete: true },
      { ready: {}, leased: 1, paused: false, complete: true },
      { ready: {}, delayed: 0, leased: 0, dead: 0, paused: false, complete: true },
    ]);
    for (const [i, name] of queues.entries()) expect(await adminStore.count(name)).toEqual(counted[i]);
    expect(await adminStore.countAll([])).toEqual([]);
  });

  test('two hundred queues cost one request', async () => {
    const b = bench();
    const queues = Array.from({ length: 200 }, (_, i) => `q${i}`);
    await b.enqueue(...queues.map((name) => b.message(name, 1)));
    await b.adminStore().countAll(queues); // loads the script
    const { requests } = await b.cost(() => b.adminStore().countAll(queues));
    expect(requests).toBe(1);
  });

  test('leases: who holds how many of which queue until when, page by page', async () => {
    const b = bench();
    const inspector = openInspector(b.adminStore());
    expect(await inspector.leases(10, '')).toMatchObject({ leases: [], awake: false });
    await b.enqueue(...['mail', 'mail', 'chat'].map((queue) => b.message(queue, 1)));
    await b.enqueue(b.message('pulled', 1, { pool: 'pulled' }), b.message('mail', 1, { delayMs: 5_000 }));
    await b.take(3, 'drain', { leaseMs: 30_000 });
    await b.take(1, 'consumer', { pools: ['pulled'], leaseMs: 60_000 });
    const page = await inspector.leases(1, '');
    expect(page).toMatchObject({
      now: b.now,
      leases: [{ lease: 'drain', kind: 'drain', held: 3, queues: { mail: 2, chat: 1 }, expiresAt: b.now + 30_000 }],
    });
    const rest = await inspector.leases(1, page.cursor ?? '');
    expect(rest.leases).toMatchObject([{ lease: 'consumer', kind: 'consumer', held: 1, queues: { pulled: 1 } }]);
    expect(rest.cursor).toBeUndefined();
  });

  test('leases: an enqueue that wakes a drain shows', async () => {
    const b = bench();
    await b.enqueue(b.message('mail', 1));
    expect((await openInspector(b.adminStore()).leases(10, '')).awake).toBe(true);
  });

  test('causes: what died of the same is one, the most frequent first', async () => {
    const b = bench();
    const inspector = openInspector(b.adminStore());
    const texts = ['no customer 17', 'quota used up', 'no customer 4711', 'no customer c-9'];
    const ids = await b.enqueue(...texts.map((text) => b.message('mail', text)));
    const entries = await b.take(4);
    await b.sync({
      settlements: entries.map((entry, i) => ({
        entry,
        outcome: 'dead' as const,
        failure: { kind: 'failed' as const, text: texts[i] ?? '' },
      })),
    });
    expect(await inspector.causes('mail')).toEqual({
      dead: 4,
      looked: 4,
      causes: [
        {
          kind: 'failed',
          text: expect.stringContaining('no customer'),
          count: 3,
          firstAt: b.now,
          lastAt: b.now,
          ids: expect.arrayContaining([ids[0], ids[2], ids[3]]),
        },
        { kind: 'failed', text: 'quota used up', count: 1, firstAt: b.now, lastAt: b.now, ids: [ids[1]] },
      ],
    });
    expect(await inspector.causes('chat')).toEqual({ dead: 0, looked: 0, causes: [] });
  });

  test('causes: of many only the newest thousand are looked at', async () => {
    const b = bench();
    await bury(b, 1_050);
    const { dead, looked, causes } = await openInspector(b.adminStore()).causes('mail');
    expect([dead, looked, causes.length, causes[0]?.count]).toEqual([1_050, 1_000, 1, 1_000]);
  });
});

async function bury(b: Bench, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 350) {
    await b.enqueue(...Array.from({ length: 350 }, (_, i) => b.message('mail', i)));
    const entries = await b.take(350);
    const failure = { kind: 'failed' as const, text: 'no luck' };
    await b.sync({ settlements: entries.map((entry) => ({ entry, outcome: 'dead' as const, failure })) });
  }
}
