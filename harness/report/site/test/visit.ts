import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'tap';
import { addressOf } from './sites.ts';

/** A window on a site, which notes whatever no page of it should ever do. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly open: (path: string) => Promise<void>;
  /** Errors on the console, dialogs, and requests for anything but files. */
  readonly offences: readonly string[];
}

/** Opens a window on the site in a folder. When the test ends it is closed, and must have offended nobody. */
export async function visit(
  t: Test,
  browser: Browser,
  folder: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, offline: true, ...options });
  const offences: string[] = [];
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') offences.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => offences.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    offences.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined);
  });
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) offences.push(`request: ${request.url()}`);
  });
  page.on('requestfailed', (request) => offences.push(`not found: ${request.url()}`));
  t.teardown(() => context.close());
  return {
    page,
    context,
    offences,
    open: async (path) => {
      await page.goto(addressOf(folder, path), { waitUntil: 'domcontentloaded' });
    },
  };
}
