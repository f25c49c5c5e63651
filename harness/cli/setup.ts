import { join } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { buildAgent } from '../../loader/agent/build.ts';
import { seconds } from '../report/summary.ts';
import { installMissing } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';

/** `ksym-matrix setup` */
export async function setup(options: { readonly tests?: true }): Promise<number> {
  await installSystemPackages({ tests: options.tests === true });
  await buildAgent({ outputDirectory: join(cacheDirectory(), 'agent') });
  return EXIT.ok;
}

/** Installs what is missing and says so; says nothing if nothing is. */
export async function installSystemPackages(options: { readonly tests: boolean }): Promise<void> {
  const started = performance.now();
  let said = false;
  await installMissing({
    tests: options.tests,
    onStep: (text) => {
      said = true;
      process.stderr.write(`${text} …\n`);
    },
  });
  if (said) process.stderr.write(`That took ${seconds(performance.now() - started)}\n`);
}
