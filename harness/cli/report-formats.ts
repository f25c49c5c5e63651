/** What of the command's options a format can use. */
export type ReportExtra = 'base' | 'history' | 'siteUrl';

/** The formats of `report`, in the order of --help: what each is for, and which further options it can use. The code that makes them is loaded when it is used. */
export const REPORT_FORMATS = {
  terminal: { about: 'the grid, and why, as run prints it', uses: ['base'] },
  html: { about: 'a site that opens from disk, in a folder (default: report)', uses: ['base', 'history', 'siteUrl'] },
  markdown: { about: 'the whole report for a file or a wiki', uses: ['base', 'siteUrl'] },
  junit: { about: 'JUnit XML, for Jenkins, GitLab and others', uses: [] },
  tap: { about: 'TAP 14, for harnesses of tests', uses: [] },
  json: { about: 'the results themselves, in one order', uses: [] },
  compat: { about: 'compat.json: since and until when each program works', uses: [] },
  badge: { about: 'JSON that shields.io makes a badge of', uses: [] },
  'github-summary': { about: 'Markdown for $GITHUB_STEP_SUMMARY, 1 MiB at most', uses: ['base', 'siteUrl'] },
  'github-annotations': { about: 'workflow commands that mark lines of C in a pull request', uses: ['base'] },
} as const satisfies Readonly<Record<string, { readonly about: string; readonly uses: readonly ReportExtra[] }>>;

/** The name of a format. */
export type ReportFormat = keyof typeof REPORT_FORMATS;

/** All formats, for --help: a line each. */
export function describeFormats(): string {
  const names = Object.keys(REPORT_FORMATS);
  const width = Math.max(...names.map((name) => name.length));
  return Object.entries(REPORT_FORMATS)
    .map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}\n`)
    .join('');
}
