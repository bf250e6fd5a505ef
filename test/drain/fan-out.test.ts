// Drains that start others for a standing backlog, and their successors: by the deployment's own URL, and in Durable Objects.
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { toFetch } from '../../src/adapters/edge.ts';
import { deriveStartToken } from '../../src/config/start-token.ts';
import { Waking } from '../../src/engine/waking.ts';
import { openEngine } from '../../src/engine.ts';
import { defineQueue, type QueueOptions } from '../../src/index.ts';
import { Invocation } from '../../src/runtime/invocation.ts';
import { acked, enqueueNow, pause } from '../regressions/engines.ts';
import { type Bench, onEachRedis } from '../support/bench.ts';
import { deploymentOn } from '../support/deployment.ts';
import { openObjects } from '../support/objects.ts';
import { type OwnUrl, openOwnUrl } from '../support/own-url.ts';
import { eventually } from '../support/worker.ts';

let own: OwnUrl;
beforeAll(async () => {
  own = await openOwnUrl();
});
afterEach(() => {
  own.called.length = 0;
  vi.restoreAllMocks();
});
afterAll(() => own.close());

/** A queue whose handlers take some time; how many were at work at once, and what each got. */
function working(options: QueueOptions = {}, takesMs = 5) {
  const seen: string[] = [];
  let atWork = 0;
  let most = 0;
  const queue = defineQueue('jobs', {
    ...options,
    handler: async ({ id }) => {
      seen.push(id);
      atWork += 1;
      most = Math.max(most, atWork);
      await pause(takesMs);
      atWork -= 1;
    },
  });
  return { queue, seen, most: () => most };
}

/** A deployment whose drains have one handler each, so that handlers at once are drains at once; it answers at its own URL. */
function servedAt(b: Bench, worked: ReturnType<typeof working>, settings: Record<string, unknown> = {}) {
  const deployed = deploymentOn(b, [worked.queue], { SLUICE_CONCURRENCY: 1, SLUICE_URL: own.url, ...settings });
  own.serve((request) => deployed.sluice.fetch(request, deployed.env, deployed.context));
  const tick = () => deployed.sluice.scheduled(undefined, deployed.env, deployed.context);
  return Object.assign(deployed, { tick });
}

async function put(b: Bench, count: number): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, i) => b.message('jobs', i));
  return (await enqueueNow(b, ...messages)).ids;
}

const places = () => own.called.map((path) => Number(new URL(path, own.url).searchParams.get('place')));

test('a drain that goes on under its invocation has no place of its own any more: it was given back, or is its successor’s', async () => {
  const env = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 'x' };
  const { parts } = openEngine(env, new Map([['jobs', working().queue]]));
  const begun: unknown[] = [];
  const report = { delivered: 1, acked: 1, retried: 0, dead: 0, released: 0, stale: 0, gone: 0, leasesLost: 0 };
  const drains: typeof parts.drains = {
    settleKept: () => Promise.resolve(),
    run: async (_, attention, { place }) => {
      attention.asked = begun.push(place) === 1;
      return { ...report, requests: 1, ms: 1, ended: 'idle' };
    },
  };
  const place = { number: 3, starts: () => 1 };
  await new Waking({ ...parts, drains }).drain(new Invocation(), { place });
  expect(begun).toEqual([place, undefined]);
});

