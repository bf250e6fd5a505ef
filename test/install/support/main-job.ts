// The main job, which every platform has to do: what is enqueued is handled, now, later and by cron, and bad requests end nothing.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { createSluice, defineQueue } from 'sluice';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from '../../support/worker.ts';
import type { Server } from './process.ts';

/** Long enough, as what follows. */
const TOKEN = 'token-of-the-install-tests-and-of-nobody-else';
const CRON_SECRET = 'secret-of-the-platform-and-of-its-cron-alone';

/** An application that runs. */
export interface Site {
  /** Where the routes of Sluice are. */
  url: string;
  server: Server;
  /** What the platform does each minute. Left out: somebody calls `POST /v1/drain`. */
  cron?: () => Promise<Response>;
}

export type Settings = Record<string, string>;

/** An installation or a build may come first. */
const START_MS = 300_000;

/** Tests an application. @param start makes and starts it with these settings in its environment */
export function testMainJob(start: (settings: Settings) => Promise<Site>): () => Site {
  const { redis } = inject('installRun');
  const settings = {
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    SLUICE_PREFIX: randomUUID(),
    SLUICE_TOKEN: TOKEN,
    CRON_SECRET,
    GITHUB_SECRET: 'a-secret-of-github',
  };
  let site: Site;
  beforeAll(async () => {
    site = await start(settings);
  }, START_MS);
  afterAll(() => site?.server.stop());

  const call = (path: string, body?: unknown, headers = {}) => ask(`${site.url}${path}`, body, headers);
  const cron = async () => {
    const answer = await (site.cron?.() ?? call('/v1/drain', {}));
    expect(answer.ok, `cron: ${answer.status}\n${site.server.printed()}`).toBe(true);
    await answer.body?.cancel();
  };

  async function enqueue(message: object): Promise<string> {
    const answer = await call('/v1/queues/mail/messages', message);
    expect(answer.status, site.server.printed()).toBe(202);
    return ((await answer.json()) as { id: string }).id;
  }

  async function resultOf(id: string): Promise<{ to: string; handledAt: number }> {
    let message: { state?: string; result?: unknown } = {};
    await eventually(`message ${id} is done`, async () => {
      message = (await (await call(`/v1/messages/${id}`)).json()) as typeof message;
      return message.state === 'done';
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(message)}\n${site.server.printed()}`);
    });
    return message.result as { to: string; handledAt: number };
  }

  async function expectAlive(): Promise<void> {
    expect((await fetch(`${site.url}/health`)).status).toBe(200);
    expect(site.server.isAlive(), site.server.printed()).toBe(true);
  }

  test('what is enqueued is accepted, and handled', async () => {
    const id = await enqueue({ body: { to: 'ada' } });
    expect(await resultOf(id)).toMatchObject({ to: 'ada' });
  });

  test('what is delayed by a second is handled then', async () => {
    const sentAt = Date.now();
    const id = await enqueue({ body: { to: 'bob' }, delay: '1s' });
    await wait(1_000); // due now: whoever does not wait for it gets it with the next tick
    await cron();
    expect((await resultOf(id)).handledAt - sentAt).toBeGreaterThanOrEqual(1_000);
  });

  test('cron handles what nobody woke a drain for, and knows the schedules', async () => {
    const { id } = await enqueueElsewhere(settings);
    await cron();
    expect(await resultOf(id)).toMatchObject({ to: 'grace' });
    const { schedules } = (await (await call('/v1/schedules')).json()) as { schedules: unknown[] };
    expect(schedules).toMatchObject([{ id: 'yearly' }]);
  });

  test('a sweep is done when it is asked for', async () => {
    const answer = await call('/v1/sweep', {});
    expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ repaired: 0 })]);
  });

  test('a bad message is refused, and the process goes on', async () => {
    expect((await call('/v1/queues/mail/messages', { body: { to: 'eve' }, priority: 99 })).status).toBe(422);
    await expectAlive();
  });

  test('a forged webhook is refused, and the process goes on', async () => {
    const forged = { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}`, 'x-github-delivery': '1' };
    expect((await call('/hooks/github', {}, forged)).status).toBe(401);
    await expectAlive();
  });

  test('in the end nothing waits and nothing is leased', async () => {
    const answer = await call('/v1/queues');
    expect(await answer.json()).toMatchObject({ queues: [{ queue: 'mail', ready: {}, leased: 0, dead: 0 }] });
  });

  return () => site;
}

function ask(url: string, body: unknown, headers: object): Promise<Response> {
  const init = { headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers } };
  return fetch(url, body === undefined ? init : { ...init, method: 'POST', body: JSON.stringify(body) });
}

/** From a program on the same Redis: it wakes nobody. */
async function enqueueElsewhere(settings: Settings): Promise<{ id: string }> {
  const mail = defineQueue('mail', { kind: 'push', resultTtl: '10m' });
  const elsewhere = createSluice<Settings>({ queues: [mail] });
  return elsewhere.producer(settings).enqueue(mail, { to: 'grace' });
}
