// Figures through the deployed bundle: /v1/stats, /metrics and the store say the same after a known load.
import { spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import type { StatsReport } from '../../src/stats/stats.ts';
import { AT_MOST } from '../support/shell.ts';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = JSON.stringify([
  { name: 'all', sha256: sha256('all'), scopes: ['enqueue', 'receive', 'admin'] },
  { name: 'reporter', sha256: sha256('reporter'), scopes: ['admin'], queues: ['reports'] },
]);
const deployed = deploy({
  env: {
    SLUICE_TOKENS: TOKENS,
    GITHUB_WEBHOOK_SECRET: 'known',
    WEBHOOK_OUT_SECRETS: `whsec_${Buffer.from('a secret that nobody knows').toString('base64')}`,
    SLUICE_DESTINATION_LOCAL: 'true',
  },
});

const call = async <T>(method: string, path: string, body?: unknown, token = 'all') => {
  const answer = await deployed().call(path, { method, token, ...(body === undefined ? {} : { body }) });
  return (await answer.json()) as T;
};
const stats = (query = '', token = 'all') => call<StatsReport>('GET', `/v1/stats${query}`, undefined, token);
const enqueue = (queue: string, count: number, options: object = {}) =>
  call('POST', '/v1/messages', { messages: Array.from({ length: count }, () => ({ queue, body: 1, ...options })) });

async function scrape(token = 'all'): Promise<{ text: string; type: string | null }> {
  const answer = await deployed().call('/metrics', { method: 'GET', token });
  return { text: await answer.text(), type: answer.headers.get('content-type') };
}

/** Name and labels to value. @throws Error at a line that is neither a sample nor a comment on the family it belongs to */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, kind, name] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? [];
    if (kind === 'HELP') family = name ?? '';
    const [, of, sample, value] = /^((\w+)(?:\{(?:\w+="[^"\\\n]*",?)+\})?) (\S+)$/.exec(line) ?? [];
    if (kind ? name !== family : !of || !sample?.startsWith(family) || samples.has(of)) throw new Error(line);
    if (of) samples.set(of, Number(value));
  }
  return samples;
}

const WORKED = 5;

beforeAll(async () => {
  await enqueue('github.review', WORKED);
  await enqueue('reports', 4);
  const { lease, messages } = await call<{ lease: string; messages: { id: string }[] }>('POST', '/v1/receive', {
    queues: ['reports'],
    max: 4,
  });
  const outcomes = ['ack', 'ack', 'retry', 'dead'];
  const settle = messages.map(({ id }, i) => ({ id, outcome: outcomes[i], ...(i === 2 ? { delay: '1h' } : {}) }));
  await call('POST', `/v1/leases/${lease}/settle`, { settle });
  await enqueue('reports', 2);
  await enqueue('reports', 1, { delay: '1h' });
  await eventually('the handlers have done', async () => (await stats()).total.acked === WORKED + 2);
}, 30_000);

describe('after a known load', () => {
  test('the stats of each queue, and of all, are what happened', async () => {
    const none = { p50: null, p95: null, p99: null };
    const outcomes = { acked: 2, retried: 1, dead: 1, released: 0, leaseExpired: 0, discarded: 0 };
    const { total, points, now, stepMs } = await stats('?queue=reports');
    expect(total).toEqual({ ...outcomes, waitMs: none, runMs: none });
    expect([points.length, stepMs, points.at(-1)?.at]).toEqual([60, 60_000, now - (now % 60_000)]);
    expect((await stats('?queue=reports&range=24h')).total).toEqual(total);
    expect((await stats('?range=24h')).points).toHaveLength(144);
    const { total: all } = await stats();
    expect(all).toMatchObject({ ...outcomes, acked: WORKED + 2 });
    expect(all.waitMs.p50).toBeGreaterThanOrEqual(0);
    expect(all.runMs.p99).toBeGreaterThanOrEqual(all.runMs.p50 ?? Number.NaN);
  });

  test('the list of queues has what became of messages lately, where it is asked for, for one request more', async () => {
    const { emulator } = deployed().stack;
    const listed = async (query: string) => {
      const before = emulator.requests();
      const { queues } = await call<{ queues: { queue: string; recent?: object }[] }>('GET', `/v1/queues${query}`);
      return { requests: emulator.requests() - before, queues };
    };
    await eventually('it is one request more, beside those of drains', async () => {
      const { requests } = await listed('?recent=true');
      return requests - (await listed('')).requests === 1;
    });
    const without = await listed('');
    const { queues } = await listed('?recent=true');
    expect(without.queues.some(({ recent }) => recent)).toBe(false);
    const none = { p50: null, p95: null, p99: null };
    for (const { recent } of queues)
      expect(recent).toMatchObject({ acked: expect.any(Number) as number, waitMs: expect.any(Object) as object });
    const idle = {
      acked: 0,
      retried: 0,
      dead: 0,
      released: 0,
      leaseExpired: 0,
      discarded: 0,
      waitMs: none,
      runMs: none,
    };
    expect(queues.find(({ queue }) => queue === 'monitor.alert')?.recent).toEqual(idle);
  });

  test('a token for some queues sees the sum of those', async () => {
    expect((await stats('', 'reporter')).total).toMatchObject({ acked: 2, dead: 1 });
    const names = [...parse((await scrape('reporter')).text).keys()];
    expect(names.filter((name) => name.includes('queue=') && !name.includes('queue="reports"'))).toEqual([]);
  });

  test('the metrics are the numbers of the stats and of the store, also after they were rolled up', async () => {
    for (const _ of ['rolled up or not', 'after a tick']) {
      const samples = parse((await scrape()).text);
      const queue = await call<Record<string, number>>('GET', '/v1/queues/reports');
      const { total } = await stats('?queue=reports');
      const messages = (state: string) => samples.get(`sluice_queue_messages{queue="reports",state="${state}"}`);
      expect([messages('ready'), messages('delayed'), messages('leased'), messages('dead')]).toEqual([2, 2, 0, 1]);
      expect([messages('delayed'), messages('leased'), messages('dead')]).toEqual([
        queue.delayed,
        queue.leased,
        queue.dead,
      ]);
      for (const outcome of ['acked', 'retried', 'dead', 'released', 'leaseExpired', 'discarded'] as const)
        expect(samples.get(`sluice_deliveries_total{queue="reports",outcome="${outcome}"}`)).toBe(total[outcome]);
      expect(samples.get('sluice_deliveries_total{queue="github.review",outcome="acked"}')).toBe(WORKED);
      await deployed().worker.tick();
    }
    expect((await stats()).lastSweepAt).toBeGreaterThan(0);
  });

  test('the histograms are whole: buckets only grow, and end in the count of what handlers did', async () => {
    const samples = parse((await scrape()).text);
    for (const name of ['sluice_delivery_wait_seconds', 'sluice_delivery_duration_seconds']) {
      const buckets = [...samples].filter(([sample]) => sample.startsWith(`${name}_bucket{queue="github.review"`));
      const counts = buckets.map(([, count]) => count);
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      expect([buckets.at(-1)?.[0], counts.at(-1)]).toEqual([`${name}_bucket{queue="github.review",le="+Inf"}`, WORKED]);
      expect(samples.get(`${name}_count{queue="github.review"}`)).toBe(WORKED);
      expect(samples.get(`${name}_sum{queue="github.review"}`)).toBeGreaterThanOrEqual(0);
    }
  });

  test('a queue with something ready tells how old its oldest is', async () => {
    const age = 'sluice_queue_oldest_ready_age_seconds{queue="reports"}';
    const before = parse((await scrape()).text).get(age) ?? Number.NaN;
    await eventually('it grows', async () => (parse((await scrape()).text).get(age) ?? 0) > before);
  });

  test('a scrape is five requests to Redis, however many queues there are', async () => {
    const { emulator } = deployed().stack;
    const before = emulator.requests();
    await scrape();
    expect(emulator.requests() - before).toBe(5); // names, queues, figures, destinations, sources
  });

  test('webhooks are counted by what became of them, for tokens that may see all', async () => {
    const body = '{"zen":"x"}';
    const headers = (secret: string) => ({
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': 'once',
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    });
    for (const secret of ['known', 'known', 'forged'])
      await deployed().call('/hooks/github', { raw: body, headers: headers(secret), token: null });
    const samples = parse((await scrape()).text);
    const counted = (outcome: string) => samples.get(`sluice_webhooks_total{source="github",outcome="${outcome}"}`);
    expect(['accepted', 'duplicates', 'ignored', 'rejected_signature', 'rejected_closed'].map(counted)).toEqual([
      1, 1, 0, 1, 0,
    ]);
    expect((await scrape('reporter')).text).not.toContain('source=');
  });

  test('a destination that fails shows, by the state of its breaker', async () => {
    const down = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => down.once('listening', resolve));
    const url = `http://127.0.0.1:${(down.address() as AddressInfo).port}/`;
    await enqueue('webhook.out', 5, { destination: url });
    const failing = async (...states: string[]) => {
      const samples = parse((await scrape()).text);
      const counts = states.map((state) => samples.get(`sluice_destinations{queue="webhook.out",state="${state}"}`));
      return counts.reduce<number>((sum, count) => sum + (count ?? Number.NaN), 0);
    };
    await eventually('it is left alone, or tried', async () => (await failing('open', 'probing')) === 1);
    expect(await failing('open', 'probing', 'closed')).toBe(1);
    down.close();
  });

  test('Prometheus takes the metrics: its own linter finds nothing', async () => {
    const { text, type } = await scrape();
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    const linted = spawnSync('promtool', ['check', 'metrics'], { ...AT_MOST, input: text, encoding: 'utf8' });
    if (linted.error) return console.warn('skipped: the lint of /metrics: no promtool on the PATH');
    expect([linted.stdout, linted.stderr, linted.status]).toEqual(['', '', 0]);
  });
});
