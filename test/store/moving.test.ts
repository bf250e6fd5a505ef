// What leaves a shard as a parcel and comes in again: it is what it was, in one step each, whatever storage refuses.
import { expect, test } from 'vitest';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { openAdminStore } from '../../src/store/admin.ts';
import {
  ANY_QUEUE,
  adopt,
  type ClaimStatus,
  evacuate,
  moveMessage,
  readStanding,
  type StandingMessage,
  splitMoved,
} from '../../src/store/moving.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const failure = { kind: 'failed', text: 'it did not work' } as const;
const parcelOf = (moved: string[]): PreparedMessage => ({
  lane: '0:>',
  pool: '*',
  maxAttempts: 9,
  delayMs: 2_000,
  ttlMs: 0,
  json: JSON.stringify({ body: { moved } }),
});

/** Messages in each state: two lanes, some delayed, some dead, one that was tried, with callbacks. */
async function fill(b: Bench): Promise<void> {
  const callbacks: PreparedMessage['callbacks'] = [{ on: 'done', message: b.message('after', 'next') }];
  await b.enqueue(b.message('mail', 'dies'), b.message('mail', 'is tried', { callbacks }));
  const ids = Object.keys((await b.shard()).envelopes).toSorted();
  await b.take(2, 'u');
  await b.sync({
    lease: 'u',
    settlements: [
      { entry: `1.${ids[0]}`, outcome: 'dead', failure },
      { entry: `1.${ids[1]}`, outcome: 'retry', delayMs: 60_000, failure },
    ],
  });
  await b.enqueue(
    b.message('mail', 'a'),
    b.message('mail', 'b', { callbacks }),
    b.message('mail', 'c', { group: 'g' }),
    b.message('mail', 'later', { delayMs: 90_000 }),
  );
}

async function readAll(b: Bench): Promise<StandingMessage[]> {
  const all: StandingMessage[] = [];
  for (const state of ['ready', 'delayed', 'dead'] as const) {
    for (let cursor = ''; ; ) {
      const page = await readStanding(b.opened(), 'mail', state, 100, cursor);
      all.push(...page.messages);
      cursor = page.cursor;
      if (cursor === '') break;
    }
  }
  return all;
}

async function evacuateAll(
  b: Bench,
  messages: StandingMessage[],
): Promise<{ moved: string[]; statuses?: ClaimStatus[] }> {
  const moving = messages.map(moveMessage);
  const moved = moving.flatMap((each) => each.moved);
  const claims = moving.map(({ claim }) => claim);
  const statuses = await evacuate(b.opened(), 'parcel', parcelOf(moved), claims);
  return { moved, ...(statuses && { statuses }) };
}

const adoptAll = (b: Bench, moved: string[], epoch = '1') =>
  adopt(b.opened(), { moved, token: 'parcel-x', recognisedMs: 60_000, epoch });

/** What of a shard has to be the same. */
async function stateOf(b: Bench) {
  const { lanes, timers, dead, envelopes, failures, ready, inflight, rest } = await b.shard();
  const callbacks = Object.fromEntries(Object.entries(rest).filter(([key]) => key.startsWith('callbacks:')));
  const indexes = Object.fromEntries(Object.entries(ready).map(([pool, own]) => [pool, Object.keys(own).toSorted()]));
  return { lanes, timers, dead, envelopes, failures, indexes, inflight, callbacks };
}

