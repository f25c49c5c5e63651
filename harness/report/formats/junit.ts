import { cellName } from '../../results/cell-name.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { explainCell, redType, shortWhy } from './cell-text.ts';
import { type Suite, toSuites } from './suites.ts';
import { element, type Xml, xmlDocument } from './xml.ts';

/**
 * JUnit XML by the schema of Jenkins' xUnit plugin (junit-10.xsd): a suite for each kernel, or for each kernel and loader if there are several, and
 * a case for each program and variant. A cell that is red is a failure, one that could not be tried an error; an expected failure passes, and says
 * so in its output. Cells that were not run are left out; an interrupted run has an error of its own. Times are in seconds, time stamps in UTC.
 * Ends with a newline.
 */
export function renderJunit(results: RunResults): string {
  const suites = toSuites(results);
  const stopped = results.complete ? 0 : 1;
  const { tests, errors, ...more } = countsOf(suites.flatMap(({ cells }) => cells));
  const attributes = {
    name: results.matrix.title ?? results.matrix.path,
    tests: tests + stopped,
    errors: errors + stopped,
    ...more,
  };
  return xmlDocument(
    element('testsuites', attributes, [
      ...suites.map((suite) => renderSuite(suite, results)),
      ...(results.complete ? [] : [interruption(results)]),
    ]),
  );
}

function renderSuite({ name, kernel, loader, cells }: Suite, results: RunResults): Xml {
  const { host, origin, tool } = results;
  const facts = {
    'kernel.release': kernel.release,
    'kernel.version': kernel.version,
    'kernel.source': kernel.source,
    'kernel.sha256': kernel.sha256,
    loader: `${loader.name} ${loader.version}`,
    accelerator: host.accelerator,
    qemu: host.qemu,
    clang: host.clang,
    run: results.id,
    commit: origin.commit,
    'ksym-matrix': tool.version,
  };
  const properties = Object.entries(facts).flatMap(([fact, value]) =>
    value === null ? [] : [element('property', { name: fact, value })],
  );
  return element('testsuite', { name, ...countsOf(cells), skipped: 0, timestamp: secondsOf(results.startedAt) }, [
    element('properties', {}, properties),
    ...cells.map((cell) => toCase(cell, results)),
  ]);
}

function toCase(cell: CellResult, results: RunResults): Xml {
  const { program, variant, verdict, outcome, expected } = cell;
  const attributes = {
    classname: className(cell.loader, cell.kernel),
    name: cellName(program, variant),
    time: seconds(cell.durationMs),
  };
  if (RED_VERDICTS.has(verdict)) {
    const red = { type: redType(cell), message: shortWhy(cell) };
    const kind = verdict === 'infra' ? 'error' : 'failure';
    return element('testcase', attributes, [element(kind, red, explainCell(cell, results))]);
  }
  if (verdict !== 'xfail') return element('testcase', attributes);
  const note = `fails, as expected: ${outcome.class} in phase ${outcome.phase}: ${outcome.message}\n${expected?.reason ?? ''}`;
  return element('testcase', attributes, [element('system-out', {}, note.trim())]);
}

/** Whoever gates on this file must not take half a run for a green one. */
function interruption(results: RunResults): Xml {
  const error = element(
    'error',
    { type: 'interrupted', message: 'the run was interrupted' },
    'The run was interrupted: cells are missing.',
  );
  const one = element('testcase', { classname: 'ksym-matrix', name: 'every cell was run', time: seconds(0) }, [error]);
  const counts = { tests: 1, failures: 0, errors: 1, skipped: 0, time: seconds(0) };
  return element('testsuite', { name: 'run', ...counts, timestamp: secondsOf(results.startedAt) }, [one]);
}

/**
 * GitLab shows it as the suite, and takes cases of the same class and name for the same; Jenkins takes what stands before the last dot for a
 * package, so there may be no dot but that between loader and kernel.
 */
function className(loader: string, kernel: string): string {
  return `${loader.replaceAll('.', '_')}.${kernel.replaceAll('.', '_')}`;
}

function countsOf(cells: readonly CellResult[]): { tests: number; failures: number; errors: number; time: string } {
  const red = cells.filter(({ verdict }) => RED_VERDICTS.has(verdict));
  const errors = red.filter(({ verdict }) => verdict === 'infra').length;
  const time = cells.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return { tests: cells.length, failures: red.length - errors, errors, time: seconds(time) };
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}

/** Without fraction and zone, as Ant writes it. */
function secondsOf(date: string): string {
  return new Date(date).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length);
}
