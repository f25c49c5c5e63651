import type { RunResults } from '../results/results.ts';
import { inOrder } from './formats/order.ts';
import { escapeText } from './formats/xml.ts';
import { renderGrid } from './grid.ts';
import type { Paint } from './paint.ts';

/** In pixels, for 13 px letters of any monospaced font. */
const LETTER_WIDTH = 7.83;
const LINE_HEIGHT = 18;
const MARGIN = 20;
const BAR_HEIGHT = 36;

const COLOURS: Readonly<Record<keyof Paint, string>> = {
  good: '#3fb950',
  expected: '#39c5cf',
  bad: '#ff7b72',
  dim: '#8b949e',
  strong: '#f0f6fc',
};

const FONT = 'ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace';

/** The grid of a run as a terminal shows it, as an SVG image. Ends with a newline. */
export function renderPicture(results: RunResults): string {
  const { kernels, cells, host, startedAt } = results;
  const about = `${cells.length} cells on ${kernels.length} kernels, ${host.accelerator === 'kvm' ? 'accelerated by KVM' : 'emulated'}, ${startedAt.slice(0, 10)}`;
  const text = `${MARKED.strong('$')} npm run matrix\n\n${renderGrid(inOrder(results), MARKED)}\n${MARKED.dim(about)}`;
  const lines = text.split('\n').map(toPieces);
  const columns = Math.max(...lines.flat().map((piece) => piece.column + piece.text.length));
  const width = Math.ceil(columns * LETTER_WIDTH) + 2 * MARGIN;
  const height = BAR_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
  const body = lines.flatMap((pieces, index) =>
    pieces.length === 0
      ? []
      : [`<text y="${BAR_HEIGHT + (index + 1) * LINE_HEIGHT}">${pieces.map(toSpan).join('')}</text>`],
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="The grid that npm run matrix prints: programs down, kernels from the oldest to the newest across">`,
    '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
    '<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>',
    `<g font-family="${FONT}" font-size="13" fill="#c9d1d9" xml:space="preserve">`,
    ...body,
    '</g></svg>',
  ].join('\n')}\n`;
}

/** Text of one colour, and the column in which it begins. */
interface Piece {
  readonly text: string;
  readonly column: number;
  readonly style: keyof Paint | undefined;
}

/** Characters that no text has, in place of a terminal's colours. */
const [BEGIN, END] = ['\u0001', '\u0002'];
const STYLES = ['good', 'expected', 'bad', 'dim', 'strong'] as const;

const MARKED: Paint = {
  good: mark('good'),
  expected: mark('expected'),
  bad: mark('bad'),
  dim: mark('dim'),
  strong: mark('strong'),
};

function mark(style: keyof Paint): (text: string) => string {
  return (text) => `${BEGIN}${STYLES.indexOf(style)}${text}${END}`;
}

function toPieces(line: string): Piece[] {
  const pieces: Piece[] = [];
  let column = 0;
  for (const part of line.split(/(?=\u0001)|\u0002/)) {
    const isMarked = part.startsWith(BEGIN);
    const text = isMarked ? part.slice(2) : part;
    const shown = text.trim();
    const style = isMarked ? STYLES[Number(part[1])] : undefined;
    if (shown !== '') pieces.push({ text: shown, column: column + text.length - text.trimStart().length, style });
    column += text.length;
  }
  return pieces;
}

/** Each piece says where it stands, since fonts differ in how wide the symbols are. */
function toSpan({ text, column, style }: Piece): string {
  const x = (MARGIN + column * LETTER_WIDTH).toFixed(1);
  const colour = style === undefined ? '' : ` fill="${COLOURS[style]}"`;
  return `<tspan x="${x}"${colour}${style === 'strong' ? ' font-weight="bold"' : ''}>${escapeText(text)}</tspan>`;
}
