// The first map: a deployment whose first call is a tick begins with all of its shards, and one that has used some of their databases with these.
import { expect, test } from 'vitest';
import { defineQueue } from '../../src/index.ts';
import { openShard } from '../../src/redis/shard.ts';
import { openStore } from '../../src/store/store.ts';
import { onShards, type Sharded } from '../support/sharded.ts';

const stage = onShards(2);
const mail = defineQueue('mail', { handler() {} });
const pulled = defineQueue('pulled', { kind: 'pull' });

const states = async (engine: ReturnType<Sharded['engine']>) => {
  await engine.fleet.ready();
  return engine.fleet.topology.map.shards.map(({ state }) => state);
};

test('a tick that comes before anything else leaves nothing by which a new database seems to be used', async () => {
  const engine = stage().engine([mail]);
  await engine.tick(true);
  expect(await states(engine)).toEqual(['active', 'active']);
});

const cases = [[0], [1], [0, 1]].flatMap((used) =>
  ['waits', 'waits for a consumer', 'was delivered'].map((what) => ({ used, what })),
);

test.each(cases)('where a message $what on $used, the others wait to be activated', async ({ used, what }) => {
  const engine = stage().engine([mail, pulled]);
  const { url, token } = stage().redises.emulator;
  const connection = { url, token, timeoutMs: 5_000 };
  for (const at of used) {
    const alone = openStore(openShard({ connection, prefix: stage().tags[at] as string }));
    const { name, pool } = what === 'waits for a consumer' ? pulled : mail;
    const message = { lane: `5:${name}`, pool, maxAttempts: 1, delayMs: 0, ttlMs: 0, json: '{"body":{}}' };
    await alone.enqueue({ messages: [message] });
    if (what === 'was delivered') {
      const sync = { lease: 'x', leaseMs: 1_000, held: 0, want: 1, pools: ['*'] };
      const { taken } = await alone.sync({ ...sync, settlements: [] });
      await alone.sync({ ...sync, want: 0, settlements: taken.map(({ entry }) => ({ entry, outcome: 'ack' })) });
      await alone.sweep('*');
    }
  }
  expect(engine.fleet.all.map(({ identity }) => identity.name)).toEqual(['t0', 't1']);
  expect(await states(engine)).toEqual([0, 1].map((at) => (used.includes(at) ? 'active' : 'joining')));
});
