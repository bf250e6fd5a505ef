// What the cards of the scripts say of the keys that they touch. Whether it is true is checked at each call of the store's tests: see touched.ts.
import { expect, test } from 'vitest';
import { makeKeys } from '../../src/redis/keys.ts';
import * as scripts from '../../src/redis/lua/generated.ts';
import type { Runner } from '../../src/redis/runner.ts';
import { openRings } from '../../src/rings/store.ts';
import { openScheduleStore } from '../../src/schedules/store.ts';
import { openStore } from '../../src/store/store.ts';
import { openTopicStore } from '../../src/topics/store.ts';
import { openSourceCounters } from '../../src/webhooks/counters-store.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { beyond, checkingRunner } from '../support/touched.ts';

test('each card says which keys its script touches beyond those that are declared', () => {
  const complete = Object.values(scripts).filter(({ name }) => beyond(name).size === 0);
  expect(complete.map(({ name }) => name).toSorted()).toEqual(
    [
      ...[
        'claim-drains',
        'configure',
        'count-sources',
        'get-schedules',
        'get-topic',
        'list-breakers',
        'list-schedules',
        'put-map',
        'put-policies',
      ],
      ...['ring-add', 'ring-drop', 'ring-page', 'ring-remove', 'rotate', 'subscribe', 'unsubscribe'],
    ].toSorted(),
  );
});

test('a script that touches more than its card says is told', async () => {
  const told: string[] = [];
  const runner: Runner = {
    run: async () => ({ reply: [['m:', 'timers'], 'answer'], retried: false }),
  };
  const checking = checkingRunner(runner, (undeclared) => told.push(undeclared));
  expect(await checking.run(scripts.rotate, [makeKeys('s').ring('a')], ['1'])).toEqual({
    reply: 'answer',
    retried: false,
  });
  expect(told).toEqual(['rotate touches m: undeclared', 'rotate touches timers undeclared']);
});

/** Whatever `work` touched that its callers did not declare. */
async function undeclared(b: Bench, work: (runner: Runner) => Promise<unknown>): Promise<string[]> {
  const told = new Set<string>();
  const nothing = () => new Set<string>();
  await work(checkingRunner(b.plainRunner(), (key) => told.add(key.replace(/ undeclared$/, '')), nothing));
  return [...told].toSorted();
}

const storeOn = (b: Bench, runner: Runner) => openStore(b.opened(runner, () => b.now));

onEachRedis(
  'keys that a client knows are declared',
  (bench) => {
    test('by an enqueue all of them, but those of an earlier message with its dedup key', async () => {
      const b = bench();
      const dedup = { digest: 'd'.repeat(22), windowMs: 60_000, mode: 'replace' as const, release: false };
      const callbacks = [{ on: 'done' as const, message: b.message('after', 'next') }];
      const messages = [
        b.message('mail', 'ready', { group: 'a/b' }),
        b.message('mail', 'later', { delayMs: 5_000 }),
        b.message('chat', 'pulled', { pool: 'chat' }),
        b.message('mail', 'known', { dedup }),
        b.message('mail', 'followed', { callbacks }),
      ];
      const enqueue = () =>
        undeclared(b, async (runner) => {
          const { ids, duplicates } = await storeOn(b, runner).enqueue({ messages });
          b.expectAlive(
            ids.filter((_, i) => !duplicates.has(i)),
            messages.filter((_, i) => !duplicates.has(i)),
          );
        });
      expect(await enqueue()).toEqual([]);
      expect(await enqueue()).toEqual(['enqueue touches dead:', 'enqueue touches failures:', 'enqueue touches m:']);
    });

    test('by a consumer its lease and what it settles; not what it gets', async () => {
      const b = bench();
      const [first = '', second = ''] = await b.enqueue(b.message('mail', 1), b.message('mail', 2));
      const sync = (request: object) =>
        undeclared(b, async (runner) => {
          const defaults = { lease: 'a', leaseMs: 30_000, held: 0, want: 0, pools: ['*'], settlements: [] };
          await storeOn(b, runner).sync({ ...defaults, ...request });
        });
      expect(await sync({ want: 2, claim: 'c' })).toEqual(['sync touches lane:', 'sync touches m:']);
      const next = { ...b.message('news', 'next'), id: 'next' };
      const failure = { kind: 'failed', text: 'x' };
      const settlements = [
        { entry: `1.${first}`, outcome: 'ack', chained: [next], result: 'null' },
        { entry: `1.${second}`, outcome: 'retry', delayMs: 1_000, failure },
      ];
      expect(await sync({ held: 2, settlements })).toEqual([]);
      b.alive.delete(first);
      b.expectAlive(['next'], [next]);
      b.unordered.add(second);
    });

    test('by operators those of the messages and the queue that they name', async () => {
      const b = bench();
      const [delayed = '', dead = ''] = await b.enqueue(
        b.message('mail', 'later', { delayMs: 5_000 }),
        b.message('mail', 'dies'),
      );
      await b.take(1);
      await b.sync({
        settlements: [{ entry: `1.${dead}`, outcome: 'dead', failure: { kind: 'failed', text: 'x' } }],
      });
      const operate = (work: (adminStore: ReturnType<Bench['adminStore']>) => Promise<unknown>) =>
        undeclared(b, (runner) => work(b.adminStore(runner)));
      expect(await operate(({ look }) => look(delayed))).toEqual([]);
      expect(await operate(({ look }) => look('gone'))).toEqual([]);
      expect(await operate(({ causes }) => causes('mail', 10))).toEqual([
        'failure-groups touches failures:',
        'failure-groups touches parts',
      ]);
      expect(await operate(({ pause }) => pause('mail', '*'))).toEqual([]);
      expect(await operate(({ resume }) => resume('mail', '*'))).toEqual([]);
      expect(await operate(({ cancel }) => cancel(delayed))).toEqual([]);
      expect(await operate(({ redrive }) => redrive('mail', [dead], '*'))).toEqual([
        'redrive touches lane:',
        'redrive touches ready:',
      ]);
      b.alive.delete(delayed);
      b.unordered.add(dead);
    });

    test('by rings, topics, sources and schedules all of them', async () => {
      const b = bench();
      const touched = await undeclared(b, async (runner) => {
        const shard = b.opened(runner, () => b.now);
        const rings = openRings(shard);
        await rings.add('r', ['a', 'b', 'c']);
        await rings.rotate('r', 1);
        await rings.rotate('r', 2);
        await rings.page('r', 2, '');
        await rings.remove('r', ['a']);
        await rings.drop('r');
        const topics = openTopicStore(shard);
        await topics.subscribe('t', 's', '{}');
        await topics.read('t', 'token');
        await topics.topics();
        await topics.unsubscribe('t', 's');
        const counters = openSourceCounters(shard);
        await counters.add(new Map([['github accepted', 1]]));
        await counters.read();
        const schedules = openScheduleStore(shard);
        await schedules.recall([{ id: 'x' }]);
        await schedules.page('0', 10);
        await b.adminStore(runner).breakers('0');
      });
      expect(touched).toEqual([]);
    });
  },
  ['the embedded Redis', 'redis-server'],
);
