// Parcels: what one shard holds for another arrives there, once, whoever forwards it, and whatever made it.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine.ts';
import { StorageError } from '../../src/errors.ts';
import { type AnyQueue, defineQueue, defineSchedule } from '../../src/index.ts';
import { features as ofRings } from '../../src/rings/features.ts';
import { openRingsOn } from '../../src/rings/fleet-store.ts';
import { openSchedules } from '../../src/schedules/admin.ts';
import { features as ofSchedules } from '../../src/schedules/features.ts';
import { openSchedulesOn } from '../../src/schedules/fleet-store.ts';
import { openFleetAdminStore } from '../../src/shards/admin-store.ts';
import { packOne } from '../../src/shards/parcel.ts';
import { audit } from '../../src/store/audit.ts';
import { enqueue } from '../../src/store/enqueue.ts';
import { features as ofTopics } from '../../src/topics/features.ts';
import { drainFor } from '../regressions/engines.ts';
import { nameAt, named, onShards, type SeenCall, type Sharded } from '../support/sharded.ts';
import { inputTo, MAP, NAMES } from '../support/three-shards.ts';

const pulled = NAMES.map((shard) => defineQueue(nameAt(MAP, shard, 'pull'), { kind: 'pull' }));
const [PULL0, PULL1, PULL2] = pulled.map(({ name }) => name) as [string, string, string];
const WORK = nameAt(MAP, 't0', 'work');

const current = onShards(3);
let s: Sharded;
beforeEach(() => {
  s = current();
});

let handled: unknown[] = [];
const worked = defineQueue(WORK, {
  attempts: 1,
  async handler({ body }, { enqueue }) {
    handled.push(body);
    if (body === 'fails') throw new Error('as it should');
    if (body !== 'chains') return;
    const ids: string[] = [];
    for (const queue of pulled) ids.push((await enqueue(queue, 'chained')).id);
    chainedIds = ids;
  },
});
let chainedIds: string[] = [];
beforeEach(() => {
  handled = [];
  chainedIds = [];
});
const QUEUES: AnyQueue[] = [...pulled, worked];
const queueOf = (name: string) => QUEUES.find((queue) => queue.name === name);
const input = inputTo(QUEUES);

/** Occurrences are of the clock, not of whoever began: a test hardly ever meets two of them. */
const DAY_MS = 86_400_000;

/** What cron does, when parcels are due. */
async function drain(engine: Engine, afterMs = 3_000): Promise<void> {
  s.aheadMs += afterMs;
  await engine.sweep().catch((error: unknown) => expect(error).toBeInstanceOf(StorageError)); // of a shard that is away
  await drainFor(engine, 20_000, { sleepsMs: 0 }); // also where the machine stands still for a while
}

const at = async (name: string) => (await s.messages(name)).map(({ queue, body }) => [queue, body]);
const away = (name: string) => {
  s.mishap = ({ shard }) => (shard === name ? 'down' : undefined);
};

