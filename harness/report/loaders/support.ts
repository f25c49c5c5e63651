import { fencedCode, inlineText, tableHead, tableRow } from '../markdown/escape.ts';
import type { SupportCell, SupportColumn, SupportView } from './support-view.ts';

/** Which loader supports what on which kernels, in Markdown: a table, and below it the exact errors of what does not work. */
export function renderSupport(view: SupportView): string {
  const { columns, rows, kernels } = view;
  if (columns.length === 0) return NOTHING_SHOWN;
  const missing = rows.filter(({ unavailable }) => unavailable !== null);
  return [
    tableHead(['loader', 'version', ...columns.map(({ name }) => name)]),
    ...rows.map(({ loader, version, cells }) =>
      tableRow([inlineText(loader), inlineText(version), ...cells.map(cellText)]),
    ),
    `\nThe kernels on which it works, of ${inlineText(kernels.join(', '))} (6.1+: 6.1 and later). *partly*: some of the programs that show it work. A weak ksym works where it is NULL, too.\n`,
    ...renderSilent(view),
    ...missing.map(({ loader, unavailable }) => `\n${inlineText(`${loader} cannot be had: ${unavailable ?? ''}`)}\n`),
    '\nShown by these programs:\n\n',
    ...columns.map(({ name, programs }) => `- ${name}: ${inlineText(programs.join(', '))}\n`),
    ...columns.map((column, index) => renderErrors(column, index, view)),
  ].join('');
}

/** Kernels that say nothing of a column, for any loader: a range that ends with the last one would else promise too much. */
function renderSilent({ columns, silent }: SupportView): string[] {
  return [...new Set(silent)]
    .filter((kernels) => kernels !== 'none')
    .map((kernels) => {
      const names = columns.filter((_, index) => silent[index] === kernels).map(({ name }) => name);
      const where = kernels === 'all' ? 'any kernel' : inlineText(kernels);
      return `\nNot asked on ${where}, for want of the modules or of a machine: ${names.join(', ')}.\n`;
    });
}

const NOTHING_SHOWN =
  'No program of this run says in its file what it `shows` (docs/matrix-yaml.md), so nothing can be told of what loaders support.\n';

function cellText(cell: SupportCell | null): string {
  if (cell === null) return '·';
  const { works, partly } = cell;
  if (partly === 'none') return works;
  const text = `*partly*${partly === 'all' ? '' : `: ${partly}`}`;
  return works === 'none' ? text : `${works}; ${text}`;
}

function renderErrors({ name }: SupportColumn, index: number, { rows }: SupportView): string {
  const told = new Map<string, { readonly loaders: string[]; readonly text: string; readonly says: string }>();
  for (const { loader, cells } of rows) {
    for (const { kernels, programs, says, class: kind } of cells[index]?.errors ?? []) {
      const where = kernels === 'all' ? 'all kernels' : kernels;
      const text = `on ${where}: ${inlineText(kind)} (${inlineText(programs.join(', '))})`;
      const key = JSON.stringify([text, says]);
      const group = told.get(key) ?? { loaders: [], text, says };
      group.loaders.push(loader);
      told.set(key, group);
    }
  }
  if (told.size === 0) return '';
  const items = [...told.values()].map(
    ({ loaders, text, says }) =>
      `\n- **${inlineText(loaders.join(', '))}** ${text}\n${fencedCode(says).replace(/^(?=.)/gm, '  ')}`,
  );
  return `\n### Where ${name} does not work\n${items.join('')}`;
}
