import type { CellResult, ProgramResult } from '../../results/results.ts';
import { type Html, html, join } from './html.ts';

/** The C source with a number and an id for each line; lines that decided cells are marked and say why. */
export function sourceListing({ source, text }: ProgramResult, cells: readonly CellResult[]): Html {
  const notes = new Map<number, Set<string>>();
  for (const { location } of cells) {
    if (location === null || location.path !== source) continue;
    notes.set(location.line, (notes.get(location.line) ?? new Set()).add(location.about));
  }
  const lines = text
    .replace(/\n$/, '')
    .split('\n')
    .map((line, index) => {
      const number = index + 1;
      const about = [...(notes.get(number) ?? [])];
      return html`<span class="line${about.length > 0 && ' hit'}" id="L${number}"><span>${number}</span><code>${line === '' ? ' ' : line}</code>${about.length > 0 && html`<em>← ${about.join('; ')}</em>`}</span>`;
    });
  return html`<div class="listing" tabindex="0" role="region" aria-label="C source">${join(lines)}</div>`;
}

/** A link to the line that decided a cell, and the line; null if nothing tells. */
export function decidingLine({ location }: CellResult, { source }: ProgramResult): Html | null {
  if (location === null) return null;
  const { path, line, text, about } = location;
  const name = html`<code>${path}:${line}</code>`;
  return html`${path === source ? html`<a href="#L${line}">${name}</a>` : name} ${about}${text !== '' && html`<br><code>${text}</code>`}`;
}
