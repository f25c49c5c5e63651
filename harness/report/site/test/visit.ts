import type { Browser, Page, ViewportSize } from 'playwright-core';
import type { Test } from 'tap';
import { addressOf } from './sites.ts';

/** A window on a site, which notes whatever no page of it should ever do. */
export interface Visit {
  readonly page: Page;
  readonly open: (path: string) => Promise<void>;
  /** Errors on the console, dialogs, and requests for anything but files. */
  readonly offences: readonly string[];
}

/** Opens a window on the site in a folder. When the test ends it is closed, or left for the next one: making one takes longer than most pages do. */
export async function visit(
  t: Test,
  browser: Browser,
  folder: string,
  { viewport = { width: 1280, height: 800 }, colorScheme = 'light', javaScriptEnabled = true }: VisitOptions = {},
): Promise<Visit> {
  const free = javaScriptEnabled ? windows.pop() : undefined;
  const own = free ?? (await openWindow(browser, javaScriptEnabled));
  const { page, offences } = own;
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme });
  t.teardown(async () => {
    if (!javaScriptEnabled || !t.passing()) return page.context().close();
    // What one test chose is nothing that the next one knows.
    await page.evaluate('localStorage.clear(), sessionStorage.clear()');
    await page.goto('about:blank');
    offences.length = 0;
    windows.push(own);
  });
  return {
    page,
    offences,
    open: async (path) => {
      await page.goto(addressOf(folder, path), { waitUntil: 'domcontentloaded' });
    },
  };
}

interface VisitOptions {
  readonly viewport?: ViewportSize;
  readonly colorScheme?: 'light' | 'dark';
  readonly javaScriptEnabled?: boolean;
}

/** A window, and what its pages have done that they should not. */
interface Window {
  readonly page: Page;
  readonly offences: string[];
}

/** Those that no test uses just now. */
const windows: Window[] = [];

async function openWindow(browser: Browser, javaScriptEnabled: boolean): Promise<Window> {
  const context = await browser.newContext({ offline: true, javaScriptEnabled });
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
    if (!/^(file|data|about):/.test(request.url())) offences.push(`request: ${request.url()}`);
  });
  page.on('requestfailed', (request) => offences.push(`not found: ${request.url()}`));
  return { page, offences };
}
