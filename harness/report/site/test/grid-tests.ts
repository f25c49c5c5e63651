import { join } from 'node:path';
import t from 'tap';
import { generateResults } from '../../../bench/generated-results.ts';
import { RED_VERDICTS } from '../../../results/verdicts.ts';
import { cellLink } from '../../cell-link.ts';
import { LOOKS } from '../../looks.ts';
import { gridRows } from '../../rows.ts';
import { writeSite } from '../write-site.ts';
import { browser, earlier, folder, loader, otherLoader, results } from './shared.ts';
import { addressOf, around, hasAllVerdicts } from './sites.ts';
import { visit } from './visit.ts';

interface Place {
  readonly x: number;
  readonly y: number;
}

t.test('the small run has what these tests look for', async (t) => {
  t.ok(hasAllVerdicts(results), JSON.stringify(results.totals));
  t.ok(around(results, earlier).comparison.counts.regressed > 0);
});

t.test('the grid of each loader shows every cell, with a symbol and a word, linked to its own place', async (t) => {
  const { page, open, offences } = await visit(t, browser, folder);
  for (const [path, name] of [
    ['index.html', loader],
    [`loader-${otherLoader}.html`, otherLoader],
  ] as const) {
    await open(path);
    const heads = await page.evaluate<string[]>(
      "[...document.querySelectorAll('#grid thead th[data-k]')].map((head) => head.dataset.k)",
    );
    t.same([...heads].sort(), results.kernels.map((kernel) => kernel.name).sort());
    const found = await page.evaluate<
      Record<string, string[]>
    >(`Object.fromEntries([...document.querySelectorAll('#grid tbody tr')].map((row) =>
      [row.dataset.program + '@' + row.dataset.variant, [...row.querySelectorAll('td')].map((cell) => cell.textContent.trim() + ' → ' + (cell.querySelector('a')?.getAttribute('href') ?? ''))]))`);
    const rows = gridRows(results).filter((row) => row.loader === name);
    t.equal(Object.keys(found).length, rows.length);
    for (const row of rows) {
      const cells = found[`${row.program}@${row.variant}`] ?? [];
      for (const [index, kernel] of heads.entries()) {
        const cell = row.cells.get(kernel);
        const text = cells[index] ?? '';
        if (cell === undefined) t.match(text, /not run.* → $/);
        else {
          const [, word = ''] = LOOKS[cell.verdict].text.split(' ');
          t.ok(text.startsWith(LOOKS[cell.verdict].symbol) && text.includes(word), `${text} is ${cell.verdict}`);
          t.ok(text.endsWith(` → ${cellLink(cell)}`), text);
        }
      }
    }
  }
  t.same(offences, []);
});

t.test('the head and the first column stay where they are when the grid is scrolled', async (t) => {
  const { page, open } = await visit(t, browser, folder, { viewport: { width: 900, height: 500 } });
  await open('index.html');
  await page.evaluate(
    "Object.assign(document.querySelector('#grid').parentElement.style, { height: '160px', width: '400px' })",
  );
  await page.locator('#grid').scrollIntoViewIfNeeded();
  const places = () =>
    page.evaluate<{ head: Place; name: Place; cell: Place }>(`(() => {
      const place = (selector) => document.querySelector(selector).getBoundingClientRect().toJSON();
      return { head: place('#grid thead th'), name: place('#grid tbody th'), cell: place('#grid tbody td') };
    })()`);
  const before = await places();
  await page.evaluate("document.querySelector('#grid').parentElement.scrollBy(80, 40)");
  const after = await places();
  t.equal(after.head.y, before.head.y, 'the kernels stay above');
  t.equal(after.name.x, before.name.x, 'the programs stay on the left');
  t.equal(before.cell.y - after.cell.y, 40, 'the cells move');
  t.equal(before.cell.x - after.cell.x, 80);
  const covered = await page.evaluate<boolean>(`(() => {
    const corner = document.querySelector('#grid .corner').getBoundingClientRect();
    const above = document.elementFromPoint(corner.right + 40, corner.bottom - 4);
    const left = document.elementFromPoint(corner.right - 4, corner.bottom + 20);
    return above.closest('thead') !== null && left.closest('tbody th') !== null;
  })()`);
  t.ok(covered, 'and lie above what moves beneath them');
});

t.test(
  'a run of very many cells is shown and filtered, and each cell gets its link when it is pointed at',
  async (t) => {
    const large = join(t.testdir({}), 'site');
    const run = generateResults({ kernels: 20, programs: 12, loaders: 2 });
    await writeSite(run, large, { fullUpTo: 400 });
    const { page, open, offences } = await visit(t, browser, large);
    await open('index.html');
    t.equal(await page.locator('#grid tbody td').count(), 20 * 12);
    const cell = page.locator('#grid tbody td.p:not(:has(a))').first();
    await cell.scrollIntoViewIfNeeded();
    await cell.hover();
    const href = await page.locator('#grid td a:hover').getAttribute('href');
    const hrefs = new Set(run.cells.filter((one) => one.verdict === 'pass').map(cellLink));
    t.ok(hrefs.has(href ?? ''), `${href}`);
    await page.getByLabel('Only red').check();
    const count = run.cells.filter((one) => one.loader === loader && RED_VERDICTS.has(one.verdict)).length;
    await page.locator('#shown', { hasText: `${count} cells match` }).waitFor();
    await page.goto(addressOf(large, href ?? ''));
    t.equal(await page.locator(':target').count(), 1, 'and the link leads somewhere');
    t.same(offences, []);
  },
);
