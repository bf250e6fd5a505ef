// The loop of a process that stays: who wakes it, how much it does at once, what it does while storage is away, and how it ends.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, type MockInstance, test, vi } from 'vitest';
import { run } from '../../src/adapters/node.ts';
import type { Fault } from '../../src/dev/emulator/faults.ts';
import { startEmulator } from '../../src/dev/emulator/server.ts';
import { createSluice, defineQueue, defineSchedule, type HandlerContext, type Sluice } from '../../src/index.ts';
import { makeKeys } from '../../src/redis/keys.ts';
import { acked, unhandledRejectionsOf } from '../regressions/engines.ts';
import { Bench, type Redises, startEmbedded } from '../support/bench.ts';
import { steadyNow } from '../support/steady-clock.ts';
import { eventually } from '../support/worker.ts';

let redises: Redises;
let error: MockInstance;
let warning: MockInstance;
const commands: string[][] = [];
beforeAll(async () => {
  redises = await startEmbedded({ observe: ({ command }) => void commands.push(command) });
  error = vi.spyOn(console, 'error').mockImplementation(() => {});
  warning = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterAll(async () => {
  error.mockRestore();
  warning.mockRestore();
  await Promise.all(opened.map(({ close }) => close()));
  await redises.stop();
});

const envOn = (b: Bench, settings: Record<string, string> = {}) => ({
  UPSTASH_REDIS_REST_URL: redises.emulator.url,
  UPSTASH_REDIS_REST_TOKEN: redises.emulator.token,
  SLUICE_PREFIX: b.prefix,
  ...settings,
});

const opened: { close(): Promise<void> }[] = [];
/** Another way to the same Redis, which does not always lead there: each of the tests that run at once has its own. */
async function openFaulty() {
  const way = { url: '', fault: undefined as Fault | undefined, met: 0 };
  const faults = () => {
    if (way.fault) way.met += 1;
    return way.fault;
  };
  const emulator = await startEmulator({ ...redises.options, faults });
  opened.push(emulator);
  way.url = emulator.url;
  return way;
}

const countCommands = ({ root }: Bench) =>
  commands.filter((words) => words.some((word) => word.startsWith(root))).length;
const hasLogged = (text: string) => error.mock.calls.some(([line]) => String(line).includes(text));

/** A loop that works. */
function start<Env extends object>(sluice: Sluice<Env>, env: Env, graceMs = 2_000) {
  const stopping = new AbortController();
  const running = run(sluice, { env, signal: stopping.signal, graceMs });
  const stop = async () => {
    const at = steadyNow();
    stopping.abort();
    return { ...(await running), tookMs: steadyNow() - at };
  };
  return { stop, running };
}

describe.concurrent('a resident loop', () => {
  test('takes 40 enqueues of its process, five at once and never more', async () => {
    const b = new Bench(redises);
    let [running, peak, handled] = [0, 0, 0];
    const jobs = defineQueue('jobs', {
      async handler() {
        running += 1;
        peak = Math.max(peak, running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running -= 1;
        handled += 1;
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b, { SLUICE_CONCURRENCY: '5' });
    const { stop } = start(sluice, env);
    const waking = sluice.producer(env, { waitUntil: () => {} });
    await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? waking : sluice.producer(env)).enqueue(jobs, n)));
    await Promise.all([sluice.scheduled(undefined, env), sluice.scheduled(undefined, env)]);
    await eventually('all are handled', () => handled === 40);
    await stop();
    expect([peak, handled]).toEqual([5, 40]);
    expect(await b.violations()).toEqual([]);
  });

  test('is woken by an enqueue without a context, by what is due, and by a schedule', async () => {
    const b = new Bench(redises);
    const seen: unknown[] = [];
    const jobs = defineQueue('jobs', { handler: ({ body }) => void seen.push(body) });
    const ticking = defineSchedule('ticking', { queue: jobs, every: '1s', body: 'by the clock' });
    const sluice = createSluice({ queues: [jobs], schedules: [ticking] });
    const env = envOn(b);
    const { stop } = start(sluice, env);
    await eventually('the schedule has fired twice', () => seen.length > 1); // what is enqueued now meets an idle loop
    await sluice.producer(env).enqueue(jobs, 'at once');
    await sluice.producer(env).enqueue(jobs, 'later', { delay: '300ms' });
    await eventually('both are handled', () => seen.includes('at once') && seen.includes('later'), 3_000);
    expect(seen.indexOf('at once')).toBeLessThan(seen.indexOf('later'));
    await stop();
  });

  test('whose handlers are busy, or that has ended, keeps no other from being woken for what its process enqueues', async () => {
    const b = new Bench(redises);
    const { promise, resolve } = Promise.withResolvers<void>();
    let begun = 0;
    const jobs = defineQueue('jobs', {
      handler: () => {
        begun += 1;
        return promise;
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b, { SLUICE_CONCURRENCY: '1' });
    const { stop } = start(sluice, env);
    const isAwake = async () => (await b.redises.raw.exists(`${b.root}awake`)) === 1;
    const enqueue = () => sluice.producer(env).enqueue(jobs, 1);
    await enqueue();
    await eventually('it is busy, and has said so', async () => begun === 1 && !(await isAwake()), 3_000);
    await enqueue();
    expect(await isAwake()).toBe(false);
    resolve();
    await eventually('both are handled', () => begun === 2);
    await stop();
    await b.redises.raw.del(`${b.root}awake`);
    await enqueue();
    expect(await isAwake()).toBe(false);
  });

  test('sends spans while it works: a handler that takes long keeps neither them nor what comes behind it', async () => {
    const spans: string[] = [];
    const collector = createServer(async (request, response) => {
      for await (const chunk of request) spans.push(String(chunk));
      response.end('{}');
    });
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const b = new Bench(redises);
    const { promise, resolve } = Promise.withResolvers<void>();
    const handled: unknown[] = [];
    const jobs = defineQueue('jobs', {
      handler({ body }) {
        handled.push(body);
        return body === 'long' ? promise : undefined;
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const env = envOn(b, { SLUICE_CONCURRENCY: '2', SLUICE_OTLP_ENDPOINT: endpoint, SLUICE_DRAIN_MS: '1000' });
    const { stop } = start(sluice, env);
    await sluice.producer(env).enqueue(jobs, 'long');
    await eventually('the long one runs', () => handled.length === 1);
    for (let n = 0; n < 3; n++) {
      await sluice.producer(env).enqueue(jobs, n);
      // The long one goes on, as far as its time goes.
      await eventually('a quick one is handled beside it', () => handled.includes(n), 4_000);
      await eventually('its span is sent', () => spans.join('').split('process jobs').length > n + 1, 4_000);
    }
    resolve();
    await stop();
    expect(handled).toEqual(['long', 0, 1, 2]);
    collector.close();
  });

  test('leaves no tick a drain of its own, however long such a drain could wait for what is due', async () => {
    const b = new Bench(redises);
    const sluice = createSluice({ queues: [defineQueue('jobs', { handler: () => {} })] });
    const env = envOn(b, { SLUICE_DRAIN_MS: '600000' });
    const { stop } = start(sluice, env);
    await b.openStore().enqueue({ messages: [b.message('jobs', 1, { delayMs: 180_000 })] });
    expect(await sluice.tick(env)).toEqual({ sweep: expect.anything() });
    await stop();
  });

  test('looks for what its process enqueues, also where another one says that it looks', async () => {
    const b = new Bench(redises);
    const seen: unknown[] = [];
    const jobs = defineQueue('jobs', { handler: ({ body }) => void seen.push(body) });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b);
    const { stop } = start(sluice, env);
    await sluice.producer(env).enqueue(jobs, 'first');
    await eventually('it is handled', () => seen.length === 1);
    await redises.raw.set(makeKeys(b.prefix).awake, 'another', 'PX', 60_000);
    await sluice.producer(env).enqueue(jobs, 'second');
    await eventually('it is handled too', () => seen.length === 2, 3_000);
    await stop();
  });

  test('asks for what others have enqueued where it polls', async () => {
    const b = new Bench(redises);
    const seen: unknown[] = [];
    const jobs = defineQueue('jobs', { handler: ({ body }) => void seen.push(body) });
    const { stop } = start(createSluice({ queues: [jobs] }), envOn(b, { SLUICE_POLL_MS: '50' }));
    await eventually('it has found nothing, and asks again', () => countCommands(b) > 5);
    await b.openStore().enqueue({ messages: [b.message('jobs', 1)] });
    await eventually('it has it', () => seen.length === 1, 3_000);
    await stop();
  });

  test('goes on when storage is back, and says what it waited for', async () => {
    const b = new Bench(redises);
    const seen: unknown[] = [];
    const jobs = defineQueue('jobs', { handler: ({ body }) => void seen.push(body) });
    const sluice = createSluice({ queues: [jobs] });
    const way = await openFaulty();
    const env = envOn(b, { UPSTASH_REDIS_REST_URL: way.url });
    await sluice.producer(env).enqueue(jobs, 'before');
    way.fault = { kind: 'reset' };
    let stop: () => Promise<unknown> = async () => {};
    const rejections = await unhandledRejectionsOf(async () => {
      ({ stop } = start(sluice, env));
      // Another loop of these tests may have said so: this one has met it with all its repetitions at least.
      await eventually('it waits for storage', () => hasLogged('drainer waits for storage') && way.met >= 4);
      way.fault = undefined;
      await eventually('it goes on', () => seen.length === 1);
    });
    await sluice.producer(env).enqueue(jobs, 'after');
    await eventually('it is awake', () => seen.length === 2, 3_000);
    await stop();
    expect([seen, rejections]).toEqual([['before', 'after'], []]);
  });
});

describe.concurrent('a resident loop that is told to end', () => {
  test('gives back uncounted what it has not begun, and what outlives the grace; its signal is aborted', async () => {
    const b = new Bench(redises);
    const begun: HandlerContext['signal'][] = [];
    const attempts: number[] = [];
    const jobs = defineQueue('jobs', {
      handler({ attempt }, { signal }) {
        attempts.push(attempt);
        begun.push(signal);
        return new Promise<void>(() => {});
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b, { SLUICE_CONCURRENCY: '2' });
    const { ids } = await b
      .openStore()
      .enqueue({ messages: Array.from({ length: 9 }, (_, n) => b.message('jobs', n)) });
    const first = start(sluice, env, 200);
    await eventually('two are at work', () => begun.length === 2);
    expect(await first.stop()).toMatchObject({ cutOff: 2, isSettled: true });
    expect(begun.map(({ aborted }) => aborted)).toEqual([true, true]);
    const { leases, lanes, timers, failures } = await b.shard();
    expect([leases, lanes['5:jobs']?.length, timers, failures]).toEqual([{}, ids.length, {}, {}]);
    const second = start(sluice, env, 0);
    await eventually('two are at work again', () => begun.length === 4);
    await second.stop();
    expect(attempts).toEqual([1, 1, 1, 1]);
  });

  test('settles at once what it does not begin, and what ends in its grace', async () => {
    const b = new Bench(redises);
    const ends: PromiseWithResolvers<void>[] = [];
    const jobs = defineQueue('jobs', {
      handler() {
        ends.push(Promise.withResolvers());
        return ends.at(-1)?.promise;
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b, { SLUICE_CONCURRENCY: '2' });
    await b.openStore().enqueue({ messages: Array.from({ length: 9 }, (_, n) => b.message('jobs', n)) });
    const { stop } = start(sluice, env, 60_000);
    await eventually('two are at work', () => ends.length === 2);
    const stopping = stop();
    const stands = async () => {
      const { lanes, leases } = await b.shard();
      return [lanes['5:jobs']?.length, ...Object.values(leases).map((held) => held.length)];
    };
    await eventually('the rest is back', async () => String(await stands()) === '7,2', 5_000);
    ends[0]?.resolve();
    await eventually('one is settled, and one at work', async () => String(await stands()) === '7,1', 5_000);
    ends[1]?.resolve();
    expect(await stopping).toMatchObject({ cutOff: 0, isSettled: true });
    expect([await stands(), ends.length]).toEqual([[7], 2]);
  });

  test('waits for its handlers where the grace has no end', async () => {
    const b = new Bench(redises);
    const ended = Promise.withResolvers<void>();
    const begun: unknown[] = [];
    const jobs = defineQueue('jobs', {
      handler({ body }) {
        begun.push(body);
        return ended.promise;
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b);
    await b.openStore().enqueue({ messages: [b.message('jobs', 1)] });
    const { stop } = start(sluice, env, Number.POSITIVE_INFINITY);
    await eventually('it is at work', () => begun.length === 1);
    setTimeout(ended.resolve, 100);
    await stop();
    expect(Object.keys((await b.shard()).envelopes)).toEqual([]);
  });

  test('ends with its grace while storage is away', async () => {
    const b = new Bench(redises);
    const begun: unknown[] = [];
    const jobs = defineQueue('jobs', {
      handler({ body }) {
        begun.push(body);
        return new Promise<void>(() => {});
      },
    });
    const sluice = createSluice({ queues: [jobs] });
    const way = await openFaulty();
    const env = envOn(b, { UPSTASH_REDIS_REST_URL: way.url });
    await sluice.producer(env).enqueue(jobs, 1);
    const { stop } = start(sluice, env, 300);
    await eventually('it is at work', () => begun.length === 1);
    way.fault = { kind: 'delay-before', ms: 60_000 };
    const ended = await stop();
    expect(ended.isSettled).toBe(false);
    expect(ended.tookMs).toBeLessThan(5_000); // usually 0.8 s; a request to storage may take longer than all of that
  });

  test('has no grace where nothing runs, also while storage does not answer', async () => {
    const silent = createSocketServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const asked = once(silent, 'connection');
    const { port } = silent.address() as AddressInfo;
    const env = envOn(new Bench(redises), { UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${port}` });
    const { stop } = start(createSluice({ queues: [defineQueue('jobs', { handler: () => {} })] }), env, 60_000);
    const [socket] = await asked;
    expect((await stop()).tookMs).toBeLessThan(5_000); // usually 2 s
    socket.destroy();
    silent.close();
  });

  test('is at its end at once where its signal was aborted before it began', async () => {
    const b = new Bench(redises);
    const sluice = createSluice({ queues: [defineQueue('jobs', { handler: () => {} })] });
    await run(sluice, { env: envOn(b), signal: AbortSignal.abort() });
    expect(countCommands(b)).toBe(0);
  });

  test('leaves the work of its process to others', async () => {
    const b = new Bench(redises);
    const seen: unknown[] = [];
    const jobs = defineQueue('jobs', { handler: ({ body }) => void seen.push(body) });
    const sluice = createSluice({ queues: [jobs] });
    const env = envOn(b);
    const { stop } = start(sluice, env);
    await stop();
    const kept: Promise<unknown>[] = [];
    const { id } = await sluice.producer(env, { waitUntil: (work) => void kept.push(work) }).enqueue(jobs, 'late');
    await sluice.scheduled(undefined, env);
    await Promise.all(kept);
    expect([seen, (await b.shard()).lanes['5:jobs']?.length]).toEqual([[], 1]);
    b.alive.add(id);
    const again = start(sluice, env);
    await eventually('the next one has it', () => seen.length === 1);
    await again.stop();
    acked(b, [id]);
    expect(await b.violations()).toEqual([]);
  });
});

test('wrong settings are refused, and nothing is left behind', async () => {
  const sluice = createSluice({ queues: [] });
  await expect(run(sluice, { env: { SLUICE_CONCURRENCY: 'many' } })).rejects.toThrow('SLUICE_CONCURRENCY');
});

test('in Node it reaches storage past the global fetch', async () => {
  const b = new Bench(redises);
  const handled: unknown[] = [];
  const jobs = defineQueue('jobs', { handler: ({ body }) => void handled.push(body) });
  const sluice = createSluice({ queues: [jobs] });
  const env = envOn(b);
  const fetched = vi.spyOn(globalThis, 'fetch');
  const { stop } = start(sluice, env);
  await sluice.producer(env).enqueue(jobs, 1);
  await eventually('it is handled', () => handled.length === 1);
  await stop();
  expect(fetched).not.toHaveBeenCalled();
  fetched.mockRestore();
});
