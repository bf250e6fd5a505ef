// Each limit bites: with a Worker that does nothing else.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/worker.ts';
import type { Limits } from './limits.ts';
import { openPlatform, type Platform } from './platform.ts';

const WORKER = `
let served = 0;
const spin = (rounds) => { for (let i = 0, x = 0; i < rounds; i++) x += i % 7; };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const cases = {
  async subrequests({ OUTSIDE }, context) {
    const ask = () => fetch(OUTSIDE).then(() => 'answered', String);
    const answers = await Promise.all(Array.from({ length: 9 }, ask));
    context.waitUntil(ask());
    return answers;
  },
  async connections({ OUTSIDE }) {
    const signal = AbortSignal.timeout(100);
    const asks = Array.from({ length: 8 }, (_, i) => fetch(OUTSIDE + '/hold/' + i, i === 6 ? { signal } : {}));
    asks[6].catch(() => console.log('the seventh gave up'));
    return (await Promise.allSettled(asks)).map(({ reason }) => reason?.name ?? 'answered');
  },
  async clock({ OUTSIDE }) {
    const seen = [];
    const note = () => seen.push([Date.now(), new Date().getTime(), Math.round(performance.now())]);
    note(); spin(3e7); note();
    await sleep(1); note(); spin(3e7); note();
    const answer = await fetch(OUTSIDE); note(); spin(3e7); note();
    await answer.text(); note();
    return seen;
  },
  async left({ OUTSIDE }) {
    await fetch(OUTSIDE + '/hold/alone');
  },
  async leftBehind({ OUTSIDE }, context) {
    context.waitUntil(fetch(OUTSIDE + '/hold/behind'));
    await fetch(OUTSIDE + '/hold/rest');
    await fetch(OUTSIDE + '/hold/more');
  },
  served: async () => ++served,
  spin: async () => spin(Infinity),
  async spinBehind(_, context) {
    context.waitUntil(sleep(20).then(() => spin(Infinity)));
  },
  wait: () => sleep(200),
};

export default {
  async fetch(request, env, context) {
    return Response.json((await cases[new URL(request.url).pathname.slice(1)](env, context)) ?? null);
  },
  async scheduled(_, { OUTSIDE }) {
    for (;;) await fetch(OUTSIDE + '/' + ++served);
  },
};`;

/** Those that the world outside has not answered, and the paths that gave up or were cut off before it did. */
const held = new Map<string, ServerResponse>();
const gone: string[] = [];
const seen: string[] = [];
const logs: string[] = [];
const outside = createServer(({ url = '' }, response) => {
  seen.push(url);
  if (!url.startsWith('/hold/')) return void response.end('answered');
  const name = url.slice('/hold/'.length);
  held.set(name, response);
  response.on('close', () => response.writableFinished || gone.push(name));
});
const answer = (name: string) => {
  held.get(name)?.end();
  held.delete(name);
};

const platforms: Platform[] = [];
async function openWith(limits: Limits): Promise<Platform> {
  const bundle = { mainModule: 'worker.js', modules: { 'worker.js': { type: 'esm' as const, contents: WORKER } } };
  const env = { OUTSIDE: `http://127.0.0.1:${(outside.address() as AddressInfo).port}` };
  const platform = await openPlatform({ bundle, env, log: (line) => logs.push(line), ...limits });
  platforms.push(platform);
  return platform;
}
const jsonOf = async (answer: Promise<Response>) => (await answer).json();

beforeAll(() => new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve)));
afterAll(async () => {
  await Promise.all(platforms.map((platform) => platform.close()));
  outside.closeAllConnections();
  outside.close();
});

