// What operators look for on single pages: where a message goes, its exact bytes, its failures, its lease; zones; what is closed.
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Redis } from '@upstash/redis';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { browserPresent, faultsOf, openBrowser, unrouted } from '../support/browser.ts';
import { faultsSeen, signedIn } from '../support/dashboard.ts';
import { deploy } from '../support/worker.ts';

const SECRET = 'known';
const deployed = deploy({ env: { GITHUB_WEBHOOK_SECRET: SECRET } });
const closed = deploy();
const browser = openBrowser();

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await deployed().call(path, { method, ...(body === undefined ? {} : { body }) });
  return (await answer.json()) as T;
}

async function enqueue(message: object): Promise<string> {
  const messages = [{ queue: 'reports', body: 1, ...message }];
  const { messages: receipts } = await api<{ messages: { id: string }[] }>('POST', '/v1/messages', { messages });
  return (receipts[0] as { id: string }).id;
}

/** The messages that a webhook with exactly these bytes became. */
async function webhook(bytes: Uint8Array, type: string): Promise<string> {
  const answer = await fetch(`${deployed().worker.url}/hooks/github`, {
    method: 'POST',
    body: bytes.slice(),
    headers: {
      'content-type': type,
      'x-github-event': 'push',
      'x-github-delivery': createHmac('sha256', type).update(bytes).digest('hex').slice(0, 20),
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(bytes).digest('hex')}`,
    },
  });
  return (answer.headers.get('sluice-messages') ?? '').replace('github.activity/', '');
}

interface Received {
  lease: string;
  messages: { id: string }[];
}
const receive = () => api<Received>('POST', '/v1/receive', { queues: ['reports'], max: 10, visibility: '10m' });

describe.skipIf(!browserPresent)('details', () => {
  let page: Page;
  let faults: string[];
  beforeAll(async () => {
    for (const queue of ['github.activity', 'webhook.out']) await api('POST', `/v1/queues/${queue}/pause`);
    page = await signedIn(browser(), deployed().worker.url, deployed().stack.token, { timezoneId: 'Asia/Tokyo' });
    faults = faultsOf(page);
  }, 60_000);

  /** In both themes, wide and on a phone. */
  async function looksWell(seen: Page): Promise<void> {
    for (const [colorScheme, width] of [
      ['dark', 390],
      ['light', 1_440],
    ] as const) {
      await seen.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await seen.setViewportSize({ width, height: 900 });
      expect([colorScheme, ...(await faultsSeen(seen))]).toEqual([colorScheme]);
    }
  }

  const open = (hash: string) => page.goto(`${deployed().worker.url}/#/${hash}`);
  const sees = (text: string) => page.waitForSelector(`main :text("${text}")`);
  const fact = (name: string) => page.locator(`.facts div:has(dt:text-is("${name}")) dd`).innerText();

  test('a message that cannot be read says so, on its page and in the list of its queue', async () => {
    const [before, odd, behind] = [
      await enqueue({ body: 'before' }),
      await enqueue({ body: 'odd' }),
      await enqueue({ body: 'behind' }),
    ];
    const { url, token } = deployed().stack.emulator;
    const redis = new Redis({ url, token, automaticDeserialization: false });
    const [key = ''] = await redis.keys(`*m:${odd}`);
    const envelope = (await redis.get<string>(key)) ?? '';
    await redis.set(key, envelope.replace(/\n.*$/s, `\n{"body":${'['.repeat(5_100)}${']'.repeat(5_100)}}`));
    await open(`messages/${odd}`);
    await sees('cannot be read');
    await open('queues/reports');
    await page.waitForSelector('tbody :text("cannot be read")'); // the page before says so too
    const list = await page.innerText('main');
    for (const text of [before, odd, behind, '"before"', '"behind"']) expect(list).toContain(text);
    for (const id of [before, odd, behind]) await api('DELETE', `/v1/messages/${id}`);
  });

  test('a message shows where it goes and how, and no header of its destination', async () => {
    const headers = { authorization: 'Bearer hidden-away' };
    const destination = { url: 'http://127.0.0.1:9/partners/initech', method: 'PUT', headers };
    const id = await enqueue({ queue: 'webhook.out', destination });
    await open(`messages/${id}`);
    await sees('/partners/initech');
    expect(await fact('Destination')).toBe(`PUT ${destination.url}`);
    expect(await page.innerText('main')).not.toContain('hidden-away');
    const plain = await enqueue({ queue: 'webhook.out', destination: destination.url });
    await open(`messages/${plain}`);
    await sees(plain);
    await page.waitForSelector('.facts');
    expect(await fact('Destination')).toBe(`POST ${destination.url}`);
  });

  test.each([
    ['text', '{"a" :  1.0}\n', 'application/json; charset=utf-8'],
    ['what is not text', new Uint8Array([0x7b, 0xff, 0xfe, 0x00, 0x7d]), 'application/octet-stream'],
  ])('the exact bytes of a webhook are shown, or saved: %s', async (_, sent, type) => {
    const bytes = typeof sent === 'string' ? new TextEncoder().encode(sent) : sent;
    const id = await webhook(bytes, type);
    await open(`messages/${id}`);
    await sees(id); // the page before may be of another raw body
    await sees('Raw body');
    const section = page.locator('section:has(h2:text-is("Raw body"))');
    expect(await section.innerText()).toContain(`${type}, ${bytes.length} bytes`);
    if (typeof sent === 'string') expect(await section.locator('pre').textContent()).toBe(sent);
    else expect(await section.locator('pre').count()).toBe(0);
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      section.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(new Uint8Array(await readFile(await saved.path()))).toEqual(new Uint8Array(bytes));
    await looksWell(page);
  });

  test('of seven attempts the last five are kept, and the page says so', async () => {
    const id = await enqueue({ maxAttempts: 9 });
    const fail = async () => {
      const { lease, messages } = await receive();
      const settle = messages.map((message) => ({ id: message.id, outcome: 'retry', error: 'no luck', delay: 0 }));
      await api('POST', `/v1/leases/${lease}/settle`, { settle });
    };
    for (let attempt = 1; attempt <= 5; attempt++) await fail();
    await open(`messages/${id}`);
    await sees('Attempt 5');
    expect(await page.innerText('main')).not.toContain('no longer kept');
    await fail();
    await sees('Attempt 1 is no longer kept: only the last five failures are.');
    await fail();
    await sees('Attempts 1 to 2 are no longer kept');
    await api('DELETE', `/v1/messages/${id}`);
  });

  test('the stack of a failure is folded away under its text', async () => {
    const id = await enqueue({ delay: '1h' });
    const failure = {
      attempt: 1,
      at: Date.now(),
      kind: 'failed',
      text: 'TypeError: no such thing',
      stack: 'at a (a.ts:1)',
    };
    await page.route(`**/v1/messages/${id}`, async (route) => {
      const message = (await (await route.fetch()).json()) as object;
      await route.fulfill({ json: { ...message, failures: [failure] } });
    });
    await open(`messages/${id}`);
    await sees('TypeError: no such thing');
    expect(await page.isVisible('text=at a (a.ts:1)')).toBe(false);
    await page.click('summary:text("Stack")');
    expect(await page.isVisible('text=at a (a.ts:1)')).toBe(true);
    await looksWell(page);
    await unrouted(page);
    await api('DELETE', `/v1/messages/${id}`);
  });

  test('a lease leads to what it holds, and such a message tells when its lease ends', async () => {
    const id = await enqueue({});
    await receive();
    await open('work');
    await page.click('a:text-is("reports (1)")');
    await page.click(`a:text-is("${id}")`);
    await page.waitForSelector('.badge.leased');
    await page.waitForSelector('.facts dt:text-is("Lease ends")');
    expect(await fact('Lease ends')).toMatch(/ GMT\+9, in (10|9) min/);
    await api('DELETE', `/v1/messages/${id}`);
  });

  test("a schedule's times are in its own zone, with its name, and in how long", async () => {
    const daily = { queue: 'reports', body: 1, cron: '15 2 * * *', tz: 'America/New_York' };
    await api('PUT', '/v1/schedules/daily', daily);
    await api('PUT', '/v1/schedules/often', { queue: 'reports', body: 1, every: '6h' });
    await open('schedules');
    await sees('15 2 * * * (America/New_York)');
    const times = (id: string) => page.locator(`section:has(h2:text("${id}")) dd`).allInnerTexts();
    const [next = '', ...later] = await times('daily');
    expect(next).toMatch(/^\d+ \w{3} \d{4}, 02:15:00 GMT-[45] in (\d+ h|\d+ min|\d+ s)/);
    for (const time of later) expect(time).toMatch(/, 02:15:00 GMT-[45] in /);
    for (const time of await times('often')) expect(time).toMatch(/ GMT\+9 in /);
    await looksWell(page);
  });

  test('a closed source says so, and what to do', async () => {
    const other = await signedIn(browser(), closed().worker.url, closed().stack.token);
    await other.goto(`${closed().worker.url}/#/sources`);
    const row = other.locator('tr:has(th:has-text("github"))');
    await row.locator('.badge:text-is("closed")').waitFor();
    expect(await row.innerText()).toContain('GITHUB_WEBHOOK_SECRET');
    expect(await row.innerText()).toContain('npx wrangler secret put');
    await looksWell(other);
    await open('sources');
    await sees('github');
    expect(await page.locator('.badge:text-is("closed")').count()).toBe(0);
    await other.context().close();
  });

  test('the overview names what needs attention, with links', async () => {
    const id = await enqueue({});
    const { lease } = await receive();
    await api('POST', `/v1/leases/${lease}/settle`, { settle: [{ id, outcome: 'dead', error: 'no luck' }] });
    await open('');
    const links = page.locator('.attention a');
    for (const loaded of ['1 dead letter', 'No sweep has run yet']) // each by a request of its own
      await page.waitForSelector(`.attention :text("${loaded}")`);
    expect(await links.allInnerTexts()).toEqual(['No sweep has run yet', '2 queues paused', '1 dead letter']);
    await looksWell(page);
    await deployed().worker.tick();
    await page.waitForSelector('.attention :text("No sweep")', { state: 'detached' });
    await api('POST', '/v1/queues/reports/purge', { states: ['dead'] });
    for (const queue of ['github.activity', 'webhook.out']) {
      await api('POST', `/v1/queues/${queue}/purge`, {});
      await api('POST', `/v1/queues/${queue}/resume`);
    }
    await page.waitForSelector('.attention', { state: 'detached' });
  });

  test('no script failed, and nothing had to be stopped by the policy', () => expect(faults).toEqual([]));
});
