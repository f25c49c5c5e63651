import type { ChangeKind } from '../../results/compare.ts';
import { NOT_RUN_LETTER, VERDICT_LETTERS } from '../../results/history.ts';
import type { CellResult } from '../../results/results.ts';
import type { Verdict } from '../../results/verdicts.ts';
import { LOOKS, lookOf } from '../looks.ts';
import { attribute, type Html, html } from './html.ts';
import { formatCount } from './page.ts';
import type { Site } from './site.ts';

/** What each kind of change is called, and the sign that stands beside a cell of it. */
export const CHANGE_LOOKS: Readonly<
  Record<ChangeKind, { readonly word: string; readonly sign: string; readonly means: string }>
> = {
  regressed: { word: 'regressed', sign: '▼', means: 'red now, and was not' },
  flaky: { word: 'flaky now', sign: '≈', means: 'ended differently when it was run again' },
  vanished: { word: 'vanished', sign: '−', means: 'only in the base run' },
  changed: { word: 'changed', sign: '◆', means: 'another verdict, class or phase' },
  new: { word: 'new', sign: '+', means: 'only in this run' },
  fixed: { word: 'fixed', sign: '▲', means: 'was red, and is not' },
};

/** The class of elements that are in a verdict's colours. */
export function verdictClass(verdict: Verdict): string {
  return VERDICT_LETTERS[verdict];
}

/** A verdict's word without its symbol. */
export function wordOf(verdict: Verdict): string {
  return lookOf(verdict).replace(/^\S+ /, '');
}

/** A symbol and a word in the verdict's colours. */
export function badge(verdict: Verdict): Html {
  return html`<span class="badge ${verdictClass(verdict)}">${lookOf(verdict)}</span>`;
}

/** A symbol, how many, and a word. */
export function countBadge(verdict: Verdict, count: number): Html {
  const [symbol = ''] = lookOf(verdict).split(' ');
  return html`<span class="badge ${verdictClass(verdict)}">${symbol} <b>${formatCount(count)}</b> ${wordOf(verdict)}</span>`;
}

/** What a cell of a grid shows. */
export interface CellLook {
  /** Address relative to the page; null for no link. */
  readonly href: string | null;
  /** Whether words are in it, shown or read aloud. */
  readonly words: boolean;
}

/** A cell of a grid; undefined for one that was not run. */
export function gridCell(site: Site, cell: CellResult | undefined, look: CellLook): Html {
  if (cell === undefined) {
    return html`<td${attribute('class', NOT_RUN_CLASS)}>${look.words ? html`<span title="not run">${NOT_RUN_LETTER}<b> not run</b></span>` : NOT_RUN_LETTER}`;
  }
  const { verdict, outcome } = cell;
  const number = site.classes.indexOf(outcome.class);
  const change = site.changeOf(cell);
  const head = html`<td${attribute('class', verdictClass(verdict))}${attribute('data-c', number < 0 ? null : number)}${attribute('data-d', change)}>`;
  const { symbol } = LOOKS[verdict];
  const sign =
    change === null
      ? null
      : html`<i title="${CHANGE_LOOKS[change].word}">${CHANGE_LOOKS[change].sign}<b> ${CHANGE_LOOKS[change].word}</b></i>`;
  const content = look.words ? wordsOf(verdict) : html`${symbol}`;
  if (look.href === null) return html`${head}${content}${sign}`;
  return html`${head}<a${attribute('href', look.href)}${attribute('title', outcome.class === 'ok' ? null : outcome.class)}>${content}</a>${sign}`;
}

/** The symbol and the word; where the word does not fit, a style hides it and shows the verdict's own character. */
function wordsOf(verdict: Verdict): Html {
  const { symbol, text } = LOOKS[verdict];
  return text.startsWith(symbol)
    ? html`${symbol}<b> ${wordOf(verdict)}</b>`
    : html`<s aria-hidden=true>${symbol}</s><b>${text}</b>`;
}

const NOT_RUN_CLASS = 'n';
