import { type Command, InvalidArgumentError, Option } from 'commander';

const FOOTER = `
Environment:
  GITHUB_TOKEN (or GH_TOKEN)  the token; it is never an option, since everybody can read those
  GITHUB_EVENT_PATH           the event: workflow_run, pull_request or push
  GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_SERVER_URL, GITHUB_RUN_ID  as a workflow sets them

The job needs permissions: checks: write (for --check), pull-requests: write (for the comment).
Results are taken for what a stranger wrote; which commit and pull request they are for, the event says.
A pull request that was closed, or has newer commits, gets no comment, and that is no error.
`;

/** Adds `github` with its commands. Each command's code is loaded when it is used. */
export function addGithubCommands(program: Command, setExitCode: (code: number) => void): void {
  const github = program.command('github').description('put results where a pull request shows them');

  github
    .command('publish')
    .description('one comment on the pull request, kept up to date, and a check run with annotations')
    .requiredOption('--results <place>', 'results.json, or a folder with it alone, and base.json if need be')
    .option('--base <file>', 'results that they are compared with')
    .option('--site-url <url>', 'where the site with these results is')
    .addOption(
      new Option('--comment <when>', 'on the pull request').choices(['always', 'changes', 'off']).default('changes'),
    )
    .option('--check', 'make a check run')
    .addOption(
      new Option('--fail-on <what>', 'changes that fail the check run, as in diff (default: every red cell)').argParser(
        listed,
      ),
    )
    .addOption(
      new Option('--name <name>', 'of the check run; tells comments apart').argParser(named).default('ksym-matrix'),
    )
    .option('--event <file>', "the event's payload, in place of GITHUB_EVENT_PATH")
    .option('--comment-author <login>', "whose token it is, if it is not the workflow's own")
    .addOption(new Option('--token-fd <n>', 'read the token from this file descriptor').argParser(descriptor))
    .option('--dry-run', 'print what would be sent, and send nothing')
    .addHelpText('after', FOOTER)
    .action(async (options) => setExitCode(await (await import('./github-publish.ts')).githubPublish(options)));
}

function listed(text: string): string[] {
  return text.split(',').map((one) => one.trim());
}

function named(text: string): string {
  if (/^[\w.-]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError('up to 100 letters, digits, dots, dashes and underscores are wanted');
}

function descriptor(text: string): number {
  const value = Number(text);
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('the number of an open file descriptor is wanted');
  return value;
}