onEachRedis(
  'a standing backlog',
  (bench) => {
    test('is ended after one tick by drains that start others and successors by SLUICE_URL, never more than there are places', async () => {
      const b = bench();
      const worked = working();
      const { tick, settled } = servedAt(b, worked, { SLUICE_DRAINERS: 4 });
      const ids = await put(b, 300);
      await tick();
      await settled();
      expect(worked.seen.toSorted()).toEqual(ids.toSorted());
      expect(worked.most()).toBe(4);
      expect([...new Set(places())].toSorted()).toEqual([0, 1, 2, 3]);
      acked(b, worked.seen);
      const calls = own.called.length;
      await tick();
      await settled();
      expect([own.called.length, await b.redises.raw.exists(`${b.root}drains`)]).toEqual([calls, 0]); // nobody is started
    });

    test('is ended in Durable Objects where some are bound, though nobody wakes any but the drain of a tick', async () => {
      const b = bench();
      const worked = working();
      const objects = openObjects();
      const deployed = deploymentOn(b, [worked.queue], {
        SLUICE_CONCURRENCY: 1,
        SLUICE_DRAINERS: 4,
        DRAINER: objects.namespace,
      });
      objects.serve(deployed.sluice, deployed.env);
      const ids = await put(b, 300);
      await deployed.sluice.scheduled(undefined, deployed.env, deployed.context);
      await deployed.settled();
      await eventually('all is done', () => worked.seen.length >= ids.length);
      await eventually('no drainer is at work', () => [...objects.known.values()].every(({ isRunning }) => !isRunning));
      expect(worked.seen.toSorted()).toEqual(ids.toSorted());
      expect([...objects.known.keys()].toSorted()).toEqual(['drainer-0', 'drainer-1', 'drainer-2', 'drainer-3']);
      expect(worked.most()).toBe(4);
      acked(b, worked.seen);
      objects.crash('lost'); // an alarm for when leases of the others would have expired
    });

    test('gets no more drains where two ticks and many arrivals meet it: each has its own, besides those that have places', async () => {
      const b = bench();
      const worked = working({}, 10);
      const { tick, settled, enqueue, call } = servedAt(b, worked, { SLUICE_DRAINERS: 3 });
      const ids = await put(b, 300);
      const ticking = Promise.all([tick(), tick()]);
      for (let i = 0; i < 30; i++) {
        ids.push(...(await enqueue('jobs', [{ body: 'arrival' }])));
        await call('GET', '/v1/queues/jobs');
      }
      await ticking;
      await settled();
      expect(worked.seen.toSorted()).toEqual(ids.toSorted());
      expect(worked.most()).toBeLessThanOrEqual(3 + 2 + 1); // of the ticks, and one that arrivals woke
      acked(b, worked.seen);
    });

    test('gets no more than its limits let work', async () => {
      const b = bench();
      const worked = working({ limits: { concurrency: 1 } });
      const { tick, settled } = servedAt(b, worked, { SLUICE_DRAINERS: 4 });
      const ids = await put(b, 60);
      await tick();
      await settled();
      expect([worked.seen.length, new Set(places())]).toEqual([ids.length, new Set([0])]); // successors of one drain
      acked(b, worked.seen);
    });

    test('is ended below a base path too, where SLUICE_URL has it', async () => {
      const b = bench();
      const worked = working();
      const basePath = '/api/sluice';
      const deployed = servedAt(b, worked, { SLUICE_DRAINERS: 2, SLUICE_URL: `${own.url}${basePath}/` });
      const waitUntil = (work: Promise<unknown>) => deployed.context.waitUntil(work);
      own.serve(toFetch(deployed.sluice, { env: deployed.env, basePath, waitUntil }));
      const ids = await put(b, 60);
      await deployed.tick();
      await deployed.settled();
      expect(worked.seen.toSorted()).toEqual(ids.toSorted());
      acked(b, worked.seen);
    });

    test('that is too small for another drain to help gets none', async () => {
      const b = bench();
      const worked = working();
      const { tick, settled } = servedAt(b, worked, { SLUICE_DRAINERS: 4 });
      await put(b, 8);
      await tick();
      await settled();
      expect([worked.seen.length, own.called]).toEqual([8, []]);
      acked(b, worked.seen);
    });
  },
  ['redis-server'],
);

onEachRedis(
  'a drain that is to begin at the own URL',
  (bench) => {
    test('and does not: the rest is for the next request or tick, and no chain goes on', async () => {
      const b = bench();
      const logged = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const worked = working();
      const { tick, settled } = servedAt(b, worked, { SLUICE_DRAINERS: 4 });
      own.serve(async () => new Response(null, { status: 508 }));
      const ids = await put(b, 60);
      await tick();
      await settled();
      const [delivered, called] = [worked.seen.length, own.called.length];
      expect([delivered < 60, called > 0]).toEqual([true, true]);
      expect(logged.mock.calls.flat()).toContainEqual(expect.stringContaining('"drain not started","status":508'));
      for (let ticks = 0; worked.seen.length < ids.length && ticks < 3; ticks++) await tick();
      expect(worked.seen.toSorted()).toEqual(ids.toSorted());
      acked(b, worked.seen);
    });

    test('dies, or its reply is lost: the others go on, and nothing is lost', async () => {
      const b = bench();
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      const worked = working();
      const deployed = servedAt(b, worked, { SLUICE_DRAINERS: 4 });
      own.serve(async (request) => {
        const place = new URL(request.url).searchParams.get('place');
        if (place === '1') return Promise.reject(new Error('it is killed before it begins'));
        const answer = await deployed.sluice.fetch(request, deployed.env, deployed.context);
        return place === '2' ? Promise.reject(new Error('the reply is lost')) : answer;
      });
      const ids = await put(b, 200);
      for (let ticks = 0; worked.seen.length < ids.length && ticks < 3; ticks++) {
        await deployed.tick();
        await deployed.settled();
      }
      expect(worked.seen.toSorted()).toEqual(ids.toSorted());
      acked(b, worked.seen);
    });

    test('is begun by no token but its own, and that token does nothing else', async () => {
      const b = bench();
      const { sluice, env, settled, context } = servedAt(b, working());
      const call = async (path: string, token: string) => {
        const headers = { authorization: `Bearer ${token}` };
        return (await sluice.fetch(new Request(own.url + path, { method: 'POST', headers }), env, context)).status;
      };
      const config = { UPSTASH_REDIS_REST_TOKEN: b.redises.emulator.token, SLUICE_PREFIX: b.prefix };
      const token = await deriveStartToken(config as Parameters<typeof deriveStartToken>[0]);
      const further = '/v1/drain/further?place=1';
      expect([await call(further, token), await call(further, 'local'), await call(further, '')]).toEqual([
        202, 401, 401,
      ]);
      expect([await call('/v1/drain', token), await call('/v1/drain/further?place=x', token)]).toEqual([401, 422]);
      await settled();
    });
  },
  ['redis-server'],
);
