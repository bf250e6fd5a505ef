// Where a shard knows a newer map than the one by which it was chosen nothing is stored; what was stored before stays acknowledged.
import { expect, test } from 'vitest';
import { ShardMoved } from '../../src/errors.ts';
import type { PreparedMessage } from '../../src/message/envelope.ts';
import { encodeRequest } from '../../src/store/encode-messages.ts';
import { enqueueSegments } from '../../src/store/enqueue.ts';
import { putMap } from '../../src/store/map.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const onClock = (b: Bench) => b.opened(b.runner(), () => b.now);
const changeMap = (b: Bench, epoch: number) => putMap(onClock(b), `${epoch} {}`, epoch);

/** What a message may look up or leave behind on its way in, each in another way. */
function variedMessages(b: Bench): PreparedMessage[] {
  const dedup = { digest: 'd'.repeat(22), windowMs: 60_000, mode: 'debounce' as const, release: false };
  const callbacks = [{ on: 'done' as const, message: b.message('after', 'next') }];
  return [
    b.message('mail', 'ready'),
    b.message('mail', 'later', { delayMs: 5_000 }),
    b.message('mail', 'at', { notBefore: b.now + 5_000 }),
    b.message('mail', 'known', { delayMs: 2_000, dedup }),
    b.message('mail', 'followed', { callbacks }),
  ];
}

onEachRedis('an enqueue that says by which map its shard was chosen', (bench) => {
  test.each(['', '0', '1'])('goes in where no map is stored (%j)', async (epoch) => {
    const b = bench();
    const messages = variedMessages(b);
    const { ids } = await b.store.enqueue({ messages, epoch });
    b.expectAlive(ids, messages);
    expect(Object.keys((await b.shard()).envelopes)).toHaveLength(messages.length);
  });

  test.each(['', '7', '8', '10'])(
    'goes in under the same map, a newer one, and where none was asked (%j)',
    async (epoch) => {
      const b = bench();
      await changeMap(b, 7);
      const messages = variedMessages(b);
      b.expectAlive((await b.store.enqueue({ messages, epoch })).ids, messages);
      expect(Object.keys((await b.shard()).envelopes)).toHaveLength(messages.length);
    },
  );

  test('under an older one is told so: nothing is stored, nobody is claimed, and its token stays free', async () => {
    const b = bench();
    await changeMap(b, 10);
    const messages = variedMessages(b);
    const before = await b.shard();
    const request = { messages, token: 'token' };
    const moved = await b.store.enqueue({ ...request, epoch: '9' }).catch((error: unknown) => error);
    expect(moved).toBeInstanceOf(ShardMoved);
    expect(moved).toMatchObject({ epoch: 10 });
    const handOff = { lease: 'L', leaseMs: 10_000, most: 5 };
    const plain = { messages: [b.message('mail', 'plain')], token: 'token', handOff };
    await expect(b.store.enqueue({ ...plain, epoch: '9' })).rejects.toThrow(ShardMoved);
    expect(await b.shard()).toEqual(before);
    const placedAnew = await b.store.enqueue({ ...request, epoch: '10' });
    b.expectAlive(placedAnew.ids, messages);
    expect(placedAnew).toMatchObject({ replayed: false, wake: true });
  });

  test('a repeat of what was applied before the map changed is answered as applied, with the same ids', async () => {
    const b = bench();
    await changeMap(b, 1);
    const messages = variedMessages(b);
    const request = { messages, token: 'token', epoch: '1' };
    const first = await b.store.enqueue(request);
    b.expectAlive(first.ids, messages);
    await changeMap(b, 2);
    const before = await b.shard();
    const { replayed, ids } = await b.store.enqueue(request);
    expect({ replayed, ids }).toEqual({ replayed: true, ids: first.ids });
    expect(await b.shard()).toEqual(before);
    const other = { ...request, fingerprint: 'other' };
    await expect(b.store.enqueue(other)).rejects.toThrow('used for other messages');
    expect(await b.shard()).toEqual(before);
  });

  test('a repeat finds the lease into which its messages went, whatever map there is by now', async () => {
    const b = bench();
    await changeMap(b, 1);
    const [message] = [b.message('mail', 'handed')];
    const handOff = { lease: 'L', leaseMs: 10_000, most: 5 };
    const request = { messages: [message], token: 'token', base: 'base', epoch: '1', handOff };
    const first = await b.store.enqueue(request);
    b.expectAlive(first.ids, [message]);
    await changeMap(b, 2);
    const again = await b.store.enqueue(request);
    expect(again).toMatchObject({ ids: ['base'], replayed: true, wake: true, handOff: { lease: 'L' } });
    expect((await b.shard()).leases).toEqual({ L: ['1.base'] });
  });

  test('a map that is none of ours stops nobody', async () => {
    const b = bench();
    for (const map of ['', 'x 9', '{}']) {
      await b.redises.raw.set(`${b.root}map`, map);
      const messages = [b.message('mail', map)];
      b.expectAlive((await b.store.enqueue({ messages, epoch: '1' })).ids, messages);
    }
    await b.redises.raw.del(`${b.root}map`);
    await b.redises.raw.lpush(`${b.root}map`, '9 {}');
    const messages = [b.message('mail', 'list')];
    b.expectAlive((await b.store.enqueue({ messages, epoch: '1' })).ids, messages);
  });

  test('costs one command for it, none where it says nothing, and four in all where it was too old', async () => {
    const b = bench();
    await changeMap(b, 2);
    const costOf = async (epoch?: string) => {
      const messages = [b.message('mail', 1)];
      const enqueue = async () => {
        const { ids } = await b.store.enqueue({ messages, ...(epoch && { epoch }) });
        b.expectAlive(ids, messages);
      };
      const { commands } = await b.cost(() => enqueue().catch(() => undefined));
      return commands;
    };
    await costOf(); // loads the script
    const plain = await costOf();
    expect(await costOf('2')).toBe(plain + 1);
    expect(await costOf('1')).toBe(4 - 1); // the clock of the tests is no command
  });
});

