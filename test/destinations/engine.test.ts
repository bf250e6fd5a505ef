// Destinations in whole engines: rules that change, secrets that are missing, and one that hangs beside one that does not.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Receiver, startReceiver } from '../../examples/demo/receiver.ts';
import { openAdminOn, openInspectorOn } from '../../src/engine/admin.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { BadSettings } from '../../src/errors.ts';
import { health } from '../../src/http/functions.ts';
import { createSluice } from '../../src/index.ts';
import { constant } from '../../src/queue/backoff.ts';
import { type AnyQueue, defineQueue } from '../../src/queue/queue.ts';
import { drainFor } from '../regressions/engines.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { eventually } from '../support/worker.ts';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const LOCAL = { SLUICE_DESTINATION_LOCAL: 'true' };

let good: Receiver;
let hanging: Receiver;
beforeAll(async () => {
  [good, hanging] = await Promise.all([startReceiver([secret]), startReceiver([secret])]);
});
afterAll(() => Promise.all([good.close(), hanging.close()]));
beforeEach(() => {
  for (const { arrived } of [good, hanging]) arrived.length = 0;
});

function envOf(bench: Bench, settings: Record<string, string>) {
  return {
    UPSTASH_REDIS_REST_URL: bench.redises.emulator.url,
    UPSTASH_REDIS_REST_TOKEN: bench.redises.emulator.token,
    SLUICE_PREFIX: bench.prefix,
    SLUICE_DRAIN_REQUESTS: '9000',
    ...settings,
  };
}

const engineOn = (bench: Bench, queues: AnyQueue[], settings: Record<string, string> = LOCAL): Engine =>
  openEngine(envOf(bench, settings), new Map(queues.map((queue) => [queue.name, queue])));

async function enqueue(bench: Bench, engine: Engine, name: string, messages: object[]): Promise<string[]> {
  const queue = engine.queues.get(name);
  const { receipts } = await engine.enqueue(messages.map((options, i) => ({ queue, body: i, options, path: `${i}.` })));
  const ids = receipts.map(({ id }) => id);
  bench.expectAlive(ids, []);
  return ids;
}

const retried = { destination: true, attempts: 2, backoff: constant(10) } as const;
const out = defineQueue('out', retried);
/** It ends when there is nothing to do: the machine may stand still for seconds before. */
const TIME_MS = 20_000;

