import { type Command, Option } from 'commander';
import { natural, positive } from './whole-number.ts';

/** Adds the commands for who works on ksym-matrix itself. Their code is loaded when it is used; a published package does not have it. */
export function addDeveloperCommands(program: Command, setExitCode: (code: number) => void): void {
  // docs/performance.md
  program
    .command('bench', { hidden: true })
    .description('measure how long everything takes, and what memory')
    .option('--quick', 'fewer repetitions')
    .option('--only <name...>', 'only these benches')
    .addOption(new Option('--kernels <which>', 'for the matrix').choices(['cached', 'all']).default('cached'))
    .addOption(new Option('--accel <name>', 'how QEMU runs the guest').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .option('--json <file>', 'write every value to a file')
    .action(async (options) => setExitCode(await (await import('./bench.ts')).bench(options)));

  // docs/fuzzing.md
  program
    .command('fuzz', { hidden: true })
    .description('put mutated objects, BTF, code and text through the loader')
    .addOption(new Option('--inputs <n>', 'how many').argParser(positive))
    .addOption(new Option('--seconds <n>', 'how long (default: 30, if --inputs is not given)').argParser(positive))
    .addOption(new Option('--seed <n>', 'the same number gives the same inputs').argParser(natural))
    .option('--target <name...>', 'only these parts of the loader')
    .option('--corpus <folder>', 'also start from the objects in this folder')
    .addOption(new Option('--findings <folder>', 'where to keep what was found').default('fuzz-findings'))
    .option('--repeat <file>', 'try the input of a finding again')
    .action(async (options) => setExitCode(await (await import('./fuzz.ts')).fuzz(options)));

  program
    .command('corpus', { hidden: true })
    .description('load BPF objects nobody here wrote on kernels, beside libbpf (docs/corpus.md)')
    .addOption(new Option('-k, --kernel <name...>', 'only these kernels (default: those of the baseline)'))
    .addOption(new Option('-m, --matrix <file>', 'the matrix (default: matrix.yaml, if there is one)'))
    .addOption(new Option('-o, --object <id...>', 'only these objects, SOURCE/NAME; * is a wildcard'))
    .addOption(new Option('-j, --jobs <n>', 'kernels at a time (default: 2)').argParser(positive))
    .addOption(new Option('--accel <name>', 'how QEMU runs the guest').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .option('--fresh', 'ask libbpf again about what it was asked before')
    .option('--check', 'compare with the committed baseline')
    .option('--update', 'write the baseline and docs/corpus.md')
    .option('--render', 'write docs/corpus.md from the committed baseline, and run nothing')
    .option('--locked', 'exactly the kernels of the lock file (kernels/kernels.lock.yaml)')
    .addOption(new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)"))
    .action(async (options) => setExitCode(await (await import('./corpus.ts')).corpus(options)));
}
