import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { execa } from 'execa';
import type { Browser } from 'playwright-core';
import type { Bench } from './bench-host.ts';
import { launchChromium } from './chromium.ts';
import type { Figure } from './figures.ts';
import type { WorkerReport } from './report-worker.ts';
import { takeTurns } from './statistics.ts';

const WORKER = fileURLToPath(new URL('./report-worker.js', import.meta.url));

/** The sizes that were promised to be usable. */
const SIZES = [
  { name: '10,000 cells', kernels: 100, programs: 50, loaders: 2 },
  { name: '300,000 cells', kernels: 300, programs: 100, loaders: 10 },
] as const;

/** What is aimed at, for every size. */
const AIMS: Readonly<Record<string, number>> = {
  site: 10_000,
  'size of site': 30e6,
  'first paint': 1000,
  interactive: 1000,
};

/** How long reports of large runs take to write and to open, and how large they are. */
export const reportBench: Bench = {
  name: 'report',
  run: async ({ folder, quick, say, signal }) => {
    const figures: Figure[] = [];
    const notes: string[] = [];
    const browser = await launchChromium();
    try {
      for (const { name, kernels, programs, loaders } of quick ? SIZES.slice(0, 1) : SIZES) {
        say(`report: ${name}`);
        const file = join(folder, `report-${kernels}x${programs}x${loaders}.json`);
        const site = file.replace(/\.json$/, '');
        const run = (...args: (string | number)[]) =>
          execa(process.execPath, [WORKER, ...args.map(String)], { cancelSignal: signal });
        await run('make', kernels, programs, loaders, file);
        const { stdout } = await run('report', file, site);
        const { times, sizes, failures }: WorkerReport = JSON.parse(stdout);
        const add = (what: string, unit: Figure['unit'], values: readonly number[]): void => {
          const limit = AIMS[what];
          const aim = limit === undefined ? {} : { aim: { of: 'value', limit, good: 'at-most' } as const };
          figures.push({ what: `${name}: ${what}`, unit, values, ...aim });
        };
        for (const [what, value] of Object.entries(times)) add(what, 'ms', [value]);
        for (const [what, value] of Object.entries(sizes)) {
          add(what.startsWith('memory') ? what : `size of ${what}`, 'bytes', [value]);
        }
        notes.push(...failures.map((failure) => `${name}: not made: ${failure}`));
        say(`report: ${name}, opened in Chromium`);
        const opened = await takeTurns([() => measureOpening(browser, join(site, 'index.html'))], quick ? 1 : 5);
        for (const [what, values] of opened) add(what, 'ms', values);
      }
    } finally {
      await browser.close();
    }
    return {
      name: 'report',
      title: 'Reports of generated runs, written and opened from disk',
      figures,
      notes: [...notes, ...NOTES],
    };
  },
};

const NOTES = [
  'Each size is read and written once, in a process of its own; memory is its resident set. interactive: parsed, laid out, scripts run, and the',
  'browser has nothing else to do. filter: from the click on "Only red" until what is left has been painted.',
];

/** What a page is about to be asked: a frame, and then a task, are behind everything that opening or filtering set off. */
const SETTLED = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))))';

/** Opens a page in a window of its own, and filters it. Milliseconds. */
async function measureOpening(browser: Browser, path: string): Promise<Record<string, number>> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    const page = await context.newPage();
    await page.goto(pathToFileURL(path).href);
    const opened = await page.evaluate<{ paint: number; interactive: number }>(`${SETTLED}.then(() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
      interactive: performance.now(),
    }))`);
    const filter = await page.evaluate<number>(`(() => {
      const start = performance.now();
      document.querySelector('#filters input[name=red]').click();
      return ${SETTLED}.then(() => performance.now() - start);
    })()`);
    return { 'first paint': opened.paint, interactive: opened.interactive, filter };
  } finally {
    await context.close();
  }
}