onEachRedis(
  'destinations',
  (bench) => {
    test('rules are kept at every attempt: what they refuse by then is never sent, and is a dead letter', async () => {
      const [id = ''] = await enqueue(bench(), engineOn(bench(), [out]), 'out', [
        { destination: `${good.url}/inside` },
      ]);
      await drainFor(engineOn(bench(), [out], {}), TIME_MS);
      const { state, failures } = await openAdminOn(engineOn(bench(), [out])).message(id);
      expect([state, failures]).toEqual(['dead', [expect.objectContaining({ kind: 'refused', attempt: 1 })]]);
      expect(failures[0]?.text).toContain('must begin with https://');
      expect(good.arrived.filter(({ path }) => path === '/inside')).toEqual([]);
    });

    test('they are kept for messages that follow on others, and for those that code in the Worker enqueues', async () => {
      const engine = engineOn(bench(), [out, defineQueue('work', { kind: 'pull' })], {});
      const onSuccess = { queue: 'out', body: 1, destination: 'https://169.254.169.254/' };
      const field = {
        issues: [expect.objectContaining({ field: '0.onSuccess.destination', code: 'refused_address' })],
      };
      await expect(enqueue(bench(), engine, 'work', [{ onSuccess }])).rejects.toMatchObject(field);
      const producer = createSluice({ queues: [out] }).producer(envOf(bench(), { SLUICE_DESTINATION_HOSTS: 'a.com' }));
      const elsewhere = producer.enqueue(out, 1, { destination: 'https://b.com/' });
      await expect(elsewhere).rejects.toMatchObject({ issues: [{ code: 'refused_address' }] });
    });

    test.each([
      ['is not there', {}],
      ['is no secret', { A: 'hunter2', B: secret }],
    ])(
      'where a secret %s nothing is sent unsigned, and no attempt is lost: it goes once there is one',
      async (_, bindings) => {
        const signed = defineQueue('out', { destination: { secrets: ['A', 'B'] }, attempts: 1 });
        const engine = engineOn(bench(), [signed], { ...LOCAL, ...bindings });
        const [id = ''] = await enqueue(bench(), engine, 'out', [{ destination: `${good.url}/unsigned` }]);
        await eventually('it was tried', async () => {
          await drainFor(engine, 1_000);
          return (await openAdminOn(engine).message(id)).state !== 'ready';
        });
        expect(await openAdminOn(engine).message(id)).toMatchObject({ state: 'delayed', attempt: 1, failures: [] });
        const missing = Object.keys({ A: '', B: '' }).filter((name) => name === 'A' || !(name in bindings));
        expect(await openInspectorOn(engine).queues([...engine.queues.values()])).toMatchObject([
          { missingSecrets: missing },
        ]);
        expect(good.arrived.filter(({ path }) => path === '/unsigned')).toEqual([]);

        const mended = engineOn(bench(), [signed], { ...LOCAL, A: secret, B: secret });
        expect((await openInspectorOn(mended).queues([...mended.queues.values()]))[0]).not.toHaveProperty(
          'missingSecrets',
        );
        await drainFor(mended, TIME_MS); // it sleeps until the message is due
        expect(good.arrived.filter(({ path }) => path === '/unsigned')).toMatchObject([
          { id, attempt: 1, verified: true },
        ]);
        bench().alive.delete(id);
      },
    );

    test('each of a queue with named secrets is signed by its own', async () => {
      const named = defineQueue('out', { destination: { secrets: { ours: ['A'], theirs: ['B'] } } });
      const other = `whsec_${randomBytes(32).toString('base64')}`;
      const engine = engineOn(bench(), [named], { ...LOCAL, A: secret, B: other });
      const ids = await enqueue(bench(), engine, 'out', [
        { destination: { url: `${good.url}/named`, secret: 'ours' } },
        { destination: { url: `${good.url}/named`, secret: 'theirs' } },
      ]);
      await drainFor(engine, TIME_MS);
      const verified = new Map(good.arrived.map((arrived) => [arrived.id, arrived.verified]));
      expect(ids.map((id) => verified.get(id))).toEqual([true, false]);
      for (const id of ids) bench().alive.delete(id);
    });

    test("a receiver's own trouble with subrequests is an answer as any other: it counts, and stops nobody else's deliveries", async () => {
      const troubled = createServer((_, response) => void response.writeHead(500).end('Error: Too many subrequests.'));
      await new Promise<void>((resolve) => troubled.listen(0, '127.0.0.1', resolve));
      const { port } = troubled.address() as AddressInfo;
      const engine = engineOn(bench(), [out]);
      const destinations = [`http://127.0.0.1:${port}/`, `${good.url}/other`];
      const [id = '', other = ''] = await enqueue(
        bench(),
        engine,
        'out',
        destinations.map((destination) => ({ destination })),
      );
      expect(await drainFor(engine, TIME_MS)).toMatchObject({ acked: 1, retried: 1, dead: 1, ended: 'idle' });
      bench().alive.delete(other);
      const { state, failures } = await openAdminOn(engine).message(id);
      expect([state, failures.length]).toEqual(['dead', 2]);
      await new Promise((resolve) => troubled.close(resolve));
    });

    test("a queue's own headers go to the origins it lists, and to no other that a message names", async () => {
      const listed = defineQueue('out', {
        destination: { headers: { 'x-queue-key': 'of the queue' }, headersFor: [good.url] },
      });
      const engine = engineOn(bench(), [listed]);
      const headers = { 'x-own': 'of the message' };
      const { port } = new URL(good.url);
      const ids = await enqueue(bench(), engine, 'out', [
        { destination: `${good.url}/listed`, headers },
        { destination: { url: `${good.url}/listed`, headers: { 'X-Queue-Key': 'of its destination' } }, headers },
        { destination: `${hanging.url}/other`, headers },
        { destination: `http://localhost:${port}/other`, headers }, // another origin, though the same server
      ]);
      await drainFor(engine, TIME_MS);
      const seen = new Map([...good.arrived, ...hanging.arrived].map(({ id, headers }) => [id, headers]));
      expect(ids.map((id) => [seen.get(id)?.['x-queue-key'], seen.get(id)?.['x-own']])).toEqual([
        ['of the queue', 'of the message'],
        ['of its destination', 'of the message'],
        [undefined, 'of the message'],
        [undefined, 'of the message'],
      ]);
      for (const id of ids) bench().alive.delete(id);
    });

    test('what a destination must not have sent is left out too where it was stored before that was refused', async () => {
      const engine = engineOn(bench(), [out]);
      const destination = { url: `${good.url}/stored`, headers: { 'x-own': 'a' } };
      const [id = ''] = await enqueue(bench(), engine, 'out', [{ destination }]);
      const key = `{${bench().prefix}}:m:${id}`;
      const { raw } = bench().redises;
      await raw.set(key, String(await raw.get(key)).replace('"x-own":"a"', '"x-own":"a","x-client-ip":"10.0.0.1"'));
      await drainFor(engine, TIME_MS);
      const arrived = good.arrived.find((one) => one.id === id);
      expect(arrived?.headers).toMatchObject({ 'x-own': 'a' });
      expect(arrived?.headers).not.toHaveProperty('x-client-ip');
      bench().alive.delete(id);
    });

    test('one that fails again and again is left alone, says so, and gets all that waited when it works again', async () => {
      const breaker = { failures: 3, open: 5_000 };
      const tried = defineQueue('tried', { destination: { breaker }, attempts: 50, backoff: constant(1) });
      const engine = engineOn(bench(), [tried]);
      // Five messages, of which each is answered 503 at its first attempt: the third failure opens.
      const ids = await enqueue(
        bench(),
        engine,
        'tried',
        Array(5).fill({ destination: `${good.url}/?fail=503&times=1` }),
      );
      const report = await drainFor(engine, TIME_MS, { sleepsMs: 0 }); // it ends where nothing but the open one is left
      const state = async () =>
        (await openAdminOn(engine).destinations('0')).destinations.map(({ state, failures }) => ({ state, failures }));
      expect(report.acked).toBeLessThan(5);
      const sentAtFirst = good.arrived.length;
      expect(sentAtFirst).toBeGreaterThanOrEqual(3);
      expect(sentAtFirst).toBeLessThanOrEqual(3 + 2); // two at a time: the others of the moment may end after the third
      await eventually('all have arrived', async () => {
        await engine.tick();
        return new Set(good.arrived.filter(({ taken }) => taken).map(({ id }) => id)).size === ids.length;
      });
      expect(await state()).toEqual([]);
      for (const id of ids) bench().alive.delete(id);
    });

    test('a queue with an url of its own sends all there; one that the rules refuse is a bad setting', async () => {
      const fixed = defineQueue('fixed', {
        destination: { url: `${good.url}/fixed`, secrets: ['A'], headers: { 'x-a': 'b' } },
      });
      const engine = engineOn(bench(), [fixed], { ...LOCAL, A: secret });
      const [id = ''] = await enqueue(bench(), engine, 'fixed', [{}]);
      expect(await drainFor(engine, TIME_MS)).toMatchObject({ acked: 1 });
      bench().alive.delete(id);
      const arrived = good.arrived.find(({ path }) => path === '/fixed');
      expect(arrived).toMatchObject({ id, verified: true, body: '0', headers: { 'x-a': 'b' } });
      const refused = { A: secret };
      expect(() => engineOn(bench(), [fixed], refused)).toThrow(BadSettings);
      const { fetch } = createSluice({ queues: [fixed], functions: [health] });
      const answer = await fetch(new Request('https://sluice.example/health'), envOf(bench(), refused));
      expect(await answer.json()).toMatchObject({
        code: 'misconfigured',
        detail: expect.stringMatching(/^Missing or wrong: queue fixed;/),
      });
    });

    test('a destination that hangs does not slow the others', async () => {
      const engine = engineOn(bench(), [defineQueue('out', { ...retried, timeout: '1s' })]);
      const backlog = Array.from({ length: 40 }, () => ({ destination: `${hanging.url}/?fail=hang` }));
      const others = Array.from({ length: 40 }, () => ({ destination: `${good.url}/beside` }));
      await enqueue(bench(), engine, 'out', backlog);
      const ids = await enqueue(bench(), engine, 'out', others);
      const start = performance.now();
      const beside = () => good.arrived.filter(({ path }) => path === '/beside');
      // One drain has time for them, but on a machine that does much else.
      await eventually('the others have theirs', async () => {
        await drainFor(engine, 4_000);
        return beside().length === 40;
      });
      const waits = (url: string, { arrived }: Receiver) => {
        const at = arrived.filter(({ path }) => path === url).map((one) => Math.round(one.at - start));
        return `${at.length} arrived, the last after ${Math.max(...at)} ms`;
      };
      console.log(
        `beside one that hangs: ${waits('/beside', good)}; the one that hangs: ${waits('/?fail=hang', hanging)}`,
      );
      // Two at once, each for a second: without its limit it would have had all five handlers.
      const seconds = Math.ceil((performance.now() - start) / 1_000);
      expect(hanging.arrived.length).toBeLessThanOrEqual(2 * (seconds + 1));
      for (const id of ids) bench().alive.delete(id);
    });
  },
  ['the embedded Redis', 'redis-server'],
);

describe('settings', () => {
  test.each([
    ['SLUICE_DESTINATION_HOSTS', 'https://a.com'],
    ['SLUICE_DESTINATION_LOCAL', 'yes'],
  ])('%s=%s is a bad one', (name, value) => {
    const env = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 'x', [name]: value };
    expect(() => openEngine(env, new Map())).toThrow(name);
  });
});
