import { randomInt } from 'node:crypto';
import { ExplainedError } from '../../loader/errors.ts';
import { repeatFinding, writeFinding } from '../fuzz/findings.ts';
import { type FuzzSummary, runFuzz } from '../fuzz/run-fuzz.ts';
import { readSeeds } from '../fuzz/seeds.ts';
import { SHARES, type TargetName } from '../fuzz/targets/all.ts';
import { requireTools } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';

export interface FuzzCommandOptions {
  readonly inputs?: number;
  readonly seconds?: number;
  readonly seed?: number;
  readonly target?: string[];
  readonly corpus?: string;
  readonly findings: string;
  readonly repeat?: string;
}

/** `ksym-matrix fuzz`: for who works on the loader. Exit code 1 if something was found. */
export async function fuzz(options: FuzzCommandOptions): Promise<number> {
  requireTools();
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const targets = options.target?.map(targetName);
  say('Compiling the seeds …');
  const seeds = await readSeeds({
    programs: true,
    ...(options.corpus === undefined ? {} : { corpus: options.corpus }),
  });
  if (options.repeat !== undefined) return repeat(options.repeat, seeds, say);
  const seed = options.seed ?? randomInt(2 ** 31);
  const limit = options.inputs === undefined ? { seconds: options.seconds ?? 30 } : { inputs: options.inputs };
  say(`Fuzzing with --seed ${seed}, from ${seeds.objects.length} objects …`);
  let next = 0;
  const paths: string[] = [];
  const summary = await interruptible((signal) =>
    runFuzz({
      seeds,
      seed,
      signal,
      ...limit,
      ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
      ...(targets === undefined ? {} : { targets }),
      progress: async (state) => {
        for (const finding of state.findings.slice(paths.length))
          paths.push(await writeFinding(finding, options.findings));
        if (state.seconds < next) return;
        next = state.seconds + 5;
        say(`${Math.round(state.seconds)} s, ${state.inputs} inputs, ${state.findings.length} findings`);
      },
    }),
  );
  process.stdout.write(`${table(summary)}\n`);
  for (const [index, finding] of summary.findings.entries()) {
    const path = paths[index] ?? '';
    process.stdout.write(`\n${finding.key}: ${finding.message}\n  → node harness/launch.mjs fuzz --repeat ${path}\n`);
  }
  return summary.findings.length === 0 ? EXIT.ok : EXIT.red;
}

async function repeat(path: string, seeds: Awaited<ReturnType<typeof readSeeds>>, say: (text: string) => void) {
  const violation = await repeatFinding(path, seeds);
  if (violation === undefined) {
    say('The input is taken as it should be.');
    return EXIT.ok;
  }
  const cause = violation.cause instanceof Error ? violation.cause : violation;
  process.stdout.write(`${violation.kind}: ${cause.stack ?? violation.message}\n`);
  return EXIT.red;
}

function targetName(name: string): TargetName {
  const names = Object.keys(SHARES) as TargetName[];
  const found = names.find((one) => one === name);
  if (found !== undefined) return found;
  throw new ExplainedError('no-such-target', `there is no target ${name}`, { why: `there are ${names.join(', ')}` });
}

/** One line for each target. */
function table({ targets, inputs, seconds, findings }: FuzzSummary): string {
  const lines = [...targets].map(([name, { inputs: count, accepted, slowestMs }]) => {
    const share = count === 0 ? 0 : Math.round((100 * accepted) / count);
    return `${name.padEnd(14)}${String(count).padStart(9)}  ${String(share).padStart(3)} %  ${slowestMs.toFixed(0).padStart(6)} ms`;
  });
  const rate = Math.round(inputs / Math.max(seconds, 0.001));
  const total = `${inputs} inputs in ${seconds.toFixed(1)} s (${rate} a second), ${findings.length} findings`;
  return ['target           inputs   taken   slowest', ...lines, total].join('\n');
}
