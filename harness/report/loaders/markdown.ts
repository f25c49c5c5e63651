import { codeSpan, fencedCode, inlineText, link, tableHead, tableRow, webAddress } from '../markdown/escape.ts';
import { type Cause, describeEffect, type Effect } from './causes.ts';
import { type LoaderCell, type LoadersView, titleOf } from './loaders-view.ts';
import { describeApart, describeGaps, describeWorks, summarizeLoaders } from './text.ts';

/**
 * Loaders side by side, in Markdown as GitHub reads it: the summary, the grid, and why they disagree.
 * @param options.all also the programs on which the loaders agree
 */
export function renderLoadersMarkdown(view: LoadersView, { all }: { readonly all: boolean }): string {
  const rows = view.rows.filter((row) => all || !row.agrees);
  const left = view.rows.length - rows.length;
  const gaps = view.loaders.flatMap((loader) => {
    const gap = describeGaps(loader);
    return gap === null ? [] : `${loader.name}: ${gap}`;
  });
  return [
    `${inlineText(summarizeLoaders(view))}.\n`,
    ...(rows.length === 0
      ? []
      : [
          '\n',
          tableHead(['program', ...view.loaders.map(({ name }) => inlineText(name))]),
          ...rows.map((row) => tableRow([inlineText(row.name), ...row.cells.map(cellText)])),
          tableRow(['*differs on*', ...view.loaders.map(describeApart)]),
          `\nThe kernels on which each program works, of ${inlineText(view.kernels.join(', '))} (6.1+: 6.1 and later); *refused*: on all, as it has to be. ≠ another answer, or other values, on some of them, as explained below; **!** without an explanation.\n`,
        ]),
    ...(left === 0 ? [] : [`\n${left} of ${view.rows.length} programs are the same with all loaders.\n`]),
    ...gaps.map((gap) => `\n${inlineText(gap)}\n`),
    ...view.causes.map(renderCause),
  ].join('');
}

function cellText(cell: LoaderCell | null): string {
  if (cell === null) return '·';
  const mark = cell.apart === 'none' ? '' : cell.unexplained ? ' **!**' : ' ≠';
  const text = describeWorks(cell);
  return `${text === 'refused' ? '*refused*' : text}${mark}`;
}

function renderCause({ difference, effects }: Cause): string {
  const title = difference === null ? 'Unexplained' : proseText(titleOf(difference));
  return [
    `\n### ${title}\n`,
    ...(difference === null
      ? []
      : [
          `\n${proseText(difference.why)} (${inlineText(difference.id)}: ${difference.source.map(sourceLink).join(', ')})\n`,
        ]),
    ...effects.map(renderEffect),
  ].join('');
}

/** An address as a link, a file of a loader as it is. */
export function sourceLink(source: string): string {
  const [address = ''] = /https?:\/\/\S+/.exec(source) ?? [];
  if (webAddress(address) === null) return inlineText(source);
  const rest = source.replace(address, '').trim();
  const short = address.replace(/^https?:\/\//, '');
  return `${link(`\`${short}\``, address)}${rest === '' ? '' : ` ${inlineText(rest)}`}`;
}

/** A text in which names of code stand between backticks, as in what is written of known differences. */
function proseText(text: string): string {
  // With one group in the separator, every second part is what stood between two backticks.
  return text
    .split(/`([^`]+)`/)
    .map((part, index) => {
      if (index % 2 === 1) return codeSpan(part);
      const [before = '', after = ''] = [/^\s/.test(part) ? ' ' : '', /\s$/.test(part) ? ' ' : ''];
      return part.trim() === '' ? before : `${before}${inlineText(part.trim())}${after}`;
    })
    .join('');
}

function renderEffect(effect: Effect): string {
  const { loaders, places, says, values } = effect;
  const lines = [
    `\n- **${inlineText(loaders.join(', '))}**: ${inlineText(describeEffect(effect))}\n`,
    ...places.map(
      ({ kernels, programs }) =>
        `  - ${kernels === 'all' ? 'all kernels' : kernels}: ${inlineText(programs.join(', '))}\n`,
    ),
    ...values.map(
      ({ name, seen }) =>
        `  - ${inlineText(`${name}: ${seen.map(({ value, loaders: own }) => `${value} (${own.join(', ')})`).join('; ')}`)}\n`,
    ),
    ...(says === null ? [] : [`\n${indented(fencedCode(says))}`]),
  ];
  return lines.join('');
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