onEachRedis('messages that move', (bench) => {
  test('leave nothing behind but their parcel, and come in as they were', async () => {
    const b = bench();
    await fill(b);
    const before = await stateOf(b);
    const messages = await readAll(b);
    expect(messages.length).toBe(6);
    const { moved, statuses } = await evacuateAll(b, messages);
    expect(statuses).toBeUndefined();
    const between = await stateOf(b);
    expect(Object.keys(between.envelopes)).toEqual(['parcel']);
    expect([between.lanes, between.dead, between.failures, between.callbacks]).toEqual([{}, {}, {}, {}]);
    await openAdminStore(b.opened()).cancel('parcel');
    await adoptAll(b, moved);
    expect(await stateOf(b)).toEqual(before);
    await adoptAll(b, moved);
    expect(await stateOf(b)).toEqual(before);
    for (const { id } of messages) b.alive.add(id);
  });

  test('are read with what follows on them, and of all queues where they are delayed', async () => {
    const b = bench();
    await fill(b);
    await b.enqueue(b.message('post', 'much later', { delayMs: 120_000 }));
    const { messages } = await readStanding(b.opened(), ANY_QUEUE, 'delayed', 100, '');
    const bodies = messages.map(({ envelope }) => JSON.parse(envelope.slice(envelope.indexOf('\n') + 1)).body);
    expect(bodies).toEqual(['is tried', 'later', 'much later']);
    for (const { id, callbacks } of messages)
      expect(callbacks).toEqual(await b.redises.raw.lrange(`${b.root}callbacks:${id}`, 0, -1));
    expect(messages[0]?.callbacks).toHaveLength(11);
  });

  test('leave from deep in their lane, too', async () => {
    const b = bench();
    for (let i = 0; i < 5; i++)
      await b.enqueue(...Array.from({ length: 500 }, (_, j) => b.message('mail', i * 500 + j)));
    const last = (await readAll(b)).slice(-2);
    expect((await evacuateAll(b, last)).statuses).toBeUndefined();
    expect((await readAll(b)).length).toBe(2_498);
    for (const { id } of last) b.alive.delete(id);
    b.alive.add('parcel');
  });

  test('stay, all of them, where one is not as it was read', async () => {
    const b = bench();
    await fill(b);
    const messages = await readAll(b);
    const [first] = messages as [StandingMessage];
    const changes: [Partial<StandingMessage>, ClaimStatus][] = [
      [{ state: 'delayed' }, 'changed'],
      [{ entry: `7.${first.id}` }, 'changed'],
      [{ envelope: `${first.envelope} ` }, 'changed'],
      [{ callbacks: ['done'] }, 'changed'],
      [{ held: true }, 'free'],
      [{ id: 'nobody' }, 'changed'],
    ];
    const before = await b.shard();
    for (const [change, status] of changes) {
      const { statuses } = await evacuateAll(b, [{ ...first, ...change }, ...messages.slice(1)]);
      expect(statuses).toEqual([status, ...messages.slice(1).map(() => 'same')]);
      expect(await b.shard()).toEqual(before);
    }
  });

  test('are told as evacuated to a repeat while their parcel is there', async () => {
    const b = bench();
    await fill(b);
    const messages = await readAll(b);
    await evacuateAll(b, messages);
    const between = await b.shard();
    expect((await evacuateAll(b, messages)).statuses).toBeUndefined();
    expect(await b.shard()).toEqual(between);
    for (const { id } of messages) b.alive.delete(id);
    b.alive.add('parcel');
  });

  test('do not come in by a map that is too old, nor over what is there', async () => {
    const b = bench();
    await fill(b);
    const messages = await readAll(b);
    const moved = messages.flatMap((message) => moveMessage(message).moved);
    await b.redises.raw.set(`${b.root}map`, '5 {}');
    const before = await stateOf(b);
    await expect(adoptAll(b, moved, '4')).rejects.toMatchObject({ epoch: 5 });
    expect(await b.redises.raw.exists(`${b.root}req:parcel-x`)).toBe(0);
    await adoptAll(b, moved, '5');
    expect(await stateOf(b)).toEqual(before);
  });

  test('are read one by one again', async () => {
    const b = bench();
    await fill(b);
    const items = (await readAll(b)).map((message) => moveMessage(message).moved);
    const others = [
      ['s', 'id', 'record'],
      ['l', 'a\nb'],
      ['c', '2', 'x', '1', 'y', '2'],
    ];
    expect(splitMoved([...items, ...others].flat())).toEqual([...items, ...others]);
  });
});
