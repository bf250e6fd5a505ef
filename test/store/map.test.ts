// The map of the shards on one of them: the highest epoch wins, whoever puts it, and sweeps tell it.
import { expect, test } from 'vitest';
import { putMap, readMap } from '../../src/store/map.ts';
import { ANYBODYS } from '../../src/store/sweep.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';

const put = (b: Bench, map: string) => putMap(b.opened(), map, Number.parseInt(map, 10));
const epochOf = async (b: Bench) => (await b.store.sweep('*', { cursor: ANYBODYS })).epoch;

onEachRedis('the map of the shards', (bench) => {
  test('is what was put, and nothing before that', async () => {
    const b = bench();
    expect(await readMap(b.opened())).toBeUndefined();
    expect(await put(b, '1 {"shards":["ä"]}')).toEqual({ stored: '1 {"shards":["ä"]}' });
    expect(await readMap(b.opened())).toBe('1 {"shards":["ä"]}');
  });

  test('gives way to a newer one only: to another it answers what is stored', async () => {
    const b = bench();
    await put(b, '9 nine');
    expect(await put(b, '10 ten')).toEqual({ stored: '10 ten' });
    for (const map of ['9 nine', '10 other', '2 two']) expect(await put(b, map)).toEqual({ stored: '10 ten' });
    expect(await put(b, '10 ten')).toEqual({ stored: '10 ten' });
    expect(await readMap(b.opened())).toBe('10 ten');
    expect(await epochOf(b)).toBe(10);
  });

  test('of two that are put at once one wins, and both learn which', async () => {
    const b = bench();
    await put(b, '1 before');
    const answers = await Promise.all(['2 a', '2 b'].map((map) => put(b, map)));
    const stored = await readMap(b.opened());
    expect(['2 a', '2 b']).toContain(stored);
    expect(answers).toEqual([{ stored }, { stored }]);
  });

  test('is told by a sweep that asks what was noted, with no command more; by none where there is no map', async () => {
    const b = bench();
    const sweep = () => b.store.sweep('*', { cursor: ANYBODYS });
    await sweep();
    expect(await sweep()).not.toHaveProperty('epoch');
    const before = await b.cost(sweep);
    await put(b, '3 three');
    await sweep();
    expect(await b.cost(sweep)).toEqual(before);
    expect((await sweep()).epoch).toBe(3);
    expect(await b.store.sweep('*', { note: true })).toMatchObject({ epoch: 3 });
    expect(await b.store.sweep('*')).not.toHaveProperty('epoch');
  });

  test('is no queue and no finding, and outlasts what a rollup writes beside its epoch', async () => {
    const b = bench();
    await put(b, '3 three');
    const [id] = await b.enqueue(b.message('epoch', 1)); // a queue may be named so
    await b.take(1);
    await b.sync({
      settlements: [{ entry: `1.${id}`, outcome: 'ack', measured: { queue: 'epoch', runMs: 1, waitMs: 1 } }],
    });
    expect((await b.store.sweep('*', { cursor: '0' })).findings).toEqual([]);
    expect(await epochOf(b)).toBe(3);
    expect((await b.adminStore().names()).map(({ name }) => name)).toEqual(['epoch']);
  });

  test('is mended by the next one where its key has a wrong type', async () => {
    const b = bench();
    await b.redises.raw.lpush(`${b.root}map`, 'x');
    await expect(readMap(b.opened())).rejects.toThrow('WRONGTYPE');
    expect(await put(b, '1 one')).toEqual({ stored: '1 one' });
    expect(await readMap(b.opened())).toBe('1 one');
  });

  test('costs four commands to put, two where another is stored, and one to read', async () => {
    const b = bench();
    await put(b, '1 one');
    const costs = [
      await b.cost(() => put(b, '2 two')),
      await b.cost(() => put(b, '2 other')),
      await b.cost(() => readMap(b.opened())),
    ];
    expect(costs.map(({ commands }) => commands)).toEqual([4, 2, 1]);
  });
});
