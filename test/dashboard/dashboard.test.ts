// The dashboard in a real browser on the deployed bundle: who gets in, what each page shows, and what each action does to the store.
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openShard } from '../../src/redis/shard.ts';
import { openStore } from '../../src/store/store.ts';
import { browserPresent, faultsOf, openBrowser, unrouted } from '../support/browser.ts';
import { faultsSeen } from '../support/dashboard.ts';
import { deploy, eventually } from '../support/worker.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const TOKENS = [
  { name: 'operator', sha256: sha256('operator'), scopes: ['enqueue', 'receive', 'admin'] },
  { name: 'producer', sha256: sha256('producer'), scopes: ['enqueue'] },
];
const deployed = deploy({
  env: {
    SLUICE_TOKENS: JSON.stringify(TOKENS),
    SLUICE_DRAIN_MS: '1000',
    GITHUB_WEBHOOK_SECRET: 'known',
    WEBHOOK_OUT_SECRETS: `whsec_${Buffer.from('a secret that nobody knows').toString('base64')}`,
  },
});
const browser = openBrowser();

const url = (path = '') => `${deployed().worker.url}/${path}`;

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await deployed().call(path, { method, token: 'operator', ...(body === undefined ? {} : { body }) });
  return (await answer.json()) as T;
}

async function enqueue(messages: object[]): Promise<string[]> {
  const sent = messages.map((message) => ({ queue: 'reports', ...message }));
  const receipts = await api<{ messages: { id: string }[] }>('POST', '/v1/messages', { messages: sent });
  return receipts.messages.map(({ id }) => id);
}

async function receive(max: number) {
  const body = { queues: ['reports'], max, visibility: '10m' };
  return api<{ lease: string; messages: { id: string }[] }>('POST', '/v1/receive', body);
}

/** Messages of `reports` that died of this, and are there to be looked at. */
async function die(bodies: unknown[], error: (i: number) => string): Promise<string[]> {
  await enqueue(bodies.map((body) => ({ body, priority: 0 })));
  const { lease, messages } = await receive(bodies.length);
  const settle = messages.map(({ id }, i) => ({ id, outcome: 'dead', error: error(i) }));
  await api('POST', `/v1/leases/${lease}/settle`, { settle });
  return messages.map(({ id }) => id);
}

interface Counts {
  ready: Record<string, number>;
  delayed: number;
  leased: number;
  dead: number;
  paused: boolean;
}
const counts = () => api<Counts>('GET', '/v1/queues/reports');
const message = (id: string) => api<{ state?: string; code?: string }>('GET', `/v1/messages/${id}`);

async function signIn(page: Page, token = 'operator'): Promise<void> {
  await page.fill('#token', token);
  await page.click('button[type=submit]');
}

/** A schedule, a ring, a webhook taken and a forged one, and a destination that fails until its breaker opens. */
async function populate(): Promise<void> {
  // Once in a month: the message that it made by itself would be counted with those of a test.
  const schedule = { queue: 'reports', body: 1, cron: '0 3 1 * *', tz: 'Europe/Berlin' };
  await api('PUT', '/v1/schedules/nightly', schedule);
  await api('PUT', '/v1/rings/crawlers/items', { items: ['first', 'second'] });
  await sendWebhook('known');
  await sendWebhook('forged');
  const down = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => down.once('listening', resolve));
  const destination = `http://127.0.0.1:${(down.address() as AddressInfo).port}/`;
  const messages = Array.from({ length: 5 }, () => ({ queue: 'webhook.out', body: 1, group: 'acme', destination }));
  await api('POST', '/v1/messages', { messages });
  await eventually('the breaker is open', async () => {
    const { destinations } = await api<{ destinations: { state: string }[] }>('GET', '/v1/destinations');
    return destinations.some(({ state }) => state !== 'closed');
  });
  await api('POST', '/v1/queues/webhook.out/pause');
  await eventually('only the breaker is left', async () => {
    await api('POST', '/v1/queues/webhook.out/purge', {});
    const { ready, delayed, leased } = await api<Counts>('GET', '/v1/queues/webhook.out');
    return Object.keys(ready).length + delayed + leased === 0;
  });
  down.close();
}

