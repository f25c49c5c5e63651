import t from 'tap';
import type { CellResult } from '../../../results/results.ts';
import { RED_VERDICTS } from '../../../results/verdicts.ts';
import { browser, earlier, folder, loader, results } from './shared.ts';
import { around } from './sites.ts';
import { type Visit, visit } from './visit.ts';

/** The rows and kernels that are shown, by name. */
async function shown({ page }: Visit): Promise<{ rows: string[]; kernels: string[]; said: string }> {
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  return page.evaluate(`({
    rows: [...document.querySelectorAll('#grid tbody tr')].filter((row) => row.checkVisibility()).map((row) => row.dataset.program + '@' + row.dataset.variant),
    kernels: [...document.querySelectorAll('#grid thead th[data-k]')].filter((head) => head.checkVisibility()).map((head) => head.dataset.k),
    said: document.getElementById('shown').textContent,
  })`);
}

/** What the filters must leave, worked out from the results themselves. */
function expectShown(matches: (cell: CellResult) => boolean): { rows: string[]; kernels: string[] } {
  const cells = results.cells.filter((cell) => cell.loader === loader && matches(cell));
  const rows = new Set(cells.map((cell) => `${cell.program}@${cell.variant}`));
  return { rows: [...rows].sort(), kernels: [...new Set(cells.map((cell) => cell.kernel))].sort() };
}

const sorted = ({ rows, kernels }: { rows: string[]; kernels: string[] }) => ({
  rows: [...rows].sort(),
  kernels: [...kernels].sort(),
});

t.test(
  'filters leave the rows and kernels with a cell that all of them let through, say how many, and are in the address',
  async (t) => {
    const window = await visit(t, browser, folder);
    const { page, open, offences } = window;
    await open('index.html');
    const everything = await shown(window);
    t.same(
      sorted(everything),
      expectShown(() => true),
    );
    t.equal(everything.said, '');
    const fresh = page.url();

    await page.getByLabel('Only red').check();
    const isRed = (cell: CellResult) => RED_VERDICTS.has(cell.verdict);
    const red = await shown(window);
    t.same(sorted(red), expectShown(isRed));
    const count = results.cells.filter((cell) => cell.loader === loader && isRed(cell)).length;
    t.match(
      red.said,
      new RegExp(
        `^${count} cells match: ${red.rows.length} of ${everything.rows.length} rows, ${red.kernels.length} of ${results.kernels.length} kernels`,
      ),
    );

    await page.getByLabel('Class').selectOption('kernel-panic');
    const panics = await shown(window);
    t.same(
      sorted(panics),
      expectShown((cell) => isRed(cell) && cell.outcome.class === 'kernel-panic'),
    );
    t.not(panics.kernels.length, red.kernels.length, 'the filter takes something away');
    t.equal(new URL(page.url()).hash, '#red&class=kernel-panic');
    const permalink = page.url();
    await page.evaluate("document.querySelector('.skip').click()");
    await page.waitForURL('**#main');
    t.same(await shown(window), panics, 'the link that skips to the content leaves the filters as they are');
    t.ok(await page.getByLabel('Only red').isChecked());

    await page.getByLabel('Search').fill(`  TYPE ${panics.kernels[0]} `);
    const searched = await shown(window);
    t.same(
      sorted(searched),
      expectShown(
        (cell) =>
          isRed(cell) &&
          cell.outcome.class === 'kernel-panic' &&
          cell.kernel.includes(panics.kernels[0] ?? '?') &&
          cell.program.includes('type'),
      ),
    );
    await page.getByLabel('Search').fill('no such thing anywhere');
    t.equal((await shown(window)).said, 'Nothing matches these filters.');

    await page.keyboard.press('Escape');
    t.same(await shown(window), everything, 'Escape takes all filters away');
    t.equal(page.url(), fresh);

    const again = await visit(t, browser, folder);
    await again.page.goto(permalink);
    t.same(await shown(again), panics, 'who opens the address sees the same');
    t.ok(await again.page.getByLabel('Only red').isChecked());
    await again.page.getByRole('button', { name: 'Clear' }).click();
    t.same(await shown(again), everything);
    await again.page.goto(`${fresh}#class=there-is-none&text=%E0%A4&red=`);
    t.same(sorted(await shown(again)).rows.length, 0, 'a broken address breaks nothing');

    const ended = page.getByLabel('Hide end-of-life kernels');
    await ended.check();
    const isMaintained = ({ kernel }: CellResult) => kernel.startsWith('5.10');
    t.same(sorted(await shown(window)), expectShown(isMaintained));
    await ended.uncheck();
    await page.getByLabel('Only differences').check();
    const { changes } = around(results, earlier).comparison;
    const differing = new Set(changes.map(({ head }) => head));
    t.same(
      sorted(await shown(window)),
      expectShown((cell) => differing.has(cell)),
    );
    t.same(offences, []);
  },
);