describe('a parcel whose caller could not forward it', () => {
  test('is forwarded by a drain when its shard is back', async () => {
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    away('t1');
    const { receipts } = await engine.accept([input(PULL0, 'here'), input(PULL1, 'there')]);
    expect(receipts[1]?.state).toBe('accepted');
    await drain(engine); // in vain
    expect(await at('t1')).toEqual([]);
    s.mishap = () => undefined;
    await drain(s.engine(QUEUES), 60_000);
    expect((await s.messages('t1')).map(({ id, body }) => [id, body])).toEqual([[receipts[1]?.id, 'there']]);
    expect(await s.parcels()).toEqual([]);
  });

  test('is forwarded once, though its answer is lost', async () => {
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    s.mishap = ({ shard }) => (shard === 't1' ? 'lost' : undefined);
    await engine.accept([input(PULL0, 'here'), input(PULL1, 'there')]);
    await drain(s.engine(QUEUES), 5_000);
    s.mishap = () => undefined;
    await drain(s.engine(QUEUES), 60_000);
    expect(await at('t1')).toEqual([[PULL1, 'there']]);
    expect(await s.parcels()).toEqual([]);
  });

  test('of an isolate that died is forwarded by a drain', async () => {
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    let count = 0;
    s.mishap = () => (count++ >= 1 ? 'away' : undefined);
    await engine.accept([input(PULL0, 'here'), input(PULL1, 'there'), input(PULL2, 'too')]);
    s.mishap = () => undefined;
    await drain(s.engine(QUEUES));
    expect([...(await at('t1')), ...(await at('t2'))]).toEqual([
      [PULL1, 'there'],
      [PULL2, 'too'],
    ]);
  });

  test('to a shard that is gone is placed anew, message by message, with what is to follow on it', async () => {
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    away('t1');
    const other = nameAt(MAP, 't1', 'pull-other');
    const queues = [...QUEUES, defineQueue(other, { kind: 'pull' })];
    const wider = s.engine(queues);
    const followed = { onSuccess: { queue: PULL2, body: 'follows' }, dedup: { key: 'k', release: true } } as const;
    const { receipts } = await wider.accept([
      input(PULL0, 'here', { dedup: { key: 'first' } }), // its order matters: so its shard accepts them all
      { ...input(PULL1, 'moved', followed) },
      { queue: queues.at(-1), body: 'moved too', options: { delay: '1h', resultTtl: '1m' }, path: '' },
    ]);
    s.mishap = () => undefined;
    await s.change(engine, (map) => ({
      shards: map.shards.map((entry) => (entry.name === 't1' ? { ...entry, state: 'gone' } : entry)),
      pins: [
        { place: `q:${PULL1}`, shard: 't2' },
        { place: `q:${other}`, shard: 't0' },
      ],
    }));
    await drain(s.engine(queues));
    expect(await s.messages('t1')).toEqual([]);
    expect((await s.messages('t2')).map(({ id, body }) => [id, body])).toEqual([[receipts[1]?.id, 'moved']]);
    expect((await s.messages('t0')).map(({ body }) => body).toSorted()).toEqual(['here', 'moved too']);
    expect(await s.parcels()).toEqual([]);
    const { keys } = engine.fleet.named('t2');
    const kept = await s.redises.raw.lrange(keys.callbacks(receipts[1]?.id ?? ''), 0, -1);
    expect([kept[0], kept.at(-1)]).toEqual(['done', expect.stringContaining('follows')]);
  });

  test('that cannot be forwarded holds up none for another shard, is tried ever more seldom, and soon when its shard is back', async () => {
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    const packed = (to: string, queue: string, body: unknown) =>
      packOne(to, {
        lane: `5:${queue}`,
        pool: queue,
        maxAttempts: 3,
        delayMs: 0,
        ttlMs: 0,
        json: JSON.stringify({ body }),
      });
    const numbers = Array.from({ length: 30 }, (_, i) => i);
    const messages = [...numbers.map((i) => packed('t1', PULL1, i)), packed('t2', PULL2, 'behind')];
    await enqueue(named(engine, 't0'), { messages });
    const isParcel = ({ shard, command }: SeenCall) => shard === 't1' && command.join(' ').includes('parcel-');
    s.mishap = (call) => (isParcel(call) ? 'away' : undefined);
    const settings = { SLUICE_DRAIN_REQUESTS: 30 }; // for less than all of them
    const tries = async (afterMs: number) => {
      s.calls.length = 0;
      await drain(s.engine(QUEUES, {}, { settings }), afterMs); // a new one, which leaves no shard alone
      return s.calls.filter(isParcel).length;
    };
    const key = `{${s.tags[0]}}:breakers`;
    const breakers = () => s.redises.raw.hgetall(key);
    await tries(0);
    expect([await at('t1'), await at('t2')]).toEqual([[], [[PULL2, 'behind']]]);
    expect(await breakers()).toEqual({ '>/t1': expect.stringMatching(/^\d+ 1 \d+$/) });
    const [failures, , until] = (await breakers())['>/t1']?.split(' ') ?? [];
    await s.redises.raw.hset(key, '>/t1', `${failures} 9 ${until}`); // as if it had been away for hours
    expect([await tries(3_000), await tries(0)]).toEqual([1, 0]);
    expect(await breakers()).toEqual({ '>/t1': expect.stringMatching(/^\d+ 10 \d+$/) });
    expect(await openFleetAdminStore(engine.fleet).breakers('0')).toMatchObject({ breakers: [] }); // it is no destination of anybody's
    s.mishap = () => undefined;
    await drain(s.engine(QUEUES), 60_000);
    for (let i = 0; i < 5 && (await s.parcels()).length > 0; i++) await drain(s.engine(QUEUES), 0);
    expect((await at('t1')).map(([, body]) => Number(body)).toSorted((a, b) => a - b)).toEqual(numbers);
    expect([await s.parcels(), await breakers()]).toEqual([[], {}]);
  });

  test('becomes a dead letter after seven days, and is never forwarded then', async () => {
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    away('t1');
    await engine.accept([input(PULL0, 'here'), input(PULL1, 'there')]);
    s.mishap = () => undefined;
    s.aheadMs += 8 * 86_400_000;
    await drain(s.engine(QUEUES));
    expect(await at('t1')).toEqual([]);
    expect(await s.parcels()).toMatchObject([{ shard: 't0', dead: true }]);
  });

  test('is of no queue that anybody can define, and an audit finds nothing wrong with it', async () => {
    expect(() => defineQueue('>')).toThrow('name');
    const engine = s.engine(QUEUES);
    await engine.fleet.ready();
    away('t1');
    await engine.accept([input(PULL0, 'here'), input(PULL1, 'there')]);
    s.mishap = () => undefined;
    expect(engine.queues.has('>')).toBe(false);
    const { findings } = await audit(engine.parts.openStore(engine.fleet.named('t0')), '0', false);
    expect(findings).toEqual([]);
  });
});

