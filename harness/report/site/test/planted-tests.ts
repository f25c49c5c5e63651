import { join } from 'node:path';
import t from 'tap';
import { writeSite } from '../write-site.ts';
import { findAlive } from './inventory.ts';
import { browser, folder } from './shared.ts';
import { pagesOf, plantedSite } from './sites.ts';
import { visit } from './visit.ts';

t.test('nothing of what programs, kernels, logs and files say comes alive', async (t) => {
  const planted = join(t.testdir({}), 'site');
  const { results: hostile, ...options } = plantedSite();
  await writeSite(hostile, planted, options);
  const { page, open, offences } = await visit(t, browser, planted);
  const pages = await pagesOf(planted);
  t.equal(pages.length, (await pagesOf(folder)).length, 'each name is the name of a file');
  const texts: string[] = [];
  for (const path of pages) {
    await open(path);
    t.same(await findAlive(page), [], path);
    texts.push(await page.evaluate<string>('document.body.textContent'));
  }
  const whole = texts.join('\n');
  t.ok(whole.includes('<img src=x onerror=__alive=8>'), 'names are shown as they are');
  t.ok(whole.includes('<script>window.__alive=2</script>'), 'and so is text');
  await open('index.html');
  await page.getByLabel('Search').fill('"><img src=x onerror');
  await page.getByLabel('Only red').check();
  await page.locator('#shown:has-text("match")').waitFor();
  t.same(await findAlive(page), [], 'searching brings nothing to life');
  t.same(offences, []);
});
