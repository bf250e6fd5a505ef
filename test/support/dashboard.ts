// A page of the dashboard that somebody has signed in to, and what is wrong with how it looks.
import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** @param before what to do before anything is loaded */
export async function signedIn(
  browser: Browser,
  url: string,
  token: string,
  options: BrowserContextOptions = {},
  before: (page: Page) => Promise<void> = async () => {},
): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 1_440, height: 900 }, ...options })).newPage();
  page.setDefaultTimeout(15_000); // less than a test has: what was waited for is told
  await before(page);
  await page.goto(url);
  await page.fill('#token', token);
  await page.click('button[type=submit]');
  await page.waitForSelector('h1:has-text("Overview")');
  return page;
}

const axe = await readFile('node_modules/axe-core/axe.min.js', 'utf8');

/** Runs in the page: what axe finds there. */
const SERIOUS = `axe.run().then(({ violations }) =>
  violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes[0].html))`;

/** What axe finds serious, and whether the page is wider than its window. */
export async function faultsSeen(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = (await page.evaluate(SERIOUS)) as string[];
  const wider = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
  return wider > 0 ? [...found, `it is ${wider} px too wide`] : found;
}
