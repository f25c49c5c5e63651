import { CHANGE_KINDS, type Comparison } from '../../results/compare.ts';
import { comparedLoaders } from '../../results/disagreements.ts';
import type { Origin, RunResults } from '../../results/results.ts';
import { viewLoaders } from '../loaders/loaders-view.ts';
import { summarizeLoaders } from '../loaders/text.ts';
import type { Part } from './budget.ts';
import { codeSpan, inlineText, link, tableHead, tableRow, webAddress } from './escape.ts';
import { CELLS, counted, countRed, countsInWords, elsewhere, type MarkdownOptions } from './phrases.ts';

/** What a run came to in one line of plain text: `✖ 12 of 550 cells are red, 4 regressed`. */
export function headline({ totals, cells, complete }: RunResults, comparison?: Comparison): string {
  const red = countRed(totals);
  const state =
    red === 0
      ? // What is missing may be red.
        `${complete ? '✔' : '!'} ${cells.length === 1 ? 'the only cell is' : `all ${cells.length} cells are`} as expected`
      : `✖ ${red} of ${counted(cells.length, CELLS)} ${red === 1 ? 'is' : 'are'} red`;
  const regressed = comparison?.counts.regressed ?? 0;
  return [
    cells.length === 0 ? '! no cell was run' : state,
    ...(regressed > 0 ? [`${regressed} regressed`] : []),
    ...(complete ? [] : ['the run was interrupted']),
  ].join(', ');
}

/** What changed in one line of Markdown: `Since e2b1…: 4 regressed, 1 new; 545 unchanged.` */
export function changesLine({ base, counts, unchanged }: Comparison): string {
  const found = CHANGE_KINDS.filter((kind) => counts[kind] > 0).map((kind) => `${counts[kind]} ${kind}`);
  const since = `Since ${commitLink(base.origin) ?? `run ${codeSpan(base.id)}`}`;
  if (found.length === 0) return `${since} no cell changed.`;
  return `${since}: ${found.join(', ')}; ${unchanged} unchanged.`;
}

/** The first lines of a comment or summary: heading, what was run, what changed. */
export function shortHead(results: RunResults, { comparison, siteUrl }: MarkdownOptions, runUrl?: string): Part[] {
  const { matrix, kernels, programs, loaders, host, totals, cells } = results;
  const commit = commitLink(results.origin);
  const facts = [
    ...(cells.length === 0 ? [] : [countsInWords(totals)]),
    `${counted(programs.length, PROGRAMS)} × ${counted(kernels.length, KERNELS)} × ${counted(loaders.length, LOADERS)}`,
    ...(commit === null ? [] : [`commit ${commit}${modifiedNote(results.origin)}`]),
    host.accelerator.toUpperCase(),
    ...[link('full report', siteUrl), link('run', runUrl ?? results.origin.url)].filter((text) => text.startsWith('[')),
  ];
  const title = matrix.title === null ? '' : `${inlineText(matrix.title)}: `;
  const lines = [`## ${title}${headline(results, comparison)}\n`, `\n${facts.join(' · ')}\n`];
  if (comparison !== undefined) lines.push(`\n${changesLine(comparison)}\n`);
  const heading = lines[0] ?? '';
  return [{ texts: [lines.join(''), heading], priority: 0, noun: { one: 'the heading', many: null } }];
}

/** The head of the whole report, with everything that tells this run from others. */
export function fullHead(results: RunResults, { comparison, siteUrl }: MarkdownOptions): Part[] {
  const { id, startedAt, tool, origin, matrix, host, engine, shards, totals, loaders } = results;
  const rows: [string, string][] = [
    ['Cells', countsInWords(totals)],
    ['Run', link(codeSpan(id), origin.url) + (shards > 1 ? `, merged from ${shards} shards` : '')],
    ['Started', codeSpan(startedAt)],
    ['Commit', `${commitLink(origin) ?? 'unknown'}${modifiedNote(origin)}`],
    ['Matrix', codeSpan(matrix.path)],
    ['Loaders', loaders.map(({ name, version }) => `${codeSpan(name)} ${inlineText(version)}`).join(', ')],
    ['Accelerator', `${host.accelerator.toUpperCase()}: ${inlineText(host.acceleratorReason)}`],
    ['Isolation', `${engine.isolation}: ${inlineText(engine.isolationReason)}`],
    [
      'Software',
      [`ksym-matrix ${tool.version}`, host.clang, host.qemu, `virtme-ng ${host.virtmeNg}`, `Node ${host.node}`]
        .map(inlineText)
        .join(', '),
    ],
  ];
  const differences = comparedLoaders(results);
  if (differences !== undefined)
    rows.push(['Compared', inlineText(summarizeLoaders(viewLoaders(results, differences)))]);
  if (comparison !== undefined) rows.push(['Difference', changesLine(comparison)]);
  const title = matrix.title === null ? 'ksym-matrix' : inlineText(matrix.title);
  const site = webAddress(siteUrl) === null ? '' : ` · ${elsewhere(siteUrl, null)}`;
  const table = rows.map(([name, text]) => tableRow([`**${name}**`, text])).join('');
  const text = `# ${title}\n\n**${headline(results, comparison)}**${site}\n\n${tableHead(['', ''])}${table}`;
  return [{ texts: [text], priority: 0, noun: { one: 'the heading', many: null } }];
}

/** A commit's first digits, linked where the run's own address tells on which server its repository is; null if it is not known. */
export function commitLink({ repository, commit, url }: Origin): string | null {
  if (commit === null) return null;
  const text = codeSpan(commit.slice(0, SHOWN_DIGITS));
  if (repository === null || !/^[\w.-]+\/[\w.-]+$/.test(repository) || webAddress(url) === null) return text;
  const root = new URL(`/${repository}`, url ?? undefined).href;
  return url?.startsWith(`${root}/`) ? link(text, `${root}/commit/${commit}`) : text;
}

const SHOWN_DIGITS = 12;
const PROGRAMS = { one: 'program', many: 'programs' };
const KERNELS = { one: 'kernel', many: 'kernels' };
const LOADERS = { one: 'loader', many: 'loaders' };

function modifiedNote({ modified }: Origin): string {
  return modified === true ? ', with changed files' : '';
}
