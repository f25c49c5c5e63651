import { resolve } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { formatBytes } from '../report/bytes.ts';
import { showControls } from '../report/formats/control-characters.ts';
import { type Comparison, compareResults } from '../results/compare.ts';
import { readHistory } from '../results/history.ts';
import { readResults } from '../results/read.ts';
import type { RunResults } from '../results/results.ts';
import { EXIT } from './exit-codes.ts';
import { requirePlace, writeOutput } from './output-place.ts';
import { REPORT_FORMATS, type ReportExtra, type ReportFormat } from './report-formats.ts';

/** Options of `report`. */
export interface ReportCommandOptions {
  readonly format: ReportFormat;
  readonly output?: string;
  readonly base?: string;
  readonly history?: string;
  /** Ends with a slash. */
  readonly siteUrl?: string;
}

/** Where the site goes unless it is said. */
const SITE_FOLDER = 'report';

/** `ksym-matrix report`: results in another format. */
export async function report(place: string | undefined, options: ReportCommandOptions): Promise<number> {
  warnAboutUnused(options);
  const { format, output } = options;
  if (format === 'html') await requirePlace(folderOf(output), 'folder', '--output');
  else if (output !== undefined && output !== '-') await requirePlace(output, 'file', '--output');
  const results = await readResults(place);
  const comparison = await compareWith(results, options);
  if (format === 'html') return writeHtml(results, comparison, options);
  await writeOutput(output, await RENDERERS[format](results, comparison, options));
  return EXIT.ok;
}

type Renderer = (
  results: RunResults,
  comparison: Comparison | undefined,
  options: ReportCommandOptions,
) => Promise<string | Iterable<string>>;

const RENDERERS: Readonly<Record<Exclude<ReportFormat, 'html'>, Renderer>> = {
  terminal: async (results, comparison, { output }) => {
    const { PLAIN, renderTerminal } = await import('../report/formats/terminal.ts');
    const { renderComparison } = await import('../report/comparison.ts');
    const { paintFor } = await import('../report/paint.ts');
    const { terminalWidth } = await import('../report/terminal-width.ts');
    const onScreen = output === undefined || output === '-';
    const paint = onScreen ? paintFor(process.stdout) : PLAIN;
    const width = onScreen ? terminalWidth(process.stdout) : undefined;
    return renderTerminal(
      results,
      paint,
      width,
      comparison === undefined ? [] : [renderComparison(comparison, paint, width)],
    );
  },
  markdown: async (results, comparison, { siteUrl }) => {
    const { renderMarkdown } = await import('../report/markdown/render-markdown.ts');
    return renderMarkdown(results, extras(comparison, siteUrl));
  },
  junit: async (results) => (await import('../report/formats/junit.ts')).renderJunit(results),
  tap: async (results) => (await import('../report/formats/tap.ts')).renderTap(results),
  json: async (results) => (await import('../report/formats/json.ts')).renderJson(results),
  compat: async (results) => (await import('../report/formats/compat.ts')).renderCompat(results),
  badge: async (results) => (await import('../report/formats/badge.ts')).renderBadge(results),
  'github-summary': async (results, comparison, { siteUrl }) => {
    const { renderJobSummary } = await import('../report/markdown/job-summary.ts');
    return renderJobSummary(results, extras(comparison, siteUrl));
  },
  'github-annotations': async (results, comparison) => {
    const { renderAnnotations } = await import('../report/markdown/annotations.ts');
    return renderAnnotations(results, extras(comparison, undefined));
  },
};

async function writeHtml(
  results: RunResults,
  comparison: Comparison | undefined,
  { output, history, siteUrl }: ReportCommandOptions,
): Promise<number> {
  const { writeSite } = await import('../report/site/write-site.ts');
  const folder = resolve(folderOf(output));
  const runs = history === undefined ? undefined : await readHistory(history, { onWarning: warn });
  const { files, bytes } = await writeSite(results, folder, {
    ...(comparison === undefined ? {} : { comparison }),
    ...(runs === undefined ? {} : { history: runs }),
    ...(siteUrl === undefined ? {} : { baseUrl: siteUrl }),
  });
  process.stdout.write(
    `${folder}: ${files} files, ${formatBytes(bytes)}\nopen ${resolve(folder, 'index.html')} in a browser\n`,
  );
  return EXIT.ok;
}

/** @throws ExplainedError `output-has-no-place` */
function folderOf(output: string | undefined): string {
  if (output !== '-') return output ?? SITE_FOLDER;
  throw new ExplainedError('output-has-no-place', 'a site cannot be written to stdout', {
    where: '--output -',
    fix: 'name a folder',
  });
}

async function compareWith(
  results: RunResults,
  { base, format }: ReportCommandOptions,
): Promise<Comparison | undefined> {
  if (base === undefined || !uses(format, 'base')) return undefined;
  return compareResults(await readResults(base), results);
}

/** An option that does nothing is told, and harms nobody. */
function warnAboutUnused(options: ReportCommandOptions): void {
  const names = { base: '--base', history: '--history', siteUrl: '--site-url' } as const;
  for (const key of ['base', 'history', 'siteUrl'] as const) {
    if (options[key] !== undefined && !uses(options.format, key)) {
      warn(`${names[key]} changes nothing about --format ${options.format}`);
    }
  }
}

function uses(format: ReportFormat, extra: ReportExtra): boolean {
  const all: readonly ReportExtra[] = REPORT_FORMATS[format].uses;
  return all.includes(extra);
}

/** Names and excerpts of files of the history may be part of it. */
function warn(text: string): void {
  process.stderr.write(`ksym-matrix: ${showControls(text)}\n`);
}

function extras(
  comparison: Comparison | undefined,
  siteUrl: string | undefined,
): { readonly comparison?: Comparison; readonly siteUrl?: string } {
  return { ...(comparison === undefined ? {} : { comparison }), ...(siteUrl === undefined ? {} : { siteUrl }) };
}