describe('what a message makes', () => {
  test('callbacks follow at their homes, under the ids that storage gives', async () => {
    const engine = s.engine(QUEUES);
    const ends = { onSuccess: { queue: PULL1, body: 'done' }, onFailure: { queue: PULL2, body: 'failed' } };
    const { receipts } = await engine.accept([input(WORK, 'works', ends), input(WORK, 'fails', ends)]);
    await drain(engine);
    await drain(engine);
    expect(handled).toEqual(['works', 'fails']);
    expect((await s.messages('t1')).map(({ id, body }) => [id, body])).toEqual([[`${receipts[0]?.id}-done1`, 'done']]);
    const [failed] = await s.messages('t2');
    expect(failed).toMatchObject({ body: 'failed' });
    expect(failed?.id.startsWith(`${receipts[1]?.id}-dead2-`)).toBe(true);
  });

  test('chained messages come to their homes, once, under the ids that the handler is told', async () => {
    const engine = s.engine(QUEUES);
    await engine.accept([input(WORK, 'chains')]);
    let lost = 0;
    s.mishap = ({ shard }) => (shard !== 't0' && lost++ % 3 === 1 ? 'lost' : undefined);
    for (let i = 0; i < 4; i++) await drain(engine, 40_000);
    s.mishap = () => undefined;
    await drain(engine, 40_000);
    const found = await s.messages();
    expect(found.map(({ shard, queue, id }) => [shard, queue, id]).toSorted()).toEqual(
      pulled.map(({ name }, i) => [NAMES[i], name, chainedIds[i]]),
    );
    expect(await s.parcels()).toEqual([]);
  });
});

describe('schedules', () => {
  test('of the API are at their homes; what they make comes to the home of its queue', async () => {
    const engine = s.engine(QUEUES, { features: ofSchedules });
    const store = openSchedulesOn(engine.fleet);
    const admin = openSchedules(store, { queues: engine.queues, ids: new Set() });
    const ids = NAMES.map((shard) => nameAt(MAP, shard, 'schedule', 's'));
    for (const id of ids) {
      const definition = { timing: { everyMs: DAY_MS }, queue: PULL2, catchUp: 'one' as const };
      await admin.put(id, { ...definition, message: { body: id, options: {} } } as never, () => {});
    }
    const listed: string[] = [];
    let cursor = '0';
    do {
      const page = await admin.list(() => true, 1, cursor);
      listed.push(...page.schedules.map(({ id }) => id));
      cursor = page.cursor ?? '';
    } while (cursor !== '');
    expect(listed.toSorted()).toEqual(ids.toSorted());
    for (const [i, id] of ids.entries()) {
      expect(await s.redises.raw.hexists(`{${s.tags[i]}}:schedules`, id)).toBe(1);
    }
    await drain(engine, DAY_MS);
    expect((await s.messages()).map(({ shard, body }) => [shard, body]).toSorted()).toEqual(
      ids.map((id) => ['t2', id]).toSorted(),
    );
  });

  test('of the code are registered at their homes by ticks', async () => {
    const schedules = NAMES.map((shard) =>
      defineSchedule(nameAt(MAP, shard, 'coded', 's'), { every: '1h', queue: queueOf(PULL1) as AnyQueue, body: shard }),
    );
    const engine = s.engine(QUEUES, { schedules });
    await engine.tick();
    for (const [i, { id }] of schedules.entries()) {
      expect(Object.keys(await s.redises.raw.hgetall(`{${s.tags[i]}}:schedules`))).toEqual([id]);
    }
    await drain(engine, 3_601_000);
    const made = new Set((await s.messages()).map(({ shard, body }) => `${shard} ${body}`));
    expect([...made].toSorted()).toEqual(NAMES.map((name) => `t1 ${name}`));
  });
});

