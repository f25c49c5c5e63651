import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { generateResults } from '../../../bench/generated-results.ts';
import { VERDICTS } from '../../../results/verdicts.ts';
import { cellLink, programPage } from '../../cell-link.ts';
import { LOOKS } from '../../looks.ts';
import { gridRows } from '../../rows.ts';
import { writeSite } from '../write-site.ts';
import { type Inventory, readPages } from './inventory.ts';
import { browser, folder, KINDS, loader, results } from './shared.ts';
import { addressOf, pagesOf } from './sites.ts';
import { visit } from './visit.ts';

/** Levels A and AA of all versions of the guidelines, as axe-core calls them. */
const LEVEL_AA = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

const PHONE = { width: 360, height: 740 };

t.test(
  'every link within the site leads to a file and a place that are there, and no page has an id twice',
  async (t) => {
    const { page, open, offences } = await visit(t, browser, folder);
    const pages = await pagesOf(folder);
    await open('index.html');
    const texts = await Promise.all(pages.map((path) => readFile(join(folder, path), 'utf8')));
    const read = await readPages(page, texts);
    const inventories = new Map<string, Inventory>();
    for (const [index, inventory] of read.entries()) inventories.set(addressOf(folder, pages[index] ?? ''), inventory);
    const broken: string[] = [];
    let checked = 0;
    for (const [address, { links, ids }] of inventories) {
      if (new Set(ids).size !== ids.length) broken.push(`${address}: an id is there twice`);
      const whole = links.map((link) => new URL(link, address).href);
      for (const link of whole.filter((one) => one.startsWith('file:'))) {
        const [file = '', fragment] = link.split('#');
        const target = inventories.get(file);
        checked++;
        if (target === undefined) await readFile(fileURLToPath(file)).catch(() => broken.push(`${address} → ${link}`));
        else if (fragment !== undefined && fragment !== '' && !target.ids.includes(decodeURIComponent(fragment))) {
          broken.push(`${address} → ${link}`);
        }
      }
    }
    t.same(broken, []);
    t.ok(checked > 200, `${checked} links`);
    for (const cell of results.cells) {
      const [file = '', anchor = ''] = cellLink(cell).split('#');
      if (inventories.get(addressOf(folder, file))?.ids.includes(anchor) !== true)
        t.fail(`no place for ${cellLink(cell)}`);
    }
    t.same(offences, []);
  },
);

t.test("a cell's address opens what is known of it; its command is copied, and that is said", async (t) => {
  const { page, open, offences } = await visit(t, browser, folder);
  for (const cell of [results.cells[0], results.cells.at(-1)]) {
    if (cell === undefined) continue;
    await open(cellLink(cell));
    const state = await page.evaluate<{ open: boolean; inSight: boolean; text: string }>(`(() => {
      const target = document.querySelector(':target');
      const details = target.closest('details') ?? target.querySelector('details');
      const box = target.getBoundingClientRect();
      return { open: details === null || details.open, inSight: box.top >= 0 && box.top < innerHeight, text: target.textContent };
    })()`);
    t.ok(state.open, 'opened');
    t.ok(state.inSight, 'in sight');
    t.ok(state.text.includes(cell.kernel), `it is the one of ${cell.kernel}: ${state.text.slice(0, 300)}`);
  }
  const button = page.locator('button.copy:visible').first();
  const text = await page.evaluate<string>(
    "document.getElementById(document.querySelector('button.copy').dataset.copy).textContent.trimEnd()",
  );
  t.not(text, '');
  const label = await button.innerHTML();
  await page.evaluate('window.setTimeout = (run) => { window.__later = run; return 0; }');
  await button.click();
  await page.locator('#spoken', { hasText: /^(Copied|Selected)/ }).waitFor({ state: 'attached' });
  // Which of the two a page on disk may do is up to the browser.
  if ((await button.textContent()) !== 'Copied') {
    t.equal(await page.evaluate<string>('getSelection().toString().trimEnd()'), text);
  }
  await page.evaluate('window.__later()');
  t.equal(await button.innerHTML(), label, 'after a while it is the button it was');
  t.same(offences, []);
});

t.test('light or dark follows the system until it is chosen, and stays chosen', async (t) => {
  const { page, open, offences } = await visit(t, browser, folder, { colorScheme: 'dark' });
  await open('index.html');
  const lightness = () =>
    page.evaluate<number>(
      `getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3`,
    );
  t.ok((await lightness()) < 60, 'dark');
  await page.emulateMedia({ colorScheme: 'light' });
  t.ok((await lightness()) > 200, 'light');
  await page.getByRole('button', { name: 'Dark theme' }).click();
  t.ok((await lightness()) < 60, 'chosen');
  await open('history.html');
  t.ok((await lightness()) < 60, 'on other pages too');
  await page.getByRole('button', { name: 'Light theme' }).click();
  t.ok((await lightness()) > 200);
  t.same(offences, []);
});

