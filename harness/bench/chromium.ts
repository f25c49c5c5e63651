import type { Browser } from 'playwright-core';
import { ExplainedError } from '../../loader/errors.ts';
import { findChromium } from '../setup/requirements.ts';

/**
 * Starts a Chromium without a window, for benches and tests that look at pages which this project has written itself.
 * @throws ExplainedError `no-chromium`, `no-playwright`
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new ExplainedError('no-chromium', 'there is no Chromium to look at the HTML report with', {
      why: 'neither KSYM_MATRIX_CHROMIUM nor PATH leads to chromium, chromium-browser or google-chrome',
      fix: 'run `sudo apt-get install chromium`, or set KSYM_MATRIX_CHROMIUM to the path of a Chromium or Chrome',
    });
  }
  const { chromium } = await import('playwright-core').catch((cause: unknown) => {
    throw new ExplainedError('no-playwright', 'the package playwright-core is missing', {
      why: 'it is needed for looking at pages alone, so that npm installs it with the development packages',
      fix: 'run `npm ci` in the repository',
      cause,
    });
  });
  // Chromium's sandbox wants what root, containers and some distributions do not give; these pages come from nobody else, and reach no network.
  return chromium.launch({ executablePath, chromiumSandbox: false });
}
