import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseBytes } from '../report/bytes.ts';

/** Adds `kernels` with its commands. Each command's code is loaded when it is used. */
export function addKernelCommands(program: Command, setExitCode: (code: number) => void): void {
  const kernels = program
    .command('kernels')
    .description('look at kernels, get them before they are needed, make room in the cache');

  kernels
    .command('list')
    .description('the kernels that can be had, what is in the cache, and what it takes')
    .addOption(matrix())
    .addOption(flavour())
    .addOption(mirror())
    .option('--refresh', 'read the package lists anew')
    .option('--json', 'print as JSON')
    .action(async (options) => setExitCode(await (await import('./kernels-list.ts')).listKernels(options)));

  kernels
    .command('pull')
    .description("get the newest of the given kernels, or of the matrix's")
    .argument('[name...]', 'as in the matrix, a line such as 6.12 or 6.12-generic, latest, or an exact version')
    .addOption(matrix())
    .addOption(flavour())
    .option('--locked', 'exactly the kernels of the lock file')
    .addOption(mirror())
    .option('--json', 'print as JSON')
    .action(async (names, options) =>
      setExitCode(await (await import('./kernels-pull.ts')).pullKernels(names, options)),
    );

  kernels
    .command('info')
    .description('all that is known of a kernel, with the facts of its last boot')
    .argument('<name>', 'as in the matrix, a line, latest, an exact version, or a folder of the cache')
    .addOption(matrix())
    .addOption(flavour())
    .option('--boot', 'boot it now for its facts, if there are none of an earlier boot')
    .addOption(mirror())
    .option('--json', 'print as JSON')
    .action(async (name, options) => setExitCode(await (await import('./kernels-info.ts')).kernelInfo(name, options)));

  kernels
    .command('update')
    .description(
      'ask every source of the matrix for newer kernels, new lines and lines that are gone; bring the lock file up to date',
    )
    .addOption(matrix())
    .option('--lock', 'write a lock file if there is none yet')
    .option('--check', 'change nothing; exit with 1 if something would change')
    .addOption(mirror())
    .option('--json', 'print as JSON')
    .action(async (options) => setExitCode(await (await import('./kernels-update.ts')).updateKernels(options)));

  kernels
    .command('rm')
    .description('remove kernels from the cache, with their packages and machines')
    .argument('<name...>', 'as for info; * is a wildcard')
    .addOption(matrix())
    .option('--json', 'print as JSON')
    .action(async (names, options) =>
      setExitCode(await (await import('./kernels-rm.ts')).removeKernels(names, options)),
    );

  kernels
    .command('gc')
    .description('remove from the cache what was used least recently, until it is small enough')
    .addOption(
      new Option('--keep <size>', 'what the cache may take, such as 5GB, 500MB or 2GiB')
        .argParser(size)
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'only say what would go')
    .option('--json', 'print as JSON')
    .action(async (options) => setExitCode(await (await import('./kernels-gc.ts')).collectGarbage(options)));
}

function matrix(): Option {
  return new Option('-m, --matrix <file>', 'the matrix (default: matrix.yaml, if there is one)');
}

function flavour(): Option {
  return new Option('--flavour <name>', "which of Debian's builds")
    .choices(['cloud', 'generic', 'rt'])
    .default('cloud');
}

function mirror(): Option {
  return new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)");
}

function size(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === null) throw new InvalidArgumentError('a number with a unit is wanted, such as 5GB, 500MB or 2GiB');
  return bytes;
}
