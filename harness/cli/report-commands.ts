import { type Command, InvalidArgumentError, Option } from 'commander';
import { describeFormats, REPORT_FORMATS } from './report-formats.ts';

/** Adds `report`. Its code is loaded when it is used. */
export function addReportCommands(program: Command, setExitCode: (code: number) => void): void {
  program
    .command('report')
    .description('the results of the last run, or of another, in any format')
    .argument('[results]', 'a file written with --json, or the folder of a run')
    .addOption(new Option('-f, --format <name>', 'see below').choices(Object.keys(REPORT_FORMATS)).default('terminal'))
    .addOption(new Option('-o, --output <path>', 'a file, or a folder for html; - is stdout (default: -)'))
    .addOption(new Option('--base <results>', 'say what differs from another run'))
    .addOption(new Option('--history <folder>', 'show earlier runs: what `history add` keeps'))
    .addOption(new Option('--site-url <url>', 'where the HTML site will be, for links').argParser(address))
    .addHelpText('after', `\nFormats:\n${describeFormats()}\nThe exit code is 0, whatever the verdicts are.\n`)
    .action(async (place, options) => setExitCode(await (await import('./report.ts')).report(place, options)));
}

/** With a slash at its end, so that addresses of pages can be put behind it. */
function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('an address is wanted, such as https://example.org/report/');
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}
