import { basename, dirname, resolve } from 'node:path';
import type { LineInfo } from '../../loader/btf/ext.ts';
import type { SourceLocation } from '../results/results.ts';
import type { CompiledProgram } from './compile.ts';
import type { Outcome } from './outcome.ts';
import type { SourceFile, SourceFiles } from './source-files.ts';

/**
 * The line of a program's C source that decided what happened: where the extern is declared that could not be resolved, the statement that the
 * verifier refused, what clang complained of, the variable that is wrong, else the function that was loaded or run. Null if it works, if the
 * machine did not come up, or if nothing tells. Never a guess: what is not exact says in `about` what it is.
 *
 * @param files the C files of the run, which tell the path as well
 */
export async function locateInSource(
  compiled: Pick<CompiledProgram, 'program' | 'spec' | 'warnings'>,
  outcome: Outcome,
  files: SourceFiles,
): Promise<SourceLocation | null> {
  if (NOT_OF_THE_SOURCE.has(outcome.class) || outcome.phase === 'boot') return null;
  const path = resolve(compiled.program.source);
  const own = await files.read(path);
  if (own === null) return null;
  if (outcome.class === 'compile-failed') return locateComplaint(compiled.warnings, own, files);
  const context = { compiled, outcome, own, files };
  return (
    (await locateExtern(context)) ??
    (await locateStatement(context)) ??
    (await locateVariable(context)) ??
    (await locateFunction(context))
  );
}

/** What no line of a program has to do with. */
const NOT_OF_THE_SOURCE: ReadonlySet<Outcome['class']> = new Set<Outcome['class']>([
  'ok',
  'infra',
  'variant-unavailable',
]);

interface Context {
  readonly compiled: Pick<CompiledProgram, 'program' | 'spec'>;
  readonly outcome: Outcome;
  readonly own: SourceFile;
  readonly files: SourceFiles;
}

/** The first error that clang tells of, as `FILE:LINE:COLUMN: error: WHAT` (clang's manual, "Formatting of Diagnostics"). */
async function locateComplaint(printed: string, own: SourceFile, files: SourceFiles): Promise<SourceLocation | null> {
  const folder = dirname(own.path);
  let includedAt: number | null = null;
  for (const line of printed.split('\n')) {
    const [, includer, at] = /^In file included from (.+):(\d+):$/.exec(line) ?? [];
    if (includer !== undefined && resolve(folder, includer) === own.path) includedAt = Number(at);
    const [, name, number, what = ''] = /^(.+?):(\d+):\d+: (?:fatal )?error: (.*)/.exec(line) ?? [];
    if (name === undefined) continue;
    const about = `clang: ${what}`;
    const path = resolve(folder, name);
    if (path === own.path || files.has(path)) {
      const file = await files.read(path);
      if (file !== null) return files.locate(file, Number(number), about);
    }
    return includedAt === null ? null : files.locate(own, includedAt, `clang, in a header included here: ${what}`);
  }
  return null;
}

/** The declaration of the extern that could not be resolved, or that the kernel does not find by its id. */
async function locateExtern({ outcome, own, files }: Context): Promise<SourceLocation | null> {
  const unknown = /failed to find the address for kernel symbol '([^']+)'/.exec(outcome.verifierLog ?? '')?.[1];
  const name = outcome.extern ?? (outcome.class === 'ksym-address-unavailable' ? unknown : undefined);
  if (name === undefined) return null;
  const about = `extern ${name} is declared here`;
  for (const file of await files.withIncludes(own.path)) {
    const line = file.source.findExtern(name);
    if (line !== null) return files.locate(file, line, about);
  }
  for (const file of await files.withIncludes(own.path)) {
    const line = file.source.findWord(name);
    if (line !== null) return files.locate(file, line, `extern ${name} is named here`);
  }
  return null;
}

/** The statement that the verifier refused. */
async function locateStatement(context: Context): Promise<SourceLocation | null> {
  const { outcome, own, files } = context;
  const log = outcome.verifierLog;
  if (outcome.class !== 'verifier-rejected' || log === undefined) return null;
  const [classic = ''] = log.split('\nVerification failed:');
  const about = 'the verifier refuses this';
  const instruction = classic.split('\n').findLast((line) => /^\d+: \([0-9a-f]{2}\)/.test(line));
  if (instruction !== undefined) {
    const slot = Number.parseInt(instruction, 10);
    for (const { line, path, exact } of linesBefore(slot, context)) {
      const file = path === own.path || files.has(path) ? await files.read(path) : null;
      if (file === null) continue;
      return files.locate(file, line, exact ? about : 'the verifier refuses what this line calls');
    }
  }
  // Without line information in the object, or with an instruction that the verifier never printed: what it said of the source last.
  const [, text = '', at] =
    /^; (.+?)(?: @ .+:(\d+))?$/.exec(classic.split('\n').findLast((line) => line.startsWith('; ')) ?? '') ?? [];
  const line = at === undefined ? own.source.findText(text) : Number(at);
  return text === '' || line === null ? null : files.locate(own, line, 'the last line that the verifier speaks of');
}

/** Where an instruction comes from, then where those before it do, in case that is a header of the system. */
function* linesBefore(
  slot: number,
  { compiled, outcome, own }: Context,
): Generator<{ readonly path: string; readonly line: number; readonly exact: boolean }> {
  const program = compiled.spec?.programs.find(({ name }) => name === outcome.program);
  const before = (program?.lines ?? []).filter((info) => info.slot <= slot && info.line > 0).reverse();
  for (const [index, info] of before.entries()) {
    yield { path: pathOf(info, own), line: info.line, exact: index === 0 };
  }
}

/** clang tells a path relative to the folder that it ran in, which is the source's, or an absolute one. */
function pathOf({ file }: LineInfo, own: SourceFile): string {
  return basename(file) === basename(own.path) ? own.path : resolve(dirname(own.path), file);
}

/** The variable whose value is wrong. */
async function locateVariable({ outcome, own, files }: Context): Promise<SourceLocation | null> {
  const wrong = outcome.class === 'wrong-value' ? outcome.values?.find(({ holds }) => !holds) : undefined;
  if (wrong === undefined) return null;
  for (const file of await files.withIncludes(own.path)) {
    const line = file.source.findVariable(wrong.variable);
    if (line !== null) return files.locate(file, line, `${wrong.variable}, which is wrong, is declared here`);
  }
  return null;
}

/** The function that was loaded or run when it happened, if that is known. */
async function locateFunction({ compiled, outcome, own, files }: Context): Promise<SourceLocation | null> {
  const name = outcome.program ?? (BEFORE_PROGRAMS.has(outcome.class) ? undefined : onlyProgram(compiled));
  if (name === undefined) return null;
  const loading = outcome.phase === 'resolve' || outcome.phase === 'load';
  const about = `${name} was ${loading ? 'loaded' : 'loaded or run'} when it happened`;
  for (const file of await files.withIncludes(own.path)) {
    const line = file.source.findFunction(name);
    if (line !== null) return files.locate(file, line, about);
  }
  return null;
}

/** Another loader refused the object as a whole, or broke: none of its programs had a turn. */
const BEFORE_PROGRAMS: ReadonlySet<Outcome['class']> = new Set<Outcome['class']>([
  'loader-lacks-feature',
  'loader-refused',
  'loader-crashed',
  'loader-timeout',
]);

/** The program of an object that has one alone. */
function onlyProgram({ spec }: Pick<CompiledProgram, 'spec'>): string | undefined {
  const [program, second] = spec?.programs ?? [];
  return second === undefined ? program?.name : undefined;
}
