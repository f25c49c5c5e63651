import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pLimit from 'p-limit';
import { diskFull } from '../../kernels/free-space.ts';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { parseObject } from '../../loader/object/parse.ts';
import type { ObjectContent } from '../../loader/object/spec.ts';
import type { Program } from '../config/load.ts';
import { joinErrors } from '../config/yaml-file.ts';
import { checkNames } from './check-names.ts';
import type { Outcome } from './outcome.ts';

/** A program's C file after clang and the loader's first step. */
export interface CompiledProgram {
  readonly program: Program;
  /** Null if there is none: `failure` says why. */
  readonly spec: ObjectContent | null;
  /** The outcome of every cell of a program that does not compile, or whose object the loader refuses. */
  readonly failure: Outcome | undefined;
  /** What clang printed. */
  readonly warnings: string;
  readonly object: string;
  /** SHA256 of the object, in hex. */
  readonly sha256: string | undefined;
}

/** Asserts are off limits in BPF, and -g gives the BTF that typed ksyms and maps need. */
const CLANG_FLAGS = ['-target', 'bpf', '-O2', '-g', '-Wall', '-Wextra', '-Wno-unused-parameter', '-mcpu=v3', '-c'];

/** Debian and Ubuntu keep <asm/types.h>, which <linux/bpf.h> includes, in the multiarch folder; clang's BPF target does not look there. */
const INCLUDE_FOLDERS = ['/usr/include/x86_64-linux-gnu'];

/**
 * Compiles every program into `folder`. A program that does not compile does not stop the others.
 * @throws ExplainedError `tool-missing`, `interrupted`; ConfigError if a program's file names functions or variables that its object does not have, `disk-full`
 */
export async function compilePrograms(
  programs: readonly Program[],
  folder: string,
  signal?: AbortSignal,
): Promise<CompiledProgram[]> {
  await mkdir(folder, { recursive: true });
  const limit = pLimit(availableParallelism());
  const compiled = await limit.map(programs, (program) => compileProgram(program, folder, signal));
  const mistakes = compiled.flatMap(({ program, spec }) => {
    const findings = spec === null ? [] : checkNames(program, spec);
    return findings.length === 0 ? [] : [program.complain(findings)];
  });
  if (mistakes.length > 0) throw joinErrors(mistakes);
  return compiled;
}

async function compileProgram(
  program: Program,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<CompiledProgram> {
  const object = join(folder, `${program.name.replaceAll('/', '-')}.bpf.o`);
  const includes = INCLUDE_FOLDERS.flatMap((path) => ['-idirafter', path]);
  const args = [...CLANG_FLAGS, ...includes, '-o', object, '--', basename(program.source)];
  const { exitCode, stderr } = await runTool('clang', args, {
    package: 'clang',
    cwd: dirname(program.source),
    signal,
  });
  const failed = exitCode !== 0;
  const warnings = stderr.trimEnd();
  const base = { program, warnings, object };
  // A full disk is not the program's fault: it must not become a verdict.
  if (failed && warnings.includes('No space left on device')) throw diskFull(folder);
  if (failed) {
    const error = warnings.split('\n').find((line) => line.includes('error:')) ?? warnings.split('\n')[0] ?? '';
    return {
      ...base,
      spec: null,
      failure: failure('compile-failed', `${program.source} does not compile: ${error}`),
      sha256: undefined,
    };
  }
  const bytes = await readFile(object);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  try {
    return { ...base, spec: parseObject(bytes, object), failure: undefined, sha256 };
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    return { ...base, spec: null, failure: failure('object-refused', error.explain()), sha256 };
  }
}

function failure(kind: 'compile-failed' | 'object-refused', message: string): Outcome {
  return { phase: 'compile', class: kind, message, resolutions: [] };
}

/** The first line of `clang --version`. */
export async function clangVersion(): Promise<string> {
  const { stdout } = await runTool('clang', ['--version'], { package: 'clang' });
  return stdout.toString('utf8').split('\n')[0] ?? '';
}
