// A real Chromium for a whole test file, where there is one.
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

const CHROMIUM = '/usr/bin/chromium';
export const browserPresent = existsSync(CHROMIUM);
if (!browserPresent) console.warn(`skipped: what is seen in a browser: no ${CHROMIUM}`);

const QUIET = ['gpu', 'quic', 'background-networking', 'component-update', 'sync'].map((what) => `--disable-${what}`);

export function openBrowser(): () => Browser {
  let browser: Browser;
  beforeAll(async () => {
    if (!browserPresent) return;
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--headless', '--no-first-run', ...QUIET],
    });
  }, 30_000);
  afterAll(() => browser?.close());
  return () => browser;
}

/** Lets the deployment answer a page again, once answers of the test's own that are under way have gone out. */
export const unrouted = (page: Page): Promise<void> => page.unrouteAll({ behavior: 'wait' });

/** What a page must not have by the end: errors of scripts, and what its own policy had to stop. */
export function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  return faults;
}
