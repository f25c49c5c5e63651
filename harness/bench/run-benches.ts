import { resolve } from 'node:path';
import { ConfigError } from '../config/yaml-file.ts';
import { writeWhole } from '../results/write.ts';
import { type Bench, type BenchOptions, createBenchHost } from './bench-host.ts';
import { bootBench } from './boot.ts';
import { type Finding, renderFindings } from './figures.ts';
import { growthBench } from './growth.ts';
import { describeHost, loadWarning, renderHost } from './host-description.ts';
import { loaderBench } from './loader.ts';
import { memoryBench } from './memory.ts';
import { reportBench } from './report.ts';
import { restoreBench } from './restore.ts';
import { virtmeNgBench } from './virtme-ng.ts';
import { matrixBench } from './whole-matrix.ts';

/** Every bench, in the order they are run. */
export const BENCHES: readonly Bench[] = [
  bootBench,
  restoreBench,
  virtmeNgBench,
  matrixBench,
  growthBench,
  memoryBench,
  reportBench,
  loaderBench,
];

/** What to measure, and where the figures go. */
export interface RunBenchesOptions extends BenchOptions {
  /** Names of benches; empty means all. */
  readonly only: readonly string[];
  /** A file for all values, as JSON. */
  readonly json: string | undefined;
}

/**
 * Runs benches one after the other and prints their figures on stdout as each ends.
 * @throws ConfigError `no-such-bench`, and whatever keeps a bench from measuring
 */
export async function runBenches(options: RunBenchesOptions): Promise<void> {
  for (const name of options.only) {
    if (!BENCHES.some((bench) => bench.name === name)) {
      throw new ConfigError('no-such-bench', `there is no bench named ${name}`, {
        where: `--only ${name}`,
        fix: `name some of these: ${BENCHES.map((bench) => bench.name).join(', ')}`,
      });
    }
  }
  const warning = loadWarning();
  if (warning !== null) options.say(warning);
  const host = await createBenchHost(options);
  try {
    const description = await describeHost(host);
    process.stdout.write(`${renderHost(description)}\n\n`);
    const findings: Finding[] = [];
    for (const bench of BENCHES.filter(({ name }) => options.only.length === 0 || options.only.includes(name))) {
      options.signal.throwIfAborted();
      const finding = await bench.run(host);
      findings.push(finding);
      process.stdout.write(`${renderFindings([finding])}\n`);
    }
    if (options.json !== undefined) {
      await writeWhole(resolve(options.json), `${JSON.stringify({ host: description, findings }, undefined, 2)}\n`);
    }
  } finally {
    await host.end();
  }
}
