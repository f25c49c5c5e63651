import { type Command, InvalidArgumentError, Option } from 'commander';
import { GATES, type Gate } from '../results/gate.ts';
import { positive } from './whole-number.ts';

const GATE_WORDS = `
What --fail-on can name, several with commas between them:
  regressed  was as expected, or was tried at least, and is not any more
  flaky      ended differently when it was run again, and did not before
  vanished   is in the base run alone
  changed    has another verdict, class, phase or errno, and is neither better nor worse
  new        is in the head run alone
  new-red    is in the head run alone, and red
  fixed      was red and is not any more
  any        all of these

The exit code is 0; 1 if something of --fail-on occurs; 2 if one of both is no run.
`;

const COMPARE_WORDS = `
The exit code is 0 if loaders agree, or known differences explain where they do not; 1 if a disagreement is unexplained; 2 if there is one loader.
`;

/** Adds `diff`, `compare`, `merge`, `plan` and `history`. Each command's code is loaded when it is used. */
export function addComparisonCommands(program: Command, setExitCode: (code: number) => void): void {
  program
    .command('diff')
    .description('what changed from one run to another: regressed, fixed, new, vanished, flaky, changed')
    .argument('<base>', 'results of the older run: a file written with --json, or the folder of a run')
    .argument('[head]', 'the newer run (default: the last)')
    .addOption(new Option('--fail-on <changes>', 'exit with 1 if there are such changes; see below').argParser(gates))
    .addOption(new Option('-f, --format <name>').choices(['terminal', 'markdown', 'json']).default('terminal'))
    .addOption(new Option('-o, --output <file>', 'write to a file; - is stdout (default: -)'))
    .addHelpText('after', GATE_WORDS)
    .action(async (base, head, options) => setExitCode(await (await import('./diff.ts')).diff(base, head, options)));

  program
    .command('compare')
    .description('where the loaders of a run disagree on the same kernel and object, and why')
    .argument('[results]', 'a file written with --json, or the folder of a run (default: the last run)')
    .addOption(
      new Option('-f, --format <name>', 'support: which loader supports what, where (Markdown)')
        .choices(['text', 'markdown', 'json', 'support'])
        .default('text'),
    )
    .addOption(new Option('-o, --output <file>', 'write to a file; - is stdout (default: -)'))
    .addOption(new Option('--all', 'also programs on which the loaders agree'))
    .addOption(new Option('-k, --kernel <name...>', 'only these kernels; * is a wildcard'))
    .addOption(new Option('-p, --program <name...>', 'only these programs; * is a wildcard'))
    .addOption(new Option('-l, --loader <name...>', 'only these loaders; * is a wildcard'))
    .addHelpText('after', COMPARE_WORDS)
    .action(async (place, options) => setExitCode(await (await import('./compare.ts')).compare(place, options)));

  program
    .command('merge')
    .description('join the results of shards into one; the order of the shards does not matter')
    .argument('<shard...>', 'files written with --json, or folders of runs')
    .addOption(new Option('-o, --output <file>', 'where to; - is stdout').makeOptionMandatory())
    .addOption(new Option('--shards <n>', 'how many there must be, so that none is forgotten').argParser(positive))
    .action(async (shards, options) => setExitCode(await (await import('./merge.ts')).merge(shards, options)));

  program
    .command('plan')
    .description('divide the kernels of the matrix among shards that take about as long; no kernel is downloaded')
    .addOption(new Option('--shards <n>', 'how many, at most').argParser(positive).makeOptionMandatory())
    .addOption(new Option('-m, --matrix <file>', 'the matrix').default('matrix.yaml'))
    .addOption(new Option('-k, --kernel <name...>', 'only these kernels; * is a wildcard'))
    .addOption(new Option('-p, --program <name...>', 'only these programs; * is a wildcard'))
    .addOption(new Option('-l, --loader <name...>', 'only these loaders; * is a wildcard'))
    .addOption(new Option('--json', 'print as JSON').conflicts('github'))
    .addOption(new Option('--github', 'print one line of JSON for strategy.matrix of a workflow on GitHub'))
    .option('--locked', 'exactly the kernels of the lock file (kernels/kernels.lock.yaml)')
    .addOption(new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)"))
    .action(async (options) => setExitCode(await (await import('./plan.ts')).plan(options)));

  const history = program.command('history').description('keep a few kilobytes of every run, for the HTML report');
  history
    .command('add')
    .description('add a run to a folder with the history')
    .argument('[results]', 'a file written with --json, or the folder of a run (default: the last run)')
    .addOption(new Option('--to <folder>', 'made if it is not there').makeOptionMandatory())
    .addOption(new Option('--keep <n>', 'newest runs to keep (default: 500)').argParser(positive))
    .action(async (place, options) => setExitCode(await (await import('./history.ts')).addRun(place, options)));
  history
    .command('list')
    .description('list the runs of a history, the newest first')
    .argument('<folder>')
    .option('--json', 'print as JSON')
    .action(async (folder, options) => setExitCode(await (await import('./history.ts')).listRuns(folder, options)));
}

function gates(text: string): Gate[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !isGate(name));
  if (wrong !== undefined || names.length === 0) {
    throw new InvalidArgumentError(`one or several of ${GATES.join(', ')} are wanted, with commas between them`);
  }
  return names.filter(isGate);
}

function isGate(name: string): name is Gate {
  return GATES.some((gate) => gate === name);
}
