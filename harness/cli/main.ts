import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { PACKAGE_ROOT } from '../package-root.ts';
import { addComparisonCommands } from './comparison-commands.ts';
import { addDeveloperCommands } from './developer-commands.ts';
import { EXIT } from './exit-codes.ts';
import { addGithubCommands } from './github-commands.ts';
import { wasInterrupted, watchInterruptions } from './interrupt.ts';
import { addKernelCommands } from './kernel-commands.ts';
import { addLoaderCommands } from './loader-commands.ts';
import { addReportCommands } from './report-commands.ts';
import { reportError } from './report-error.ts';
import { packageVersion } from './version.ts';
import { natural, positive } from './whole-number.ts';

const FOOTER = `
Environment:
  KSYM_MATRIX_CACHE          where kernels, machines and logs are kept (default: ~/.cache/ksym-matrix)
  KSYM_MATRIX_DEBIAN_MIRROR  address of a Debian mirror
  KSYM_MATRIX_DEBIAN_SECURITY_MIRROR
                             address of its security archive, where that is not beside it
  KSYM_MATRIX_SNAPSHOT_MIRROR, KSYM_MATRIX_MAINLINE_MIRROR, KSYM_MATRIX_OCI_MIRROR
                             the same for other sources of kernels (docs/kernels.md)
  KSYM_MATRIX_TEMPLATE_SPACE room for saved machines in the cache, in MiB (default: 8192)
  NO_COLOR, FORCE_COLOR      colours off, on

Exit codes:
  0  everything is as expected      2  wrong usage or configuration
  1  a verdict is red               3  the machine or the harness broke (130: interrupted)

Examples:
  ksym-matrix run --kernel 6.12 --program 'typed-*'
  ksym-matrix run --json results.json
  ksym-matrix run --matrix matrix.loaders.yaml --loader ksym-matrix 'libbpf-*'
  ksym-matrix report results.json --format html --output site
  ksym-matrix kernels list
`;

const EXEC_FOOTER = `
The exit code is the program's own (128 + n if signal n ended it). Others, with a message on stderr:
  124  its --timeout was over           126  it cannot be run: architecture, library, permission
  125  machine, kernel or harness broke  127  there is no such program
On several kernels: 0 if all are 0, 125 if a machine broke or a file from the guest is missing, else 1.
`;

/** The other end of a pipe was closed, or a terminal: nobody misses what is not written. */
const READER_IS_GONE: ReadonlySet<string> = new Set(['EPIPE', 'EIO']);

/** An installed package comes without what its own developers use. */
const IS_CHECKOUT = existsSync(join(PACKAGE_ROOT, 'harness', 'cli', 'main.ts'));

/** The command line. Each command's code is loaded when it is used. */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  let stdoutFailure: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Nothing ends here: a file with the results may be under way.
    stdoutFailure ??= error;
  });
  // Progress that nobody can read is no reason to lose the results.
  process.stderr.on('error', () => undefined);
  watchInterruptions();
  const program = createProgram(args, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    await new Promise<void>((resolve) => void process.stdout.write('', () => resolve()));
    if (stdoutFailure === undefined || READER_IS_GONE.has(stdoutFailure.code ?? '')) return exitCode;
    process.stderr.write(`ksym-matrix: the results cannot be written to stdout: ${stdoutFailure.message}\n`);
    return EXIT.broken;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return wasInterrupted() ? EXIT.interrupted : reportError(error);
  }
}

