import { join } from 'node:path';
import { OUR_LOADER } from '../config/loader-entries.ts';
import { cellName } from '../results/cell-name.ts';
import type { BisectReport, BisectStep, KernelEvidence } from '../run/bisect.ts';
import type { BisectPlan } from '../run/bisect-plan.ts';
import type { Answered } from '../run/bisect-search.ts';
import { differingFacts, type FactDifference } from '../run/fact-differences.ts';
import { showControlsWithin } from './formats/control-characters.ts';
import { lookOf, paintVerdict } from './looks.ts';
import type { Paint } from './paint.ts';
import { seconds } from './summary.ts';

const INDENT = '    ';

/** The verifier's verdict stands at the end of its log. */
const LOG_LINES = 8;

/** What is going to be done. Ends with a newline. */
export function renderPlan(plan: BisectPlan, paint: Paint): string {
  const { kernels, mostHalvings, leftOut, axis } = plan;
  const [oldest, newest] = [kernels[0], kernels.at(-1)].map((kernel) => kernel?.name ?? '');
  const name = nameOf(plan.program.name, plan.variant.name, plan.loader.name, paint);
  const steps = mostHalvings === 0 ? 'both ends' : `both ends, then at most ${count(mostHalvings, 'step')}`;
  const rest = leftOut.length === 0 ? '' : `${paint.dim(`not in this row, and left out: ${leftOut.join(', ')}`)}\n`;
  return `${name} over ${kernels.length} kernels, ${oldest} … ${newest} (${axis}): ${steps}\n${rest}`;
}

/** One line for a kernel that was looked at. */
export function renderStep(step: BisectStep, paint: Paint): string {
  const { number, kernel, outcome, skipped, milliseconds } = showControlsWithin(step);
  const [why = ''] = (skipped ?? '').split('\n');
  const found = outcome === null ? paint.dim(`skipped: ${why}`) : renderOutcome(outcome, paint);
  return `${String(number).padStart(3)}  ${kernel.padEnd(12)}  ${found}  ${paint.dim(seconds(milliseconds))}\n`;
}

/** What was found, with the evidence of both neighbours; what kernels said of it does not steer the terminal. */
export function renderFinding(found: BisectReport, paint: Paint): string {
  const report = showControlsWithin(found);
  const { finding, program, variant, loader } = report;
  const name = nameOf(program, variant, loader, paint);
  switch (finding.kind) {
    case 'no-answer':
      return `${name}: ${finding.only === null ? 'no kernel gave' : `only ${finding.only.item} gave`} an answer\n${renderSkipped(report, paint)}`;
    case 'no-change': {
      const { oldest, newest } = finding;
      return (
        `${name} ends alike on ${oldest.item} and on ${newest.item}: ${renderOutcome(oldest.answer, paint)}\n` +
        `${INDENT}a change and its undoing between them would not be seen; \`run\` looks at every kernel\n` +
        renderSkipped(report, paint)
      );
    }
    case 'change': {
      const { before, after, newest, between, others } = finding;
      const where =
        between.length === 0
          ? `${after.item} is the first kernel on which ${name} changes`
          : `${name} changes after ${before.item}, and by ${after.item} at the latest: ${between.join(', ')} gave no answer`;
      const third = others.map(
        (other) => `${INDENT}a third outcome, on ${other.item}: ${renderOutcome(other.answer, paint)}\n`,
      );
      const later =
        after.answer === newest.answer
          ? ''
          : `${INDENT}it changes again later: on ${newest.item} it is ${renderOutcome(newest.answer, paint)}; --from ${after.item} finds where\n`;
      return [
        `${where}: ${renderOutcome(before.answer, paint)} → ${renderOutcome(after.answer, paint)}\n`,
        ...third,
        later,
        renderSkipped(report, paint),
        '\n',
        renderEvidence(before, paint),
        renderEvidence(after, paint),
        renderFacts(differingFacts(before.evidence.kernel.facts, after.evidence.kernel.facts), before, after, paint),
      ].join('');
    }
  }
}

/** Ours goes without saying. */
function nameOf(program: string, variant: string, loader: string, paint: Paint): string {
  return `${paint.strong(cellName(program, variant))}${loader === OUR_LOADER ? '' : ` with ${loader}`}`;
}

function renderOutcome(outcome: string, paint: Paint): string {
  return outcome === 'works' ? paint.good('✓ works') : paint.expected(`✗ ${outcome}`);
}

function renderSkipped({ finding }: BisectReport, paint: Paint): string {
  return finding.skipped
    .map(({ item, why }) => `${INDENT}${paint.dim(`skipped ${item}: ${why.split('\n').join(`\n${INDENT}`)}`)}\n`)
    .join('');
}

function renderEvidence({ item, answer, evidence }: Answered<string, KernelEvidence>, paint: Paint): string {
  const { kernel, cell, directory } = evidence;
  const { verifierLog, resolution, values, loaderLog, cellConsole, console } = cell.evidence;
  const log = cell.verifierLog?.trimEnd().split('\n').slice(-LOG_LINES) ?? [];
  const paths = [verifierLog, values, resolution, loaderLog ?? null, cellConsole, console].filter(
    (path) => path !== null,
  );
  const lines = [
    `${paint.strong(item)} (${kernel.release}, ${kernel.version}, ${kernel.source}): ${renderOutcome(answer, paint)}`,
    ...`${paintVerdict(cell.verdict, lookOf(cell.verdict), paint)}: ${cell.why}`.split('\n'),
    ...(log.length === 0 ? [] : ['the end of the verifier log:', ...log.map((line) => `  ${line}`)]),
    ...paths.map((path) => paint.dim(`evidence: ${join(directory, path)}`)),
  ];
  return `${lines.map((line, index) => (index === 0 ? line : `${INDENT}${line}`)).join('\n')}\n`;
}

function renderFacts(
  differences: readonly FactDifference[],
  before: Answered<string, KernelEvidence>,
  after: Answered<string, KernelEvidence>,
  paint: Paint,
): string {
  if (differences.length === 0) return 'no recorded fact differs between the two\n';
  const show = (value: FactDifference['before']): string =>
    value === null ? '(none)' : value === '' ? '(empty)' : String(value);
  const switches = differences.filter((one) => one.isSwitch);
  const rest = differences.filter((one) => !one.isSwitch);
  const width = Math.max(0, ...switches.map((one) => one.name.length));
  const lines = switches.map((one) => `${one.name.padEnd(width)}  ${show(one.before)} → ${show(one.after)}`);
  if (rest.length > 0) {
    lines.push(paint.dim('also:'));
    for (const one of rest) lines.push(paint.dim(`  ${one.name} ${show(one.before)} → ${show(one.after)}`));
  }
  return `${paint.strong(`facts that differ, ${before.item} → ${after.item}`)}\n${lines.map((line) => `${INDENT}${line}\n`).join('')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