describe('in one isolate', () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await openWith({ subrequests: 9, connections: 6, clock: 'frozen' });
  });

  test('subrequests: the first above the limit throws, those behind the answer count, each invocation has its own', async () => {
    for (let i = 0; i < 2; i++) expect(await jsonOf(platform.fetch('/subrequests'))).toEqual(Array(9).fill('answered'));
    await expect(platform.tick()).rejects.toThrow('Too many subrequests.');
    await eventually('all are over', () => platform.invocations.length === 3);
    expect(platform.invocations.map(({ what, subrequests, refused }) => [what, subrequests, refused])).toEqual([
      ['GET /subrequests', 10, 1],
      ['GET /subrequests', 10, 1],
      ['tick', 10, 1],
    ]);
  });

  test('connections: the seventh waits until headers of one have come; who is aborted leaves the queue', async () => {
    const ends = platform.fetch('/connections').then((answered) => answered.json());
    await eventually('the seventh gives up', () => logs.includes('the seventh gave up'));
    await eventually('six wait', () => held.size === 6);
    expect([...held.keys()].toSorted()).toEqual(['0', '1', '2', '3', '4', '5']);
    answer('3');
    await eventually('the last has its turn', () => held.has('7'));
    for (const name of held.keys()) answer(name);
    expect(await ends).toEqual(Array.from({ length: 8 }, (_, i) => (i === 6 ? 'TimeoutError' : 'answered')));
    expect([seen.includes('/hold/6'), held.size]).toEqual([false, 0]);
    await eventually('it is over', () => platform.invocations.at(-1)?.what === 'GET /connections');
    expect(platform.invocations.at(-1)?.queued).toBe(2);
  });

  test('clock: it stands still while code runs, and goes on with a timer, an answer and a body', async () => {
    const shown = (await jsonOf(platform.fetch('/clock'))) as number[][];
    const steps = shown.slice(1).map((clocks, i) => clocks.map((ms, clock) => ms > (shown[i]?.[clock] as number)));
    const still = [false, false, false];
    const goesOn = [true, true, true];
    expect(steps).toEqual([still, goesOn, still, goesOn, still, goesOn]);
  });

  test('the caller leaves: all of it ends', async () => {
    const caller = new AbortController();
    const left = platform.fetch('/left', { signal: caller.signal });
    await eventually('it has begun', () => held.has('alone'));
    caller.abort();
    await expect(left).rejects.toThrow('socket hang up');
    await eventually('its fetch is cut off', () => gone.includes('alone'));
  });

  test('the caller leaves: what is behind waitUntil goes on, and the rest as long', async () => {
    const caller = new AbortController();
    const left = platform.fetch('/leftBehind', { signal: caller.signal });
    await eventually('it has begun', () => held.has('rest') && held.has('behind'));
    caller.abort();
    await expect(left).rejects.toThrow('socket hang up');
    answer('rest');
    await eventually('the rest goes on', () => held.has('more'));
    answer('behind');
    await eventually('the rest ends with what is behind', () => gone.includes('more'));
    expect(gone).not.toContain('behind');
  });
});

test('isolates: a new one for each tick, or for each request', async () => {
  const servedWith = async (isolates: 'tick' | 'request') => {
    const platform = await openWith({ isolates, subrequests: 1 });
    const answers = [await jsonOf(platform.fetch('/served')), await jsonOf(platform.fetch('/served'))];
    seen.length = 0;
    for (let i = 0; i < 2; i++) await expect(platform.tick()).rejects.toThrow();
    return [...answers, ...seen];
  };
  expect(await servedWith('tick')).toEqual([1, 2, '/1', '/1']);
  expect(await servedWith('request')).toEqual([1, 1, '/1', '/1']);
});

test('CPU: who spins is killed, with what is behind the answer; who waits is not, nor the next one', async () => {
  const platform = await openWith({ cpuMs: 100 });
  await expect(platform.fetch('/spin')).rejects.toThrow('socket hang up');
  expect(await jsonOf(platform.fetch('/spinBehind'))).toBe(null);
  expect(await jsonOf(platform.fetch('/wait'))).toBe(null);
  expect(platform.killed()).toBe(2);
  expect(platform.invocations.map(({ what }) => what)).toEqual(['GET /wait']);
  expect(platform.invocations[0]?.cpuMs).toBeLessThan(100);
});
