// The dashboard of a large deployment, a hundred thousand dead letters and a thousand queues: each page is a bounded part of it.
import { Redis } from 'ioredis';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildBundle } from '../../src/dev/bundle.ts';
import { browserPresent, openBrowser } from '../support/browser.ts';
import { redisServerPresent, startRedisServer } from '../support/redis-server.ts';
import { deploy } from '../support/worker.ts';

const LETTERS = 100_000;
const QUEUES = 1_000;
const possible = browserPresent && redisServerPresent();
if (!possible) console.warn('skipped: the dashboard of a large deployment: it needs a browser and a redis-server');

describe.skipIf(!possible)('with 100,000 dead letters and 1,000 queues', async () => {
  if (!possible) return;
  const server = await startRedisServer();
  const deployed = deploy({ redis: server.url, bundle: await buildBundle('test/support/thousand-queues.ts') });
  const browser = openBrowser();
  const shown: string[] = [];
  let page: Page;

  beforeAll(async () => {
    await bury(server.url);
    const names = Array.from({ length: QUEUES }, (_, i) => `queue.${String(i).padStart(4, '0')}`);
    await deployed().call('/v1/messages', { body: { messages: names.map((queue) => ({ queue, body: 1 })) } });
    page = await browser().newPage();
    await page.goto(deployed().worker.url);
    await page.fill('#token', deployed().stack.token);
    await page.click('button[type=submit]');
    await page.waitForSelector('h1:has-text("Overview")');
  }, 60_000);
  afterAll(async () => {
    console.log(shown.join('\n'));
    await server.stop();
  });

  const PAGES: [hash: string, shows: string, most: number][] = [
    ['#/', 'b:text-is("100,000")', 0],
    ['#/queues', 'th:has-text("queue.0049")', 50],
    ['#/queues/reports?state=dead', 'b:text-is("100,000")', 50],
    ['#/dead', 'li:has-text("100,000")', 0],
    ['#/dead/reports', 'tbody tr:nth-child(50)', 50],
    ['#/dead/reports?by=cause', ':text("the newest 1,000")', 0],
    ['#/work', ':text("Nobody holds messages")', 0],
  ];

  test.each(PAGES)('%s shows what it should, and no more than a page', async (hash, shows, most) => {
    await page.goto(`${deployed().worker.url}/#/health`);
    await page.waitForSelector('h1:text-is("Health")');
    const start = performance.now();
    await page.evaluate(`location.hash = '${hash}'`);
    await page.waitForSelector(`main ${shows}`);
    shown.push(`${hash}: ${Math.round(performance.now() - start)} ms`);
    expect(await page.locator('tbody tr').count()).toBeLessThanOrEqual(most);
    expect(await page.locator('main *').count()).toBeLessThan(1_500);
  });

  test('all queues come page by page, each once', async () => {
    const names: string[] = [];
    let cursor: string | undefined = '';
    let calls = 0;
    for (; cursor !== undefined; calls++) {
      const answer = await deployed().call(`/v1/queues?limit=300&cursor=${cursor}`, { method: 'GET' });
      const body = (await answer.json()) as {
        queues: { queue: string; ready: object; complete: boolean }[];
        cursor?: string;
      };
      for (const { queue, ready } of body.queues.filter(({ queue }) => queue !== 'reports')) {
        names.push(queue);
        expect(ready).toEqual({ 5: 1 });
      }
      cursor = body.cursor;
    }
    expect([new Set(names).size, names.length, calls]).toEqual([QUEUES, QUEUES, 4]);
  });
});

/** Dead letters straight into the store, as it keeps them. */
async function bury(url: string): Promise<void> {
  const redis = new Redis(url);
  const now = Date.now();
  for (let from = 0; from < LETTERS; from += 2_000) {
    const ids = Array.from({ length: 2_000 }, (_, i) => `letter${from + i}`);
    await Promise.all([
      redis.mset(
        ids.flatMap((id, i) => [`{sluice}:m:${id}`, `5:reports reports 5 ${now} 0\n{"body":{"n":${i}},"headers":{}}`]),
      ),
      redis.zadd('{sluice}:dead:reports', ...ids.flatMap((id, i) => [now - LETTERS + from + i, `5.${id}`])),
      redis.mset(
        ids.flatMap((id, i) => [
          `{sluice}:failures:${id}`,
          `5 ${now} failed no customer ${i % 7 === 0 ? 'at all' : i}`,
        ]),
      ),
    ]);
  }
  redis.disconnect();
}