onEachRedis('segments that were encoded earlier', (bench) => {
  test('go in as their messages would have, under their own base, once, whatever map there is', async () => {
    const b = bench();
    await changeMap(b, 9);
    const messages = variedMessages(b);
    const request = {
      args: encodeRequest(messages, 'base'),
      count: messages.length,
      base: 'base',
      token: 't',
      recognisedMs: 60_000,
      epoch: '',
    };
    const first = await enqueueSegments(onClock(b), request);
    expect(first).toMatchObject({ ids: messages.map((_, i) => `base-${i}`), replayed: false, wake: true });
    b.expectAlive(first.ids, messages);
    const before = await b.shard();
    expect(await enqueueSegments(onClock(b), request)).toEqual({ ...first, replayed: true });
    expect(await b.shard()).toEqual(before);
    expect(await b.redises.raw.pttl(`${b.root}req:t`)).toBeGreaterThan(50_000);
  });

  test('are not stored under a map that is too old', async () => {
    const b = bench();
    await changeMap(b, 9);
    const messages = [b.message('mail', 1)];
    const request = { args: encodeRequest(messages, 'base'), count: 1, base: 'base', token: 't', recognisedMs: 60_000 };
    await expect(enqueueSegments(onClock(b), { ...request, epoch: '8' })).rejects.toMatchObject({ epoch: 9 });
    expect((await b.shard()).lanes).toEqual({});
    b.expectAlive((await enqueueSegments(onClock(b), { ...request, epoch: '9' })).ids, messages);
  });

  test('are recognised by what is left of them where their token is forgotten', async () => {
    const b = bench();
    const messages = [b.message('mail', 1), b.message('news', 2)];
    const request = {
      args: encodeRequest(messages, 'base'),
      count: 2,
      base: 'base',
      token: 't',
      recognisedMs: 60_000,
      epoch: '',
    };
    const { ids } = await enqueueSegments(onClock(b), request);
    b.expectAlive(ids, messages);
    await b.redises.raw.del(`${b.root}req:t`);
    expect(await enqueueSegments(onClock(b), request)).toMatchObject({ ids, replayed: true });
    expect((await b.shard()).lanes).toEqual({ '5:mail': ['1.base-0'], '5:news': ['1.base-1'] });
  });
});