function createProgram(args: readonly string[], setExitCode: (code: number) => void): Command {
  const program = new Command('ksym-matrix')
    .description('Proves, kernel by kernel, where typed and typeless __ksym variables work, where not, and why.')
    .version(packageVersion())
    .configureHelp({ sortSubcommands: false })
    .addHelpText('after', FOOTER)
    .exitOverride();

  program
    .command('run')
    .description('run every program on every kernel of the matrix and print the grid')
    .addOption(new Option('-m, --matrix <file>', 'the matrix').default('matrix.yaml'))
    .addOption(new Option('-k, --kernel <name...>', 'only these kernels; * is a wildcard'))
    .addOption(new Option('-p, --program <name...>', 'only these programs; * is a wildcard'))
    .addOption(new Option('-l, --loader <name...>', 'only these loaders of the matrix; * is a wildcard'))
    .addOption(
      new Option('-j, --jobs <n>', 'machines at a time (default: what cores and memory carry)').argParser(positive),
    )
    .addOption(
      new Option('--isolate <what>', 'a machine for each cell, or for each kernel (default: kernel)').choices([
        'cell',
        'kernel',
      ]),
    )
    .addOption(new Option('--no-templates', 'boot every machine instead of saving and restoring one'))
    .addOption(new Option('--retries <n>', 'run a red cell again, up to n times').argParser(natural).default(0))
    .addOption(new Option('--pause-on-fail', 'stop at a red cell, with a shell in its machine'))
    .addOption(new Option('--flaky-ok', 'a cell that differs between retries does not make the run red'))
    .addOption(new Option('--accel <name>', 'how QEMU runs the guest').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .addOption(new Option('--append <parameters...>', 'kernel parameters for every machine'))
    .option('--locked', 'exactly the kernels of the lock file (kernels/kernels.lock.yaml)')
    .addOption(new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)"))
    .addOption(new Option('--json <file>', 'write everything to a file; - is stdout, in place of the grid'))
    .addOption(new Option('--setup', 'install what is missing first'))
    .action(async (options) => setExitCode(await (await import('./run.ts')).run(options)));

  program
    .command('logs')
    .description(
      'show the evidence of the last run: verifier logs, values, consoles of the red cells or of those asked for',
    )
    .addOption(new Option('-k, --kernel <name...>', 'cells of these kernels; * is a wildcard'))
    .addOption(new Option('-p, --program <name...>', 'cells of these programs; * is a wildcard'))
    .addOption(new Option('-l, --loader <name...>', 'cells of these loaders; * is a wildcard'))
    .addOption(new Option('--run <folder>', 'another run than the last'))
    .option('--json', 'print the cells as JSON')
    .action(async (options) => setExitCode(await (await import('./logs.ts')).logs(options)));

  program
    .command('ranges')
    .description('since when, and until when, each program works, by the results of the last run or of another')
    .argument('[results]', 'a file written with --json, or the folder of a run')
    .option('--json', 'print as JSON')
    .action(async (place, options) => setExitCode(await (await import('./ranges.ts')).ranges(place, options)));

  program
    .command('bisect')
    .description("find the kernel on which a program's outcome changes, by halves")
    .argument('<program>', 'a program of the matrix, or program@variant')
    .addOption(new Option('-m, --matrix <file>', 'the matrix').default('matrix.yaml'))
    .addOption(new Option('--variant <name>', 'a variant of the matrix'))
    .addOption(new Option('-l, --loader <name>', 'a loader of the matrix (default: ksym-matrix, or else its first)'))
    .addOption(new Option('-k, --kernel <name...>', 'only these kernels; * is a wildcard'))
    .addOption(new Option('--from <kernel>', 'not before this one'))
    .addOption(new Option('--to <kernel>', 'not after this one'))
    .addOption(
      new Option('--source <name>', 'all that a source has, in place of the kernels of the matrix').choices([
        'debian',
        'debian-snapshot',
        'ubuntu-mainline',
      ]),
    )
    .addOption(
      new Option('--flavour <name>', 'with --source: which build (default: cloud)').choices(['cloud', 'generic', 'rt']),
    )
    .addOption(new Option('--no-templates', 'boot every machine instead of saving and restoring one'))
    .addOption(new Option('--accel <name>', 'how QEMU runs the guest').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .addOption(new Option('--append <parameters...>', 'kernel parameters for every machine'))
    .addOption(new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)"))
    .option('--locked', 'exactly the kernels of the lock file (kernels/kernels.lock.yaml)')
    .option('--json', 'print what was found as JSON; the steps go to stderr')
    .addHelpText('after', '\nThe exit code is 0 if a change was found, 1 if both ends are alike.\n')
    .action(async (name, options) => setExitCode(await (await import('./bisect.ts')).bisect(name, options)));

  program
    .command('exec')
    .description('run a program of your own on kernels: its output, files and exit code come back')
    .usage('[options] <kernel...> -- <program> [argument...]')
    .configureOutput({
      outputError: (text, write) =>
        write(`${text}The program and its arguments come after --, as in: ksym-matrix exec 6.12 -- ./my-test -v\n`),
    })
    .argument('[kernel...]', 'kernels as in the matrix, or lines such as 6.12; then --, the program and its arguments')
    .addOption(new Option('--all', 'on every kernel of the matrix'))
    .addOption(new Option('--in <host:guest>', 'put a file or folder into the guest').argParser(collected))
    .addOption(new Option('--out <guest:host>', 'fetch a file or folder afterwards').argParser(collected))
    .addOption(new Option('--env <name=value>', 'environment variable of the program').argParser(collected))
    .addOption(new Option('--sysctl <name=value>', 'set before the program is started').argParser(collected))
    .addOption(new Option('--cwd <folder>', 'folder in the guest (default: as here)'))
    .addOption(new Option('--timeout <seconds>', 'kill the program after this time').argParser(positive))
    .addOption(new Option('--host-root', "let the guest see this host's files, read-only"))
    .addOption(new Option('--output-dir <folder>', 'write stdout and stderr to files, a folder for each kernel'))
    .addOption(new Option('-j, --jobs <n>', 'machines at a time').argParser(positive))
    .addOption(new Option('--json <file>', 'write the results to a file; - is stdout'))
    .addOption(new Option('-m, --matrix <file>', 'the matrix (default: matrix.yaml, if there is one)'))
    .addOption(new Option('--memory <MiB>', 'of the machine').argParser(positive))
    .addOption(new Option('--no-templates', 'boot the machine instead of restoring it'))
    .addOption(new Option('--accel <name>', 'how QEMU runs the guest').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .addOption(new Option('--append <parameter>', 'kernel parameter').argParser(collected))
    .option('--locked', 'exactly the kernels of the lock file (kernels/kernels.lock.yaml)')
    .addOption(new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)"))
    .addHelpText('after', EXEC_FOOTER)
    .action(async (words, options) => setExitCode(await (await import('./exec.ts')).exec(words, options, args)));

  program
    .command('shell')
    .description("an interactive shell on a kernel, with this host's files; a script if stdin is no terminal")
    .argument('<kernel>', 'as in the matrix, or a line such as 6.12')
    .addOption(new Option('--in <host:guest>', 'put a file or folder into the guest').argParser(collected))
    .addOption(new Option('--cwd <folder>', 'folder in the guest (default: as here)'))
    .addOption(new Option('--no-host-root', "without this host's files: busybox alone"))
    .addOption(new Option('-m, --matrix <file>', 'the matrix (default: matrix.yaml, if there is one)'))
    .addOption(new Option('--memory <MiB>', 'of the machine').argParser(positive))
    .addOption(new Option('--no-templates', 'boot the machine instead of restoring it'))
    .addOption(new Option('--accel <name>', 'how QEMU runs the guest').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .addOption(new Option('--append <parameter>', 'kernel parameter').argParser(collected))
    .option('--locked', 'exactly the kernels of the lock file (kernels/kernels.lock.yaml)')
    .addOption(new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)"))
    .addHelpText(
      'after',
      "\nLeave with exit or Ctrl-D; Ctrl-] ends the machine at once. The exit code is the shell's; 125: see stderr.\n",
    )
    .action(async (kernel, options) => setExitCode(await (await import('./shell.ts')).shell(kernel, options)));

  program
    .command('doctor')
    .description('say what is there, what is missing, and which accelerator works')
    .option('--json', 'print as JSON')
    .action(async (options) => setExitCode(await (await import('./doctor.ts')).doctor(options)));

  addReportCommands(program, setExitCode);
  addComparisonCommands(program, setExitCode);
  addGithubCommands(program, setExitCode);
  addKernelCommands(program, setExitCode);
  addLoaderCommands(program, setExitCode);

  program
    .command('setup')
    .description('install what is missing and build the agent')
    .option('--tests', 'also what the tests need')
    .action(async (options) => setExitCode(await (await import('./setup.ts')).setup(options)));

  program
    .command('schema')
    .description('write the JSON schemas of matrix.yaml and programs, for editors, and of results')
    .argument('[folder]', 'where to', join(PACKAGE_ROOT, 'schema'))
    .action(async (folder) => setExitCode(await (await import('./schema.ts')).writeSchemas(folder)));

  if (IS_CHECKOUT) addDeveloperCommands(program, setExitCode);

  program
    .command('picture', { hidden: true })
    .description('the grid of the last run, or of another, as an SVG image')
    .argument('[results]', 'a file written with --json, or the folder of a run')
    .action(async (place) => setExitCode(await (await import('./picture.ts')).picture(place)));

  for (const command of program.commands.flatMap((one) => [one, ...one.commands])) {
    command.exitOverride().showSuggestionAfterError();
  }
  return program;
}

/** For options that may be given several times, each with one value, so that an operand may follow. */
function collected(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
