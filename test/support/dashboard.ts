// A page of the dashboard that somebody has signed in to.
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
