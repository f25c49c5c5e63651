import { stringify } from 'yaml';
import { cellName } from '../../results/cell-name.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { repeatCommand } from '../repeat.ts';
import { redType } from './cell-text.ts';
import { showControlsWithin, showOnOneLine } from './control-characters.ts';
import { toSuites } from './suites.ts';

/**
 * TAP 14 (testanything.org, "TAP version 14 specification"): a subtest for each kernel, or for each kernel and loader if there are several, in it a
 * test point for each program and variant. Red cells are `not ok`, with all that is known in YAML; an expected failure is `ok`, with a comment: it
 * is no TODO, because nothing is left to be done. Cells that were not run are left out; an interrupted run bails out. Ends with a newline.
 */
export function renderTap(results: RunResults): string {
  const { tool, id, host } = results;
  const suites = toSuites(results);
  const lines = [
    'TAP version 14',
    comment(`${tool.name} ${tool.version}, run ${id}, ${host.accelerator}, ${host.qemu}, ${host.clang}`),
    suites.length === 0 ? '1..0 # nothing was run' : `1..${suites.length}`,
    ...suites.flatMap(({ name, kernel, cells }, index) => [
      `# Subtest: ${describe(name)}`,
      ...indent(
        [comment(kernel.release), `1..${cells.length}`, ...cells.flatMap((cell, at) => toPoint(cell, at + 1, results))],
        4,
      ),
      point(
        cells.every(({ verdict }) => !RED_VERDICTS.has(verdict)),
        index + 1,
        name,
      ),
    ]),
    ...(results.complete ? [] : ['Bail out! The run was interrupted: cells are missing']),
  ];
  return `${lines.join('\n')}\n`;
}

function toPoint(cell: CellResult, number: number, results: RunResults): string[] {
  const { program, variant, verdict, outcome, expected } = cell;
  const red = RED_VERDICTS.has(verdict);
  const line = point(!red, number, cellName(program, variant));
  if (red) return [line, ...indent(['---', ...toYaml(diagnose(cell, results)), '...'], 2)];
  if (verdict !== 'xfail') return [line];
  const reason = expected === null ? '' : `: ${expected.reason}`;
  return [line, comment(`fails, as expected: ${outcome.class} in phase ${outcome.phase}${reason}`)];
}

function diagnose(cell: CellResult, results: RunResults): Readonly<Record<string, unknown>> {
  const { verdict, outcome, why, expected, location, verifierLog, attempts, splats } = cell;
  const complaints = splats.filter(({ allowed }) => allowed === null).map(({ rule, text }) => ({ rule, text }));
  return {
    message: why,
    severity: verdict === 'infra' ? 'error' : 'fail',
    verdict,
    type: redType(cell),
    phase: outcome.phase,
    errno: outcome.errno,
    extern: outcome.extern,
    expected:
      expected === null ? undefined : { outcome: expected.outcome, reason: expected.reason, at: expected.source },
    at: location === null ? undefined : { file: location.path, line: location.line },
    source: location?.text,
    attempts: attempts?.map((one) => ({ verdict: one.verdict, class: one.class, why: one.why })),
    console: complaints.length === 0 ? undefined : complaints,
    verifierLog: verifierLog ?? undefined,
    repeat: repeatCommand(cell, results),
  };
}

/** Without control characters, which YAML knows only in quotes, where no log can be read. */
function toYaml(value: Readonly<Record<string, unknown>>): string[] {
  return stringify(showControlsWithin(value), { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd().split('\n');
}

function point(ok: boolean, number: number, description: string): string {
  return `${ok ? 'ok' : 'not ok'} ${number} - ${describe(description)}`;
}

/**
 * A description in which nothing is taken for a directive: `\` and `#` are escaped. At the end of a line some parsers take `{` for the beginning of
 * a subtest, so such a description is put in quotes.
 */
function describe(text: string): string {
  const line = showOnOneLine(text).trim().replace(/[\\#]/g, '\\$&');
  return line.endsWith('{') ? `"${line}"` : line;
}

function comment(text: string): string {
  return `# ${showOnOneLine(text)}`;
}

function indent(lines: readonly string[], columns: number): string[] {
  return lines.map((line) => (line === '' ? '' : `${' '.repeat(columns)}${line}`));
}
