// What the torture over shards has to see of parcels in a database, where it is: those that wait for their next try, and those that are left.
import { Redis } from '@upstash/redis';
import { expect, test } from 'vitest';
import { defineQueue } from '../../src/index.ts';
import { makeInitialMap } from '../../src/shards/map.ts';
import { countParcels, isOnlyOfShards, isParcelTimer } from '../chaos/shards/parcels.ts';
import { nameAt, onShards } from '../support/sharded.ts';

const MAP = makeInitialMap(['t0', 't1'].map((name) => ({ name, weight: 1, state: 'active' as const })));
const AT = ['t0', 't1'].map((shard) => nameAt(MAP, shard)) as [string, string];
const QUEUES = AT.map((name) => defineQueue(name, { kind: 'pull' }));

const current = onShards(2);

test('parcels that wait are known by their timers and counted, and what waits besides is none', async () => {
  const s = current();
  const engine = s.engine(QUEUES);
  await engine.fleet.ready();
  s.mishap = ({ shard }) => (shard === 't1' ? 'down' : undefined);
  const options = [{ delay: '1m' }, {}];
  await engine.accept(QUEUES.map((queue, i) => ({ queue, body: i, options: options[i] ?? {}, path: '' })));
  const { url, token } = s.redises.emulator;
  const client = new Redis({ url, token });
  const root = `{${s.tags[0]}}:`;
  const timers = await s.redises.raw.zrange(`${root}timers`, 0, -1);
  expect(
    timers
      .filter((timer) => timer.startsWith('m '))
      .map(isParcelTimer)
      .toSorted(),
  ).toEqual([false, true]);
  expect(await countParcels(client, root)).toBe(1);
  expect(await countParcels(client, `{${s.tags[1]}}:`)).toBe(0);
});

test('breakers of shards are told from those of queues', async () => {
  const s = current();
  const client = new Redis({ url: s.redises.emulator.url, token: s.redises.emulator.token });
  const breakers = `{${s.tags[0]}}:breakers`;
  await s.redises.raw.hset(breakers, '>/t1', '1 0 0');
  expect(await isOnlyOfShards(client, breakers)).toBe(true);
  await s.redises.raw.hset(breakers, 'invoices', '1 0 0');
  expect(await isOnlyOfShards(client, breakers)).toBe(false);
});
