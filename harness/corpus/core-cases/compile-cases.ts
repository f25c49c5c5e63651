import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { runTool, toolMissing } from '../../../kernels/run-tool.ts';

/** A source file that did not compile. */
export interface NotCompiled {
  /** Name of the object that is missing. */
  readonly object: string;
  /** clang's first error. */
  readonly why: string;
}

/** Relocations of kind BPF_CORE_TYPE_MATCHES, and enums of 64 bits, came with clang 15. */
const OLDEST_FULL_CLANG = 15;
const CANDIDATES = ['clang', ...Array.from({ length: 10 }, (_, index) => `clang-${24 - index}`)];

/**
 * Compiles the programs and types of the kernel's CO-RE cases into `folder`, under the names that its table of cases gives them.
 * @param vmlinux a folder with vmlinux.h, without which the programs about a module do not compile
 * @param clang the compiler; if absent, `clang` or else any installed one that knows all relocations
 * @throws ExplainedError `tool-missing`, `interrupted`
 */
export async function compileCases(
  selftests: string,
  folder: string,
  options: {
    readonly clang?: string;
    readonly vmlinux?: string;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<NotCompiled[]> {
  await mkdir(folder, { recursive: true });
  const sources = join(selftests, 'progs');
  const names = (await readdir(sources)).filter((name) => /^(?:test|btf_)_core_reloc_.*\.c$/.test(name)).sort();
  const clang = options.clang ?? (await findClang());
  const includes = options.vmlinux === undefined ? [] : [`-I${options.vmlinux}`];
  const limit = pLimit(2);
  const failures = await limit.map(names, async (name): Promise<NotCompiled[]> => {
    const object = name.replace(/\.c$/, '.bpf.o');
    const args = [...FLAGS, `-I${selftests}`, ...includes, '-c', join(sources, name), '-o', join(folder, object)];
    const result = await runTool(clang, args, { package: 'clang', signal: options.signal });
    if (result.exitCode === 0) return [];
    const why = result.stderr.split('\n').find((line) => line.includes('error:')) ?? result.stderr.trim();
    return [{ object, why }];
  });
  return failures.flat();
}

/** Free-standing: glibc's <stdint.h> does not work for BPF on a machine without the 32-bit headers. */
const FLAGS = ['-target', 'bpf', '-g', '-O2', '-mcpu=v3', '-w', '-ffreestanding', '-I/usr/include/x86_64-linux-gnu'];

/** Debian 12 has clang 14 by default, and newer ones beside it. */
async function findClang(): Promise<string> {
  let fallback: string | undefined;
  for (const name of CANDIDATES) {
    const { exitCode, stdout } = await runTool(name, ['--version'], { package: 'clang' }).catch(() => NONE);
    if (exitCode !== 0) continue;
    const [, major] = /clang version (\d+)/.exec(stdout.toString('utf8')) ?? [];
    if (Number(major) >= OLDEST_FULL_CLANG) return name;
    fallback ??= name;
  }
  if (fallback === undefined) throw toolMissing('clang', 'clang');
  return fallback;
}

const NONE = { exitCode: null, stdout: Buffer.alloc(0) };