t.test('without scripts everything is there to be read, and nothing that would do nothing', async (t) => {
  const { page, open, offences } = await visit(t, browser, folder, { javaScriptEnabled: false });
  for (const path of KINDS) {
    await open(path);
    const controls = await page.evaluate<string[]>(
      "[...document.querySelectorAll('button, input, select')].filter((one) => one.checkVisibility()).map((one) => one.outerHTML)",
    );
    t.same(controls, [], path);
  }
  await open('index.html');
  const seen = "[...document.querySelectorAll('#grid tbody td')].filter((cell) => cell.checkVisibility()).length";
  const rows = gridRows(results).filter((row) => row.loader === loader);
  t.equal(await page.evaluate<number>(seen), rows.length * results.kernels.length);
  const withLog = results.cells.find((cell) => cell.verifierLog !== null);
  if (withLog === undefined) throw new Error('no cell has a log');
  await open(cellLink(withLog));
  t.ok((await page.locator('body').textContent())?.includes('R1 type=inv expected=percpu_ptr_'));
  t.ok((await page.locator('body').textContent())?.includes('char LICENSE[] SEC("license") = "GPL";'));
  t.same(offences, []);
});

t.test('pages are accessible in light, in dark and on a phone, where only the grid moves sideways', async (t) => {
  const axe = await readFile(join(dirname(createRequire(import.meta.url).resolve('axe-core')), 'axe.min.js'), 'utf8');
  const { page, open, offences } = await visit(t, browser, folder);
  const check = async (path: string, mode: string, options: object): Promise<void> => {
    const found = await page.evaluate<
      string[]
    >(`axe.run(document, ${JSON.stringify({ ...options, preload: false, resultTypes: ['violations'] })})
      .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html, failureSummary }) => id + ': ' + html.slice(0, 200) + ' ' + failureSummary)))`);
    t.same(found, [], `${path}, ${mode}`);
  };
  for (const path of KINDS) {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 800 });
    await open(path);
    await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
    await page.evaluate(axe);
    await check(path, 'light', { runOnly: LEVEL_AA });
    await page.emulateMedia({ colorScheme: 'dark' });
    await check(path, 'dark', { runOnly: ['color-contrast'] });
    await page.setViewportSize(PHONE);
    await check(path, 'phone', { runOnly: LEVEL_AA, rules: { 'color-contrast': { enabled: false } } });
    t.ok(
      await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth'),
      `${path} is no wider than a phone`,
    );
  }
  t.same(offences, []);
});

t.test('what people came for comes first', async (t) => {
  const wide = join(t.testdir({}), 'site');
  const run = generateResults({ kernels: 11, programs: 4, loaders: 1, redEvery: 12 });
  await writeSite(run, wide);
  const { page, open } = await visit(t, browser, folder);
  await page.goto(addressOf(wide, 'index.html'));
  const box = await page.evaluate<{ width: number; room: number }>(
    "(({ scrollWidth: width, clientWidth: room }) => ({ width, room }))(document.querySelector('.box'))",
  );
  t.equal(box.width, box.room, 'eleven kernels are in sight in a window of 1280 pixels');
  const told = await page.evaluate<string[]>(
    "[...document.querySelectorAll('.legend b')].map((word) => word.textContent)",
  );
  const occurring = VERDICTS.filter((verdict) => run.totals[verdict] > 0).map(
    (verdict) => LOOKS[verdict].text.split(' ')[1],
  );
  t.ok(occurring.length < VERDICTS.length);
  t.same(told.slice(0, occurring.length), occurring, 'the legend tells of the verdicts that occur');
  t.notOk(told.includes('not run'), 'and of cells that were not run only if there are some');

  await page.setViewportSize(PHONE);
  await open('index.html');
  const top = await page.evaluate<number>("document.querySelector('#grid').getBoundingClientRect().top");
  t.ok(top < PHONE.height - 100, `the grid begins on the first screen of a phone, at ${top} of ${PHONE.height}`);
  const seen = await page.evaluate<string>("document.querySelector('.strip').innerText");
  t.match(seen, /run small-3 · commit c0ffeec0ffee · ksym-matrix 0\.1\.0 · emulated/);
  t.notMatch(seen, /QEMU/, 'versions are there when they are asked for');

  await open(programPage(results.programs.find(({ needs }) => needs.length > 0)?.name ?? ''));
  const heads = await page.evaluate<string[]>(
    "[...document.querySelectorAll('h2')].map((head) => head.firstChild.textContent.trim())",
  );
  t.same(heads, ['Where it works', 'What it needs of the kernel', 'What happened', 'Source']);
});
