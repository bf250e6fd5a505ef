/** `npx node scripts/pictures/pictures.ts`: the pages of the dashboard, with the demo's load behind them, as pictures for the docs. What a deployment lacks gets none. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { GITHUB_SECRET } from '../../examples/demo/github.ts';
import { startLoad } from '../../examples/load/load.ts';
import { startWorld } from '../../examples/load/world.ts';
import { runCommand } from '../../src/dev/command.ts';
import { startTicker } from '../../src/dev/cron.ts';
import { startStack } from '../../src/dev/stack.ts';
import { webp } from './webp.ts';

const HELP = `Usage: npx node scripts/pictures/pictures.ts [options]

Takes a picture of each page of the dashboard, for wide windows and for phones, into docs/pictures.

  --minutes N     how long the load runs before (default 4)
  --browser PATH  the browser (default /usr/bin/chromium)
  --help          this text
`;

const OPTIONS = {
  minutes: { type: 'string', default: '4' },
  browser: { type: 'string', default: '/usr/bin/chromium' },
} as const;

const FOLDER = join(import.meta.dirname, '../../docs/pictures');

const SIZES = {
  desktop: { viewport: { width: 1_280, height: 860 }, colorScheme: 'light' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
} as const;

/** By name; `{dead}` stands for the id of a dead letter. */
const PAGES: Record<string, string> = {
  overview: '#/',
  queues: '#/queues',
  queue: '#/queues/reports?state=ready',
  message: '#/messages/{dead}',
  dead: '#/dead/reports',
  causes: '#/dead/reports?by=cause',
  work: '#/work',
  schedules: '#/schedules',
  rings: '#/rings',
  sources: '#/sources',
  destinations: '#/destinations',
  health: '#/health',
};

await runCommand(HELP, OPTIONS, async (flags) => {
  const world = await startWorld();
  const stack = await startStack({
    redis: 'auto',
    env: {
      OUTBOX_URL: world.url,
      GITHUB_WEBHOOK_SECRET: GITHUB_SECRET,
      WEBHOOK_OUT_SECRETS: `whsec_${randomBytes(32).toString('base64')}`,
    },
    log: () => {},
  });
  const worker = await stack.startWorker();
  const ticker = startTicker(worker.tick, () => {});
  const load = startLoad(worker.url, stack.token, world.url);
  const browser = await chromium.launch({ executablePath: flags.browser, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    // The overview is open all the time: its plot of depths begins when it is opened.
    const watched = await Promise.all(Object.keys(SIZES).map((size) => openDashboard(browser, size, worker.url)));
    for (const { size, page } of watched) {
      await picture(browser, page, `sign-in-${size}`);
      await page.fill('#token', stack.token);
      await page.click('button[type=submit]');
    }
    await new Promise((resolve) => setTimeout(resolve, Number(flags.minutes) * 60_000));
    for (const { size, page } of watched) await takeAll(browser, page, size);
  } finally {
    await browser.close();
    ticker.stop();
    await load.stop();
    await stack.close();
    await world.close();
  }
});

async function openDashboard(browser: Browser, size: string, url: string): Promise<{ size: string; page: Page }> {
  const context = await browser.newContext({ ...SIZES[size as keyof typeof SIZES], reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector('#token');
  return { size, page };
}

async function takeAll(browser: Browser, page: Page, size: string): Promise<void> {
  const letters = await page.context().request.get(new URL('/v1/queues/reports/messages?state=dead', page.url()).href);
  const [letter] = ((await letters.json()) as { messages: { id: string }[] }).messages;
  for (const [name, hash] of Object.entries(PAGES)) {
    if (name !== 'overview') await page.goto(new URL(hash.replace('{dead}', letter?.id ?? ''), page.url()).href);
    await page.waitForSelector('main h1');
    await page.waitForSelector('.spinner', { state: 'detached' });
    if (name !== 'overview' && (await page.locator('text=Not in this deployment').count())) {
      console.log(`${name}: not in this deployment`);
      continue;
    }
    if (name === 'work') await page.waitForSelector('tbody tr', { timeout: 10_000 }).catch(() => {}); // somebody, if anybody
    await picture(browser, page, `${name}-${size}`);
  }
}

async function picture(browser: Browser, page: Page, name: string): Promise<void> {
  const bytes = await webp(browser, await page.screenshot());
  await writeFile(join(FOLDER, `${name}.webp`), bytes);
  console.log(`${name}.webp: ${(bytes.length / 1024).toFixed(0)} KiB`);
}
