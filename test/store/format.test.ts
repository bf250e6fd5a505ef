// The stored format: a database with the data of another version of Sluice is refused, in words, and stays as it is.
import { beforeEach, describe, expect, test } from 'vitest';
import { openAdminOn, openInspectorOn } from '../../src/engine/admin.ts';
import { openEngine } from '../../src/engine.ts';
import { StorageError } from '../../src/errors.ts';
import { toProblem } from '../../src/http/problem.ts';
import { type AnyQueue, defineQueue } from '../../src/index.ts';
import { connect } from '../../src/redis/fetch.ts';
import * as scripts from '../../src/redis/lua/generated.ts';
import type { Script } from '../../src/redis/lua/script.ts';
import { scriptRunner } from '../../src/redis/runner.ts';
import { onEachRedis } from '../support/bench.ts';

const OWN = '2';

onEachRedis(
  'the stored format',
  (bench) => {
    let totals: string;
    beforeEach(() => {
      totals = `${bench().root}stats:totals`;
    });
    const raw = () => bench().redises.raw;

    function engine() {
      const env = {
        UPSTASH_REDIS_REST_URL: bench().redises.emulator.url,
        UPSTASH_REDIS_REST_TOKEN: 'local',
        SLUICE_PREFIX: bench().prefix,
      };
      const queue = defineQueue('pulled', { kind: 'pull' });
      const opened = openEngine(env, new Map<string, AnyQueue>([[queue.name, queue]]));
      const one = () => opened.enqueue([{ queue, body: 1, options: { delay: '1h' }, path: '' }]);
      return Object.assign(opened, { one });
    }

    /** Runs a script as a process does that has not seen the number yet. */
    function run(script: Script): Promise<unknown> {
      const { emulator } = bench().redises;
      const send = connect({ url: emulator.url, token: 'local', timeoutMs: () => 5_000 });
      const keys = Array.from({ length: 8 }, () => `${bench().root}timers`);
      const args = [bench().root, ...Array.from({ length: 15 }, () => '1')];
      return scriptRunner({ send, format: { isKnown: false } }).run<string[], string[]>(script, keys, args);
    }

    describe.each<[what: string, stored: Record<string, string>, found: string]>([
      ['an older number', { '#': '0' }, '0;'],
      [
        'that of records that are not divided',
        { '#': '1', '!': '1' },
        '1, as in data from before records were divided;',
      ],
      ['a newer number', { '#': '3', '!': '1' }, '3;'],
      ['no number, and data of 0.1', { '!': '1800000000000', mail: 'acked=1' }, 'none, as in data of 0.1;'],
    ])('%s', (_, stored, found) => {
      test.each(Object.values(scripts) as Script[])('is refused by $name, and nothing is changed', async (script) => {
        await raw().hset(totals, stored);
        const error = await run(script).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(StorageError);
        const { code, message } = toProblem(error);
        expect([code, message]).toEqual(['stored_format', expect.stringContaining(`has ${OWN}`)]);
        expect(message).toContain(`is ${found}`);
        expect(await raw().keys(`${bench().root}*`)).toEqual([totals]);
        expect(await raw().hgetall(totals)).toEqual(stored);
      });
    });

    test('stops nobody where the key of the number is no hash', async () => {
      await raw().set(totals, 'of somebody else');
      const opened = engine();
      const { receipts } = await opened.one();
      expect(receipts).toHaveLength(1);
      await openAdminOn(opened).cancel(receipts[0]?.id ?? '');
      await raw().del(totals);
    });

    test('an empty database gets the number with the first write, and not by reading', async () => {
      const other = engine();
      await openInspectorOn(other).breakers([]);
      expect(await raw().exists(totals)).toBe(0);
      const { receipts } = await other.one();
      expect(await raw().hget(totals, '#')).toBe(OWN);
      await openAdminOn(other).cancel(receipts[0]?.id ?? '');
    });

    test('whoever has seen its own number looks no more: a command once', async () => {
      const opened = engine();
      const ids: string[] = [];
      const cost = () =>
        bench().cost(async () => {
          const { receipts } = await opened.one();
          ids.push(...receipts.map(({ id }) => id));
        });
      await cost(); // writes the number, and storage gets to know the script
      const second = engine();
      const [knows, looks] = [
        await cost(),
        await bench().cost(async () => {
          const { receipts } = await second.one();
          ids.push(...receipts.map(({ id }) => id));
        }),
      ];
      expect(looks).toEqual({ commands: knows.commands + 1, requests: 1 });
      for (const id of ids) await openAdminOn(opened).cancel(id);
    });

    test('a sweep writes it again where the hash was removed meanwhile', async () => {
      const opened = engine();
      await opened.one().then(({ receipts }) => openAdminOn(opened).cancel(receipts[0]?.id ?? ''));
      await raw().del(totals);
      await opened.tick();
      expect(await raw().hget(totals, '#')).toBe(OWN);
    });
  },
  ['the embedded Redis', 'redis-server'],
);