t.test('keys: a slash goes to the search, the grid is one stop of Tab, and arrows move in what is shown', async (t) => {
  const window = await visit(t, browser, folder, { viewport: { width: 700, height: 500 } });
  const { page, open, offences } = window;
  await open('index.html');
  const focused = () =>
    page.evaluate<string>(`(() => {
    const cell = document.activeElement.closest('#grid th, #grid td');
    return cell === null ? document.activeElement.localName : (cell.parentElement.dataset.program ?? 'head') + ' ' + cell.cellIndex;
  })()`);
  await page.keyboard.press('/');
  t.equal(await page.evaluate('document.activeElement.name'), 'text');
  await page.keyboard.type('a/b');
  t.equal(await page.getByLabel('Search').inputValue(), 'a/b', 'in the search it is a character');
  await page.keyboard.press('Escape');

  const names = results.programs.map(({ name }) => name);
  await page.locator('#grid thead th[data-k] a').first().focus();
  t.equal(await focused(), 'head 1');
  await page.keyboard.press('ArrowDown');
  t.equal(await focused(), `${names[0]} 1`);
  await page.keyboard.press('ArrowLeft');
  t.equal(await focused(), `${names[0]} 0`);
  await page.keyboard.press('ArrowLeft');
  t.equal(await focused(), `${names[0]} 0`, 'the edge is the edge');
  await page.keyboard.press('End');
  t.equal(await focused(), `${names[0]} ${results.kernels.length}`);
  await page.keyboard.press('Control+End');
  t.equal(await focused(), `${names.at(-1)} ${results.kernels.length}`);
  await page.keyboard.press('Control+Home');
  t.equal(await focused(), 'head 1', 'the corner holds nothing to go to');
  await page.keyboard.press('Tab');
  t.notMatch(await focused(), /^head|^type|^kfunc/, 'the next stop is behind the grid');
  await page.keyboard.press('Shift+Tab');
  t.equal(await focused(), 'head 1', 'and back to where it was');

  await page.getByLabel('Only red').check();
  const { rows, kernels } = await shown(window);
  await page.locator('#grid thead th[data-k]:not([hidden]) a').first().focus();
  for (const _ of rows) await page.keyboard.press('ArrowDown');
  for (const _ of kernels) await page.keyboard.press('ArrowRight');
  t.ok((await focused()).startsWith(`${rows.at(-1)?.split('@')[0]} `), 'hidden rows are stepped over');
  const box = await page.evaluate<{ hidden: boolean }>(`(() => {
    const cell = document.activeElement.getBoundingClientRect();
    return { hidden: !document.activeElement.contains(document.elementFromPoint(cell.left + cell.width / 2, cell.top + cell.height / 2)) };
  })()`);
  t.notOk(box.hidden, 'the focus is in sight');
  const [outline, inner] = await page.evaluate<[string, string]>(
    '(({ outlineColor, boxShadow }) => [outlineColor, boxShadow.match(/rgb[^)]*\\)/)?.[0]])(getComputedStyle(document.activeElement))',
  );
  t.same([outline, inner], ['rgb(27, 31, 36)', 'rgb(255, 255, 255)'], 'in dark and in light, whatever is behind it');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  const obscured = await page.evaluate<boolean>(`(() => {
    const cell = document.activeElement.getBoundingClientRect();
    return !document.activeElement.contains(document.elementFromPoint(cell.left + 2, cell.top + cell.height / 2));
  })()`);
  t.notOk(obscured, 'and not behind the first column');
  await page.keyboard.press('ArrowRight');
  const href = await page.evaluate<string | undefined>('document.activeElement.href');
  if (href !== undefined) {
    await page.keyboard.press('Enter');
    await page.waitForURL(href);
  }
  t.same(offences, []);
});