async function sendWebhook(secret: string): Promise<void> {
  const raw = '{"zen":"x"}';
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': 'once',
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(raw).digest('hex')}`,
  };
  await deployed().call('/hooks/github', { raw, headers, token: null });
}

describe.skipIf(!browserPresent)('the dashboard', () => {
  let page: Page;
  let faults: string[];
  beforeAll(async () => {
    await populate();
    const context = await browser().newContext({ viewport: { width: 1_280, height: 800 } });
    page = await context.newPage();
    faults = faultsOf(page);
    await page.goto(url());
    await signIn(page);
    await page.waitForSelector('h1:has-text("Overview")');
  }, 60_000);
  beforeEach(async () => {
    await unrouted(page);
    await api('POST', '/v1/queues/reports/resume');
    await api('POST', '/v1/queues/reports/purge', { states: ['ready', 'delayed', 'dead'] });
  });

  const open = (hash: string) => page.goto(url(hash));
  const sees = (text: string) => page.waitForSelector(`main :text("${text}")`);
  const rows = (count: number) =>
    eventually(`there are ${count} rows`, async () => (await page.locator('tbody tr').count()) === count);
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  const figure = (state: string) => page.textContent(`[data-figure=${state}]`);
  const inDialog = (name: string) => page.getByRole('dialog').getByRole('button', { name }).click();

  describe('signing in', () => {
    test('a wrong token, and one that may not administer, are refused and say why', async () => {
      const context = await browser().newContext();
      const stranger = await context.newPage();
      await stranger.goto(url());
      await signIn(stranger, 'wrong');
      await stranger.waitForSelector('[role=alert]:text("does not know that token")');
      await signIn(stranger, 'producer');
      await stranger.waitForSelector('[role=alert]:text("may not administer")');
      expect(await context.cookies()).toEqual([]);
      await context.close();
    });

    test('the cookie is out of reach for scripts, for other sites, and lasts half a day', async () => {
      const [cookie] = await page.context().cookies();
      expect(cookie).toMatchObject({ name: 'sluice', httpOnly: true, sameSite: 'Strict', path: '/' });
      expect((cookie?.expires ?? 0) * 1_000 - Date.now()).toBeLessThanOrEqual(12 * 3_600_000);
      expect(await page.evaluate('document.cookie')).toBe('');
      expect(cookie?.value).not.toContain('operator');
    });

    test('a session that has ended leads back to the sign-in, and signing out ends one', async () => {
      const context = await browser().newContext();
      const other = await context.newPage();
      await other.goto(url());
      await signIn(other);
      await other.waitForSelector('h1:has-text("Overview")');
      const [cookie] = await context.cookies();
      await context.clearCookies();
      const expired = cookie?.value.replace(/^\d+/, `${Date.now() - 1}`) ?? '';
      await context.addCookies([{ name: 'sluice', value: expired, url: url() }]);
      await other.waitForSelector('#token');
      await signIn(other);
      await other.waitForSelector('h1:has-text("Overview")');
      await other.click('button:has-text("Sign out")');
      await other.waitForSelector('#token');
      expect(await context.cookies()).toEqual([]);
      await context.close();
    });

    test('a page of another site cannot use the session', async () => {
      await enqueue([{ body: 'stays' }]);
      const elsewhere = await page.context().newPage();
      await elsewhere.route('http://elsewhere.example/**', (route) =>
        route.fulfill({ contentType: 'text/html', body: '<h1>elsewhere</h1>' }),
      );
      await elsewhere.goto('http://elsewhere.example/');
      const target = url('v1/queues/reports/purge');
      await elsewhere.evaluate(`(async () => {
        const init = { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' };
        await fetch('${target}', init).catch(() => {});
        await fetch('${target}', { ...init, headers: { 'content-type': 'text/plain' } }).catch(() => {});
        const form = Object.assign(document.createElement('form'), { method: 'post', action: '${target}', enctype: 'text/plain' });
        form.append(Object.assign(document.createElement('input'), { name: '{"states":["ready"],"x":"', value: '"}' }));
        document.body.append(form);
        form.submit();
      })()`);
      await elsewhere.waitForURL(target);
      await elsewhere.close();
      expect((await counts()).ready).toEqual({ 4: 1 });
    });
  });

  describe('each page', () => {
    test('overview: figures, depth and plots, and it follows the store within 3 s', async () => {
      await die([1, 2, 3], () => 'no luck');
      const { total } = await api<{ total: { acked: number } }>('GET', '/v1/stats?range=1h');
      await open('#/');
      await page.waitForSelector(`[data-figure=acked]:text-is("${total.acked}")`);
      await page.waitForSelector('[data-figure=dead]:text-is("3")');
      await eventually('there are four plots', async () => (await page.locator('canvas').count()) === 4);
      await enqueue([{ body: 1 }, { body: 2 }]);
      await eventually('it follows', () => page.locator('[data-figure=ready]:text-is("2")').isVisible(), 3_000);
    });

    test('queues: each with its figures; pause, resume and purge change the store', async () => {
      await enqueue([{ body: 1 }, { body: 2, delay: '1h' }]);
      await open('#/queues');
      await sees('confirmation.email');
      await press('Pause reports');
      await page.waitForSelector('tr:has(a:text-is("reports")) .badge.paused'); // another queue is paused from the beginning
      expect((await counts()).paused).toBe(true);
      await press('Resume reports');
      await eventually('it is resumed', async () => !(await counts()).paused);
      await press('Purge reports');
      await inDialog('Keep it');
      expect((await counts()).delayed).toBe(1);
      await press('Purge reports');
      await inDialog('Purge');
      await page.waitForSelector('[role=status] :text("2 messages of reports are gone")');
      expect(await counts()).toMatchObject({ ready: {}, delayed: 0 });
    });

    test('queues: a part of the name finds them', async () => {
      await open('#/queues');
      await page.fill('#queue-name', 'github');
      await rows(3);
    });

    test('a queue: its priorities, its limits, and its messages in each state', async () => {
      const [ready = ''] = await enqueue([{ body: { n: 1 }, priority: 7, group: 'acme' }]);
      const [delayed = ''] = await enqueue([{ body: { n: 2 }, delay: '1h' }]);
      await open('#/queues/reports');
      await sees(ready);
      await sees('group acme');
      await page.click('a.tile:has-text("delayed")');
      await sees(delayed);
      expect(await figure('delayed')).toBe('1');
      const [leased = ''] = (await receive(1)).messages.map(({ id }) => id);
      await page.click('a.tile:has-text("leased")');
      await sees(leased);
      await api('DELETE', `/v1/messages/${leased}`);
    });

    test('a message: body as text, pretty or on one line, headers, attempts; cancel', async () => {
      const evil = { html: '<script>document.title = "owned"</script><img src=x onerror="document.title=1">' };
      const [id = ''] = await enqueue([{ body: evil, headers: { 'x-tenant': '<b>acme</b>' }, delay: '1h' }]);
      await open('#/');
      await page.fill('#message-id', id);
      await page.press('#message-id', 'Enter');
      await sees('<b>acme</b>');
      expect(JSON.parse((await page.textContent('pre')) ?? '')).toEqual(evil);
      await press('One line');
      expect(await page.textContent('pre')).toBe(JSON.stringify(evil));
      expect(await page.locator('main script, main img, main b:text("acme")').count()).toBe(0);
      expect(await page.title()).toBe('Sluice');
      await press('Cancel');
      await inDialog('Cancel');
      await sees('There is no such message');
      expect((await message(id)).code).toBe('unknown_message');
    });

    test('a dead message: why it died; redrive', async () => {
      const [id = ''] = await die([{ n: 1 }], () => 'no luck');
      await open(`#/messages/${id}`);
      await sees('no luck');
      await press('Redrive');
      await eventually('it is ready', async () => (await message(id)).state === 'ready');
      await page.waitForSelector('.badge.ready');
    });

    test('dead letters: selected ones are redriven, or deleted', async () => {
      const [first = '', second = '', third = ''] = await die([1, 2, 3], () => 'no luck');
      await open('#/dead');
      await page.click('main a:text-is("reports")');
      await page.check(`[aria-label="Select ${first}"]`);
      await press('Redrive selected');
      await page.waitForSelector('[role=status] :text("1 redriven")');
      expect((await message(first)).state).toBe('ready');
      await page.check(`[aria-label="Select ${second}"]`);
      await press('Delete selected');
      await inDialog('Delete');
      await page.waitForSelector('[role=status] :text("1 deleted")');
      expect([(await message(second)).code, (await message(third)).state]).toEqual(['unknown_message', 'dead']);
    });

    test('dead letters by cause: those that died of the same go together', async () => {
      await die([1, 2, 3, 4], (i) => (i === 3 ? 'quota used up' : `no customer ${i}1c`));
      await open('#/dead/reports?by=cause');
      await sees('3 ×');
      await page.locator('section:has-text("no customer")').getByRole('button', { name: 'Redrive these' }).click();
      await page.waitForSelector('[role=status] :text("3 redriven")');
      expect(await counts()).toMatchObject({ dead: 1, ready: { 0: 3 } });
    });

    test('at work: who holds messages until when', async () => {
      await enqueue([{ body: 1 }]);
      const { lease, messages } = await receive(1);
      await open('#/work');
      await sees(lease);
      await sees('a consumer');
      await press('Sweep now');
      await page.waitForSelector('[role=status] :text("Swept")');
      for (const { id } of messages) await api('DELETE', `/v1/messages/${id}`);
    });

    test('health: whether storage can be trusted, whether cron runs, and the audit', async () => {
      await deployed().worker.tick();
      await open('#/health');
      await sees('The last sweep was');
      await page.waitForSelector('.badge.ok:text("running")');
      await press('Audit now');
      await sees('Nothing is wrong');
    });

    test('a queue that left the code is shown, with what it holds, and is purged', async () => {
      const { emulator } = deployed().stack;
      const connection = { url: emulator.url, token: emulator.token, timeoutMs: 5_000 };
      const store = openStore(openShard({ connection, prefix: 'sluice' }));
      const messages = [1, 2].map((n) => ({
        lane: '5:left.the.code',
        pool: 'left.the.code',
        maxAttempts: 5,
        delayMs: 0,
        ttlMs: 0,
        json: JSON.stringify({ body: { n } }),
      }));
      await store.enqueue({ messages });
      await api('POST', '/v1/sweep');
      await open('#/queues'); // from where Health is loaded anew
      await sees('nobody gets what it holds');
      await open('#/health');
      await sees('left.the.code');
      await press('Audit now');
      await sees('unknown-queue');
      await sees('with 2 messages');
      await open('#/queues/left.the.code');
      await sees('not in the code of this deployment');
      await press('Purge left.the.code');
      await inDialog('Purge');
      await page.waitForSelector('[role=status] :text("2 messages of left.the.code are gone")');
      expect(await api('GET', '/v1/audit')).toEqual({ findings: [] });
    });

    test('schedules, rings, sources and destinations show what the store has of them', async () => {
      const shown: Record<string, string> = {
        '#/schedules': '0 3 1 * * (Europe/Berlin)',
        '#/rings': 'crawlers',
        '#/rings/crawlers': 'second',
        '#/sources': 'signature 1',
        '#/destinations': 'group acme',
      };
      for (const [hash, text] of Object.entries(shown)) {
        await open(hash);
        await sees(text);
      }
      await page.waitForSelector('.badge.breaker-open, .badge.breaker-probing');
    });

    test('a schedule is run, paused and resumed', async () => {
      const state = async () => (await api<{ state: string }>('GET', '/v1/schedules/nightly')).state;
      await open('#/schedules');
      await press('Run now nightly');
      await page.waitForSelector('[role=status] :text("nightly has been run")');
      expect((await counts()).ready).toEqual({ 4: 1 });
      await press('Pause nightly');
      await page.waitForSelector('[role=status] :text("nightly is paused")');
      expect(await state()).toBe('paused');
      await press('Resume nightly');
      await page.waitForSelector('[role=status] :text("nightly is resumed")');
      expect(await state()).toBe('active');
    });

    test('limits of a queue are set over its definition, and taken away', async () => {
      const overrides = async () => (await api<{ overrides: object }>('GET', '/v1/queues/reports')).overrides;
      await open('#/queues/reports');
      await press('Set limits');
      await page.fill('#at-once', '5');
      await page.fill('#rate-limit', '100');
      await press('Save limits');
      await sees('5, set by an operator');
      await sees('100 per 1 min, set by an operator');
      expect(await overrides()).toEqual({ concurrency: 5, rate: { limit: 100, perMs: 60_000 } });
      await press('Set limits');
      await page.fill('#rate-limit', '');
      await page.fill('#at-once', '');
      await press('Save limits');
      await eventually('none is set', async () => Object.keys(await overrides()).length === 0);
    });

    test('what the deployment does not have is said plainly, and so is a failure', async () => {
      const contentType = 'application/problem+json';
      const problem = (status: number, code: string) => {
        return { status, contentType, json: { code, title: 'The store is on fire' } };
      };
      await page.route('**/v1/schedules', (route) => route.fulfill(problem(404, 'not_found')));
      await page.route('**/v1/queues?*', (route) => route.fulfill(problem(503, 'storage_unreachable')));
      await open('#/schedules');
      await sees('Not in this deployment');
      await open('#/queues');
      await sees('The store is on fire');
      await unrouted(page);
      await press('Try again');
      await sees('confirmation.email');
      expect(await page.locator('[role=alert]').count()).toBe(0);
    });

    test('a hundred and twenty messages are three pages, to be turned both ways', async () => {
      await enqueue(Array.from({ length: 120 }, (_, i) => ({ body: i })));
      await open('#/queues/reports?state=ready');
      await rows(50);
      const first = (await page.textContent('tbody th a')) ?? '';
      await press('Next');
      await page.waitForSelector(`text=${first}`, { state: 'hidden' });
      await rows(50);
      await press('Next');
      await rows(20);
      await press('Previous');
      await press('Previous');
      await sees(first);
    });
  });

  describe('for everybody', () => {
    const PAGES = [
      ['', 'Overview'],
      ['queues', 'Queues'],
      ['queues/reports', 'reports'],
      ['dead', 'Dead letters'],
      ['dead/reports', 'Dead letters of reports'],
      ['work', 'Leases'],
      ['dead/reports?by=cause', 'Dead letters of reports'],
      ['schedules', 'Schedules'],
      ['rings', 'Rings'],
      ['rings/crawlers', 'crawlers'],
      ['sources', 'Webhook sources'],
      ['destinations', 'Destinations'],
      ['health', 'Health'],
      ['messages/nobody', 'nobody'],
    ];

    test.each(['light', 'dark'] as const)(
      'axe finds nothing serious on any page, %s, also on a phone',
      async (colorScheme) => {
        const [letter = ''] = await die([1, 2], () => 'no luck');
        await enqueue([{ body: 1 }, { body: 2, delay: '1h' }]);
        const size = { width: colorScheme === 'dark' ? 390 : 1_280, height: 800 };
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize(size);
        const found: string[] = [];
        for (const [hash, title] of [...PAGES, [`messages/${letter}`, letter]]) {
          await open(`#/${hash}`);
          await page.waitForSelector(`main h1:text-is("${title}")`); // not that of the page before
          await page.waitForSelector('.spinner', { state: 'detached' });
          found.push(...(await faultsSeen(page)).map((fault) => `${hash} ${fault}`));
        }
        await page.setViewportSize({ width: 1_280, height: 800 });
        expect(found).toEqual([]);
      },
      180_000,
    );

    test('the keyboard reaches what the mouse does', async () => {
      await enqueue([{ body: 1 }]);
      await open('#/queues');
      await page.waitForSelector('[aria-label="Pause reports"]');
      await page.focus('[aria-label="Purge reports"]');
      await page.keyboard.press('Enter');
      await page.waitForSelector('dialog[open]');
      await page.keyboard.press('Escape');
      await page.waitForSelector('dialog[open]', { state: 'hidden' });
      expect((await counts()).ready).toEqual({ 4: 1 });
      await page.focus('[aria-label="Pause reports"]');
      await page.keyboard.press('Space');
      await eventually('it is paused', async () => (await counts()).paused);
    });

    test('no script failed, and nothing had to be stopped by the policy', () => {
      expect(faults).toEqual([]);
    });
  });
});
