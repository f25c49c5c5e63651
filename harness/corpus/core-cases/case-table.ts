import { join } from 'node:path';
import { runTool, toolFailed } from '../../../kernels/run-tool.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';

/** A case of the table in the kernel's `tools/testing/selftests/bpf/prog_tests/core_reloc.c`. */
export interface CoreCase {
  readonly name: string;
  /** File name of the object with the program. */
  readonly object: string;
  /** File name of the object whose BTF is taken for the kernel's; null for the running kernel. */
  readonly btf: string | null;
  readonly program: string;
  /** What the program reads, and what it is to write. */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /** Whether the load must fail. */
  readonly fails: boolean;
  /** Whether it needs the kernel's module bpf_testmod. */
  readonly needsTestModule: boolean;
  /** False if the case could not look up what it expects. */
  readonly setUp: boolean;
}

/**
 * Gets the table out of the kernel's own test by compiling it natively with a small header in place of its test framework. The compiled objects
 * must be in `folder`: the expectations about type ids are looked up in them, by libbpf.
 * @param selftests the folder `tools/testing/selftests/bpf` of a kernel's source
 * @throws ExplainedError `core-cases-table`, `tool-missing`, `interrupted`
 */
export async function readCaseTable(selftests: string, folder: string, signal?: AbortSignal): Promise<CoreCase[]> {
  const program = join(folder, 'print-cases');
  const stubs = join(PACKAGE_ROOT, 'harness/corpus/core-cases/table');
  const includes = [stubs, selftests, join(selftests, 'progs')].map((path) => `-I${path}`);
  const args = ['-w', ...includes, join(stubs, 'print-cases.c'), '-o', program, '-lbpf'];
  const compiled = await runTool('clang', args, { package: 'clang libbpf-dev', signal });
  const what = 'the table of the kernel’s CO-RE cases cannot be read';
  if (compiled.exitCode !== 0) throw toolFailed(compiled, 'core-cases-table', what, selftests);
  const printed = await runTool(program, [], { package: 'clang', cwd: folder, signal, timeoutMs: 30_000 });
  if (printed.exitCode !== 0) throw toolFailed(printed, 'core-cases-table', what, selftests);
  const lines = printed.stdout.toString('utf8').trim().split('\n');
  return lines.map((line) => {
    const one: unknown = JSON.parse(line);
    if (isPrinted(one)) return { ...one, input: bytesOf(one.input), output: bytesOf(one.output) };
    throw new ExplainedError('core-cases-table', what, { where: selftests, why: `a line of it is ${line}` });
  });
}

type Printed = Omit<CoreCase, 'input' | 'output'> & { readonly input: string; readonly output: string };

function isPrinted(one: unknown): one is Printed {
  const keys: readonly (readonly [string, string])[] = [
    ['name', 'string'],
    ['object', 'string'],
    ['program', 'string'],
    ['input', 'string'],
    ['output', 'string'],
    ['fails', 'boolean'],
    ['needsTestModule', 'boolean'],
    ['setUp', 'boolean'],
  ];
  if (typeof one !== 'object' || one === null) return false;
  const fields = new Map<string, unknown>(Object.entries(one));
  return 'btf' in one && keys.every(([key, type]) => typeof fields.get(key) === type);
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
