/*
 * What the bench `report` runs in a process of its own, so that the memory of each step is its own: `node report-worker.js make KERNELS PROGRAMS
 * LOADERS FILE` writes results, `node report-worker.js report FILE FOLDER` makes every report of them. What was measured goes to stdout as JSON.
 */
import { renderBadge } from '../report/formats/badge.ts';
import { renderCompat } from '../report/formats/compat.ts';
import { renderJson } from '../report/formats/json.ts';
import { renderJunit } from '../report/formats/junit.ts';
import { renderTap } from '../report/formats/tap.ts';
import { PLAIN, renderTerminal } from '../report/formats/terminal.ts';
import { renderAnnotations } from '../report/markdown/annotations.ts';
import { renderCheckOutput } from '../report/markdown/check-output.ts';
import { renderComment } from '../report/markdown/comment.ts';
import { renderJobSummary } from '../report/markdown/job-summary.ts';
import { renderMarkdown } from '../report/markdown/render-markdown.ts';
import { writeSite } from '../report/site/write-site.ts';
import { readResults } from '../results/read.ts';
import type { RunResults } from '../results/results.ts';
import { resultsJson } from '../results/results-json.ts';
import { writeWhole } from '../results/write.ts';
import { generateResults } from './generated-results.ts';

/** What the worker measured: milliseconds and bytes by name, and what could not be made, with why. */
export interface WorkerReport {
  readonly times: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

const TEXTS: Readonly<Record<string, (results: RunResults) => string | Iterable<string>>> = {
  terminal: (results) => renderTerminal(results, PLAIN, undefined, []),
  markdown: (results) => renderMarkdown(results),
  'job summary': (results) => renderJobSummary(results),
  annotations: (results) => renderAnnotations(results),
  comment: (results) => renderComment(results),
  'check run': (results) => JSON.stringify(renderCheckOutput(results)),
  junit: renderJunit,
  tap: renderTap,
  badge: renderBadge,
  compat: renderCompat,
  json: renderJson,
};

const [task, ...args] = process.argv.slice(2);
if (task === 'make') {
  const [kernels = '', programs = '', loaders = '', file = ''] = args;
  const size = { kernels: Number(kernels), programs: Number(programs), loaders: Number(loaders) };
  await writeWhole(file, resultsJson(generateResults(size)));
} else {
  const [file = '', folder = ''] = args;
  process.stdout.write(JSON.stringify(await reportAll(file, folder)));
}

async function reportAll(file: string, folder: string): Promise<WorkerReport> {
  const times: Record<string, number> = {};
  const sizes: Record<string, number> = {};
  const failures: string[] = [];
  const time = async <T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    const start = performance.now();
    try {
      return await work();
    } catch (error) {
      failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    } finally {
      times[what] = performance.now() - start;
    }
  };
  const results = await time('results read and checked', () => readResults(file));
  if (results === undefined) return { times: {}, sizes, failures };
  sizes['memory with the results'] = process.memoryUsage().rss;
  const site = await time('site', () => writeSite(results, folder));
  if (site !== undefined) sizes.site = site.bytes;
  sizes['memory with the site'] = process.resourceUsage().maxRSS * 1024;
  for (const [name, render] of Object.entries(TEXTS)) {
    const size = await time(name, () => sizeOf(render(results)));
    if (size !== undefined) sizes[name] = size;
  }
  sizes['memory at most'] = process.resourceUsage().maxRSS * 1024;
  return { times, sizes, failures };
}

/** Bytes of a text, or of its pieces, which are not kept. */
function sizeOf(text: string | Iterable<string>): number {
  let size = 0;
  for (const piece of typeof text === 'string' ? [text] : text) size += Buffer.byteLength(piece);
  return size;
}
