// Counters of sources: what is added adds up, once for each call however often it is sent, on each Redis.
import { expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { makeKeys } from '../../src/redis/keys.ts';
import * as scripts from '../../src/redis/lua/generated.ts';
import { openSourceCounters } from '../../src/webhooks/counters-store.ts';
import { onEachRedis } from '../support/bench.ts';

onEachRedis('counters', (bench) => {
  const open = () => openSourceCounters(bench().opened());
  const read = async () => Object.fromEntries(await open().read());

  test('add up over calls, and a source that nobody counted has none', async () => {
    expect(await read()).toEqual({});
    await open().add(
      new Map([
        ['github accepted', 2],
        ['github signature', 9_999_999_999],
      ]),
    );
    await open().add(
      new Map([
        ['github accepted', 3],
        ['stripe accepted', 1],
      ]),
    );
    expect(await read()).toEqual({ 'github accepted': 5, 'github signature': 9_999_999_999, 'stripe accepted': 1 });
    const many = new Map(Array.from({ length: 250 }, (_, i) => [`s${i} accepted`, 1]));
    await open().add(many);
    expect(Object.keys(await read())).toHaveLength(253);
  });

  test('a replay adds nothing', async () => {
    const keys = makeKeys(bench().prefix);
    const run = () =>
      bench()
        .runner()
        .run(scripts.countSources, [keys.request('token'), keys.sources], ['60000', 'a accepted', '2']);
    expect((await run()).reply).toBe('added');
    expect((await run()).reply).toBe('repeated');
    expect(await read()).toEqual({ 'a accepted': 2 });
  });

  test('cost 4 commands in one round trip, however many', async () => {
    await open().add(new Map([['a accepted', 1]]));
    const counts = new Map(Array.from({ length: 20 }, (_, i) => [`s${i} accepted`, 1]));
    expect(await bench().cost(() => open().add(counts))).toEqual({ commands: 4, requests: 1 });
    expect(await bench().cost(() => open().read())).toEqual({ commands: 2, requests: 1 });
  });

  test('a key of a wrong type is an error, and nothing is half written', async () => {
    const { sources } = makeKeys(bench().prefix);
    await bench().redises.raw.set(sources, 'x');
    await expect(open().add(new Map([['a accepted', 1]]))).rejects.toThrow(StorageError);
    expect(Object.keys((await bench().shard()).rest)).toEqual(['sources']);
  });
});
