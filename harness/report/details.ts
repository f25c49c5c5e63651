import { dirname } from 'node:path';
import type { CellResult, RunResults } from '../results/results.ts';
import { RED_VERDICTS } from '../results/verdicts.ts';
import { type Answer, describeAnswer, groupAnswers } from './answers.ts';
import { lookOf, paintVerdict } from './looks.ts';
import type { Paint } from './paint.ts';

const INDENT = '    ';

/**
 * Why each cell is not `pass`, those that ended alike put together, red ones last because a terminal shows the end.
 * Empty if every cell passed.
 */
export function renderDetails(results: RunResults, paint: Paint): string {
  const answers = groupAnswers(results);
  const redLast = [...answers.filter(({ red }) => !red), ...answers.filter(({ red }) => red)];
  return redLast.map((answer) => renderAnswer(answer, results.loaders.length > 1, paint)).join('');
}

/** Beyond this many paths, what they have in common says more. */
const MOST_PATHS = 8;

function renderAnswer(answer: Answer, severalLoaders: boolean, paint: Paint): string {
  const { verdict, programs, kernels, loaders, cells } = answer;
  const by = severalLoaders ? ` with ${loaders.join(', ')}` : '';
  const title = `${paintVerdict(verdict, lookOf(verdict), paint)} ${paint.strong(programs.join(', '))} on ${kernels.join(', ')}${by}`;
  const evidence = cells.map((cell) => evidencePath(cell));
  const pattern = `${kernels.length === 1 ? kernels[0] : 'KERNEL'}/${programs.length === 1 ? programs[0] : 'PROGRAM'}`;
  const shown = evidence.length <= MOST_PATHS ? evidence.join(' ') : `${pattern}, a folder for each cell`;
  const lines = [title, ...describeAnswer(answer), paint.dim(`evidence: ${shown}`)];
  return `${lines.map((line, index) => (index === 0 ? line : `${INDENT}${line}`)).join('\n')}\n`;
}

/**
 * Where to look, relative to the run's folder, which is named once at the end: the verifier's log, what the console said of a machine that went
 * wrong, the folder with a cell's own files, else the whole console log.
 */
function evidencePath(cell: CellResult): string {
  const { resolution, verifierLog, values, loaderLog, loaderAnswer, cellConsole, console } = cell.evidence;
  const own = values ?? resolution ?? loaderLog ?? loaderAnswer ?? cellConsole;
  const telling = [verifierLog, tellsOnConsole(cell) ? (cellConsole ?? console) : null].filter((path) => path !== null);
  const paths = telling.length > 0 ? telling : [own === null ? console : dirname(own)].filter((path) => path !== null);
  if (paths.length === 0) return 'none: it was never run';
  return paths.join(' ');
}

/** Whether a cell is red because of what its machine did, which the console tells. */
function tellsOnConsole({ verdict, splats }: CellResult): boolean {
  if (!RED_VERDICTS.has(verdict)) return false;
  return verdict === 'panic' || verdict === 'timeout' || splats.some(({ allowed }) => allowed === null);
}
