import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../../loader/errors.ts';
import type { Kernel } from '../../../loader/kernel.ts';
import { type CoreCase, readCaseTable } from './case-table.ts';
import { compileCases, type NotCompiled } from './compile-cases.ts';
import { runCase } from './run-case.ts';

/** What {@link runCoreCases} works with. */
export interface CoreCaseOptions {
  /** The folder `tools/testing/selftests/bpf` of a kernel's source. */
  readonly selftests: string;
  /** Where objects are compiled to. */
  readonly folder: string;
  /** Where programs are loaded and run: raw_tracepoint programs need root, or CAP_BPF and CAP_PERFMON. */
  readonly kernel: Kernel;
  /** Whether its module bpf_testmod is loaded, which some cases need. */
  readonly testModule?: boolean;
  /** A folder with vmlinux.h: the programs about that module include it. */
  readonly vmlinux?: string;
  /** Default: `clang`, or an installed one that is at least clang 15. */
  readonly clang?: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What came of a case. */
export interface CoreCaseResult {
  readonly name: string;
  /** Name of the object with the program. */
  readonly object: string;
  /** Name of the object whose types were taken for the kernel's; null for the kernel's own. */
  readonly btf: string | null;
  /** What the kernel's table says: the bytes that the program writes, or that it cannot be loaded. */
  readonly expected: 'output' | 'failure';
  readonly verdict: 'agrees' | 'disagrees' | 'not-run';
  /** Of a failure, the error; of a disagreement, what is different; why a case was not run. */
  readonly detail: string;
}

/**
 * Runs the kernel's own cases for CO-RE (`prog_tests/core_reloc.c` of its selftests): each program is relocated against the types that
 * its case names, loaded into a real kernel and run, and what it wrote is compared with the table byte for byte. Cases that must fail have to do
 * so with an error of ours, or with the verifier's refusal of an instruction that we poisoned.
 * @throws ExplainedError `tool-missing`, `interrupted`, `core-cases-table`; AgentError if the kernel is gone
 */
export async function runCoreCases(options: CoreCaseOptions): Promise<CoreCaseResult[]> {
  const { selftests, folder, kernel, signal, onProgress } = options;
  const clang = options.clang === undefined ? {} : { clang: options.clang };
  const vmlinux = options.vmlinux === undefined ? {} : { vmlinux: options.vmlinux };
  const missing = await compileCases(selftests, folder, { signal, ...clang, ...vmlinux });
  const cases = await readCaseTable(selftests, folder, signal);
  const results: CoreCaseResult[] = [];
  for (const one of cases) {
    signal?.throwIfAborted();
    const { name, object, btf } = one;
    const outcome = obstacle(one, missing, options.testModule === true) ?? (await runWithFiles(one, folder, kernel));
    results.push({ name, object, btf, expected: one.fails ? 'failure' : 'output', ...outcome });
    onProgress?.(results.length, cases.length);
  }
  return results;
}

type Outcome = Pick<CoreCaseResult, 'verdict' | 'detail'>;

/** What keeps a case from being run at all; undefined if nothing does. */
function obstacle(one: CoreCase, missing: readonly NotCompiled[], testModule: boolean): Outcome | undefined {
  if (one.needsTestModule && !testModule) return { verdict: 'not-run', detail: 'it needs the module bpf_testmod' };
  const broken = missing.find(({ object }) => object === one.object || object === one.btf);
  if (broken !== undefined) {
    return { verdict: 'not-run', detail: `${broken.object} does not compile: ${broken.why}` };
  }
  return one.setUp ? undefined : { verdict: 'not-run', detail: 'its setup failed' };
}

async function runWithFiles(one: CoreCase, folder: string, kernel: Kernel): Promise<Outcome> {
  const read = async (name: string): Promise<Uint8Array> => new Uint8Array(await readFile(join(folder, name)));
  try {
    return await runCase(one, await read(one.object), one.btf === null ? null : await read(one.btf), kernel);
  } catch (error) {
    if (!(error instanceof ExplainedError) || error.code.startsWith('agent-')) throw error;
    return { verdict: 'disagrees', detail: error.explain() };
  }
}
