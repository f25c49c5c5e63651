import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import t from 'tap';
import { launchChromium } from '../../../bench/chromium.ts';
import { kernelPage, programPage } from '../../cell-link.ts';
import { writeSite } from '../write-site.ts';
import { around, smallResults } from './sites.ts';

/** The run whose site the tests look at, and the one that it is compared with. */
export const results = smallResults(3);
export const earlier = smallResults(2);

/** The names of its two loaders. */
export const [loader = '', otherLoader = ''] = results.loaders.map(({ name }) => name);

/** Where its site lies. */
export const folder = join(t.testdir({}), 'site');

/** One browser for all tests: starting it takes longer than most of them. */
export const browser: Browser = await launchChromium();
t.teardown(() => browser.close());
await writeSite(results, folder, around(results, earlier));

const [program = ''] = results.programs.map(({ name }) => name);
const [kernel = ''] = results.kernels.map(({ name }) => name);

/** One page of each kind. */
export const KINDS: readonly string[] = [
  'index.html',
  programPage(program),
  kernelPage(kernel),
  'kernels.html',
  'changes.html',
  'history.html',
];
