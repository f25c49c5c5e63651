import type { CellResult, SplatResult } from '../../results/results.ts';
import { whereOf } from './cell-tables.ts';
import { type Html, html, join } from './html.ts';
import { counted } from './page.ts';

/** The verifier's logs of cells, each once; lines of the C source in them are set apart. Open if the verifier decided. */
export function verifierLogs(cells: readonly CellResult[]): Html[] {
  return distinct(cells, ({ verifierLog }) =>
    verifierLog === null || verifierLog.trim() === '' ? null : verifierLog,
  ).map(({ text, cells: own }, index) => {
    const open = index === 0 && own.some(({ outcome }) => outcome.class === 'verifier-rejected');
    return html`<details${open && html` open`}><summary>Verifier log${onWhich(cells, own)} <span class="soft">${counted(countLines(text), 'line')}</span></summary><pre class="log" tabindex="0">${join(text.trimEnd().split('\n').map(logLine), '\n')}</pre></details>`;
  });
}

/** What the console printed while cells ran, each text once. */
export function consoleExcerpts(cells: readonly CellResult[]): Html[] {
  return distinct(cells, ({ console }) => (console.length === 0 ? null : console.join('\n'))).map(
    ({ text, cells: own }) =>
      html`<details${own.some(isBroken) && html` open`}><summary>Console${onWhich(cells, own)} <span class="soft">${counted(countLines(text), 'line')}</span></summary><pre class="log" tabindex="0">${text}</pre></details>`,
  );
}

/** What other loaders printed, the same once; folded away, because its gist is the outcome. */
export function loaderOutputs(cells: readonly CellResult[]): Html[] {
  return distinct(cells, ({ loaderOutput = [] }) => (loaderOutput.length === 0 ? null : loaderOutput.join('\n'))).map(
    ({ text, cells: own }) =>
      html`<details><summary>What the loader printed${onWhich(cells, own)} <span class="soft">${counted(countLines(text), 'line')}</span></summary><pre class="log" tabindex="0">${text}</pre></details>`,
  );
}

/** What kernels complained of, with the report where there is one. */
export function splatList(cells: readonly CellResult[]): Html | null {
  const all = new Map<string, SplatResult>();
  for (const splat of cells.flatMap(({ splats }) => splats)) all.set(`${splat.rule}\0${splat.text}`, splat);
  if (all.size === 0) return null;
  const shown = [...all.values()].slice(0, MOST_SPLATS);
  const items = shown.map(
    ({ rule, kind, text, allowed, lines }) =>
      html`<li><b>${kind}</b> <span class="soft">(${rule})</span> <code>${text}</code>${allowed !== null && html`<br><span class="soft">does not count: ${allowed}</span>`}${lines.length > 0 && html`<details><summary>${counted(lines.length, 'line')}</summary><pre class="log" tabindex="0">${lines.join('\n')}</pre></details>`}`,
  );
  return html`<h4>The kernel complained</h4><ul>${join(items)}${all.size > shown.length && html`<li>${all.size - shown.length} more, on the console`}</ul>`;
}

const MOST_SPLATS = 10;

/** A cell that crashed or fell silent is told by its console. */
function isBroken({ verdict, outcome }: CellResult): boolean {
  return verdict === 'panic' || verdict === 'timeout' || outcome.class === 'kernel-panic';
}

function onWhich(all: readonly CellResult[], own: readonly CellResult[]): string {
  return own.length === all.length ? '' : ` on ${whereOf(own, 6)}`;
}

/** Texts that are the same in several cells, with the cells that have them, in the order of the cells. */
function distinct(
  cells: readonly CellResult[],
  textOf: (cell: CellResult) => string | null,
): { text: string; cells: CellResult[] }[] {
  const groups = new Map<string, CellResult[]>();
  for (const cell of cells) {
    const text = textOf(cell);
    if (text === null) continue;
    const group = groups.get(text);
    if (group === undefined) groups.set(text, [cell]);
    else group.push(cell);
  }
  return [...groups].map(([text, own]) => ({ text, cells: own }));
}

function countLines(text: string): number {
  return text.trimEnd().split('\n').length;
}

/** The verifier writes `; SOURCE` above the instructions of each line (kernel/bpf/verifier.c, verbose_linfo). */
function logLine(line: string): Html {
  if (line.startsWith(';')) return html`<span class="src">${line}</span>`;
  if (/^(\d+: |processed \d|from \d|func#|R\d+=|last_idx|regs=|Live regs|mark_precise|parent )/.test(line))
    return html`${line}`;
  return html`<b>${line}</b>`;
}
