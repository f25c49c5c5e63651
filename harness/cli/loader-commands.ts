import { type Command, Option } from 'commander';

/** Adds `loaders` with its commands. Each command's code is loaded when it is used. */
export function addLoaderCommands(program: Command, setExitCode: (code: number) => void): void {
  const loaders = program
    .command('loaders')
    .description('look at the loaders of a matrix, build them before they are needed, make room in the cache');

  loaders
    .command('list', { isDefault: true })
    .description('the loaders of the matrix and what they are made of; the versions that Debian has')
    .addOption(matrix())
    .addOption(mirror())
    .option('--json', 'print as JSON')
    .action(async (options) => setExitCode(await (await import('./loaders-list.ts')).listLoaders(options)));

  loaders
    .command('build')
    .description('build loaders of the matrix ahead of a run')
    .argument('[name...]', 'as in the grid; * is a wildcard (default: all)')
    .addOption(matrix())
    .addOption(mirror())
    .option('--json', 'print as JSON')
    .action(async (names, options) =>
      setExitCode(await (await import('./loaders-build.ts')).buildLoaders(names, options)),
    );

  loaders
    .command('gc')
    .description('remove builds of loaders that no request stands for any more')
    .option('--parts', 'also what is needed only for building: compilers, unpacked packages')
    .option('--dry-run', 'only say what would go')
    .option('--json', 'print as JSON')
    .action(async (options) => setExitCode(await (await import('./loaders-gc.ts')).collectLoaders(options)));
}

function matrix(): Option {
  return new Option('-m, --matrix <file>', 'the matrix (default: matrix.loaders.yaml or matrix.yaml, if there is one)');
}

function mirror(): Option {
  return new Option('--debian-mirror <url>', "a Debian mirror (default: the system's own)");
}
