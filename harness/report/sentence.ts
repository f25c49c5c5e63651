import { cellName } from '../results/cell-name.ts';
import type { CellResult } from '../results/results.ts';
import type { Verdict } from '../results/verdicts.ts';

const SAYS: Readonly<Record<Verdict, string>> = {
  pass: 'works',
  xfail: 'is refused, exactly as expected',
  fail: 'does not do what was expected',
  xpass: 'works, although it should not',
  panic: 'crashed the kernel',
  timeout: 'made the machine fall silent',
  infra: 'could not be tried, because the harness or its machine broke',
  flaky: 'ended differently when it was run again',
};

/** A cell's verdict in one sentence: `typed-int-percpu works on 6.12 with ksym-matrix.` */
export function sentenceOf(cell: CellResult): string {
  const { program, variant, kernel, loader, verdict, outcome } = cell;
  const failed = outcome.class !== 'ok' && verdict !== 'flaky' && verdict !== 'infra';
  const errno = outcome.errno === undefined ? '' : `, ${outcome.errno}`;
  const where = failed ? `: ${outcome.class} in phase ${outcome.phase}${errno}` : '';
  return `${cellName(program, variant)} ${SAYS[verdict]} on ${kernel} with ${loader}${where}.`;
}