describe('topics', () => {
  const publish = (engine: Engine, topic: string, token?: string) =>
    ofTopics.topics
      .open(engine)
      .publish(
        topic,
        { type: 'made', body: 1 },
        () => {},
        token === undefined ? undefined : { token, fingerprint: 'f', recognisedMs: 86_400_000 },
      );

  test.each(NAMES)(
    'at home on %s: each subscription gets its copy once, and a repeat is told the same',
    async (home) => {
      const engine = s.engine(QUEUES);
      const topic = nameAt(MAP, home, 'topic', 't');
      const topics = ofTopics.topics.open(engine);
      for (const { name } of pulled.slice(0, 2)) await topics.subscribe(topic, name, { queue: name, events: ['*'] });
      const first = await publish(engine, topic, 'once');
      const again = await publish(s.engine(QUEUES), topic, 'once');
      expect(again.replayed).toBe(true);
      expect(again.receipts).toEqual(first.receipts);
      // Its home moves: a repeat is known by the old one.
      await s.change(engine, () => ({ pins: [{ place: `t:${topic}`, shard: home === 't0' ? 't1' : 't0' }] }));
      const moved = s.engine(QUEUES);
      for (const { name } of pulled.slice(0, 2))
        await ofTopics.topics.open(moved).subscribe(topic, name, { queue: name, events: ['*'] });
      expect((await publish(moved, topic, 'once')).receipts).toEqual(first.receipts);
      const atHome = (queue: string) => (queue === PULL0 ? 't0' : 't1');
      expect((await s.messages()).map(({ shard, queue, id }) => [shard, queue, id]).toSorted()).toEqual(
        first.receipts.map(({ id, queue }) => [atHome(queue), queue, id]).toSorted(),
      );
    },
  );

  test('are listed together', async () => {
    const engine = s.engine(QUEUES);
    const topics = ofTopics.topics.open(engine);
    const names = NAMES.map((home) => nameAt(MAP, home, 'topic', 't')).toSorted();
    for (const name of names) await topics.subscribe(name, 'one', { queue: PULL0, events: ['*'] });
    expect(await topics.list()).toEqual(names.map((topic) => ({ topic, subscriptions: 1 })));
  });
});

test('rings are whole, each at its home, and listed by name', async () => {
  const engine = s.engine(QUEUES, { features: ofRings });
  const names = NAMES.flatMap((home) => [nameAt(MAP, home, 'ring', 'r'), nameAt(MAP, home, 'a', 'r')]);
  for (const name of names) await engine.parts.ring(name).add([name, 'second']);
  for (const [i, name] of names.entries()) {
    expect(await engine.parts.ring(name).rotate(1)).toEqual([name]);
    expect(await s.redises.raw.llen(`{${s.tags[Math.floor(i / 2)]}}:ring:${name}`)).toBe(2);
  }
  const rings = openRingsOn(engine.fleet);
  for (const limit of [1, 2, 4, 6, 10]) {
    const listed: string[] = [];
    let cursor = '';
    do {
      const page = await rings.list(limit, cursor);
      listed.push(...page.rings.map(({ ring }) => ring));
      cursor = page.cursor ?? '';
    } while (cursor !== '');
    expect(listed).toEqual(names.toSorted());
  }
});
