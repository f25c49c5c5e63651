import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { buildAgent } from '../../loader/agent/build.ts';
import { loadMatrix } from '../config/load.ts';
import { prepareLoaders } from '../loaders/prepare-loaders.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { seconds } from '../report/summary.ts';
import { selectLoaders } from '../run/select.ts';
import { fetchGithubDescription } from '../setup/github-description.ts';
import { installMissing } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { packageVersion } from './version.ts';

/** `ksym-matrix setup` */
export async function setup(options: { readonly tests?: true }): Promise<number> {
  await installSystemPackages({ tests: options.tests === true });
  await buildAgent({ outputDirectory: join(cacheDirectory(), 'agent') });
  if (options.tests === true) {
    await fetchGithubDescription(cacheDirectory(), { onStep: (text) => process.stderr.write(`${text} …\n`) });
    await buildTestRunner();
    return interruptible(buildTestLoaders);
  }
  return EXIT.ok;
}

/** The loaders that loaders-run.test.ts runs: what takes minutes the first time is not to be charged to a test. */
const TEST_LOADERS = ['libbpf-1.5', 'libbpf-0.3', 'cilium/ebpf-0.11', 'cilium/ebpf-0.22'];

async function buildTestLoaders(signal: AbortSignal): Promise<number> {
  const matrix = await loadMatrix(join(PACKAGE_ROOT, 'matrix.loaders.yaml'));
  const { loaders } = await prepareLoaders(
    selectLoaders(matrix, { kernels: [], programs: [], loaders: TEST_LOADERS }),
    {
      cache: cacheDirectory(),
      ownVersion: packageVersion(),
      mirror: matrix.mirror,
      onMessage: (text) => process.stderr.write(`${text}\n`),
      onBuilt: ({ name }, milliseconds) => process.stderr.write(`${name} built in ${seconds(milliseconds)}\n`),
      signal,
    },
  );
  for (const { name, unavailable } of loaders) {
    // The test that wants it fails, and says so too; the others can run.
    if (unavailable !== null) process.stderr.write(`${name} cannot be had: ${unavailable}\n`);
  }
  return EXIT.ok;
}

/** tap compiles itself anew for the set of plugins that .taprc names; without that its first run goes by the old set. */
async function buildTestRunner(): Promise<void> {
  const wanted = await readFile(join(PACKAGE_ROOT, '.taprc'), 'utf8');
  // npm ci removes the stamp together with what it stands for.
  const stamp = join(PACKAGE_ROOT, 'node_modules', '.tap-plugins');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return;
  process.stderr.write('Building the test runner …\n');
  await execa(join(PACKAGE_ROOT, 'node_modules', '.bin', 'tap'), ['build'], { cwd: PACKAGE_ROOT, stdin: 'ignore' });
  await writeFile(stamp, wanted);
}

/** Installs what is missing and says so; says nothing if nothing is. */
export async function installSystemPackages(options: {
  readonly tests: boolean;
  readonly builds?: boolean;
}): Promise<void> {
  const started = performance.now();
  let said = false;
  await installMissing({
    ...options,
    onStep: (text) => {
      said = true;
      process.stderr.write(`${text} …\n`);
    },
  });
  if (said) process.stderr.write(`That took ${seconds(performance.now() - started)}\n`);
}
