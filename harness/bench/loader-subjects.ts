import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { Btf, Kallsyms } from '../../loader/index.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { Machine } from '../vm/machine.ts';
import type { BenchHost } from './bench-host.ts';

/** The files that loaders are measured with. */
export interface LoaderSubjects {
  /** The program that calls libbpf. */
  readonly libbpf: string;
  /** BTF of a kernel, and variables in it. */
  readonly btf: string;
  readonly variables: readonly string[];
  readonly kallsyms: string;
  readonly symbols: readonly string[];
  readonly lines: number;
  /** An object with typed ksyms of this host's kernel; null if that has no variables in its BTF. */
  readonly typed: string | null;
  /** An object with many programs. */
  readonly many: string;
}

/** Programs in the large object. */
export const MANY = 1000;
const LOOKUPS = 10;

/** Variables that every kernel with variables in its BTF has (6.1 to 7.3). */
const TYPED = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct rq { int cpu; };
struct softnet_data { unsigned int processed; };
extern const int bpf_prog_active __ksym;
extern const struct rq runqueues __ksym;
extern const struct softnet_data softnet_data __ksym;
SEC("raw_tp/sys_enter")
int read(void *context)
{
	int *active = bpf_this_cpu_ptr(&bpf_prog_active);
	struct rq *rq = bpf_this_cpu_ptr(&runqueues);
	struct softnet_data *softnet = bpf_this_cpu_ptr(&softnet_data);
	return *active + rq->cpu + softnet->processed;
}
char _license[] SEC("license") = "GPL";
`;

/** Compiles the programs, and takes BTF and kallsyms from a machine with a current kernel. Throws ExplainedError `bench-not-compiled`, … */
export async function loaderSubjects(host: BenchHost, line: string): Promise<LoaderSubjects> {
  const libbpf = join(host.folder, 'libbpf-bench');
  const source = join(PACKAGE_ROOT, 'harness', 'bench', 'libbpf-bench.c');
  await compile(host, ['-O2', source, '-o', libbpf, '-lbpf']);
  const [btf, kallsyms] = [join(host.folder, 'bench.btf'), join(host.folder, 'bench.kallsyms')];
  const machine = await Machine.start(host.machine(await host.kernel(line)));
  try {
    await writeFile(btf, await machine.agent.readFile('/sys/kernel/btf/vmlinux', { timeoutMs: 120_000 }));
    await writeFile(kallsyms, await machine.agent.readFile('/proc/kallsyms', { timeoutMs: 120_000 }));
  } finally {
    await machine.close('kill');
  }
  const symbols = await pickSymbols(kallsyms);
  return {
    ...{ libbpf, btf, kallsyms, ...symbols },
    variables: await pickVariables(btf),
    typed: existsSync('/sys/kernel/btf/vmlinux') ? await compileObject(host, 'typed', TYPED) : null,
    many: await compileObject(host, 'many', manyPrograms()),
  };
}

/** A program for every number, each with a map, a variable and a call of its own. */
function manyPrograms(): string {
  const head = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, ${MANY}); __type(key, int); __type(value, long); } counts SEC(".maps");
int limit = 7;
static __attribute__((noinline)) int clamp(int value) { return value > limit ? limit : value; }
char _license[] SEC("license") = "GPL";
`;
  const program = (number: number): string => `
SEC("socket") int program_${number}(struct __sk_buff *packet)
{
	int key = ${number};
	long *count = bpf_map_lookup_elem(&counts, &key);
	if (count) __sync_fetch_and_add(count, packet->len);
	return clamp(packet->len + ${number});
}`;
  return head + Array.from({ length: MANY }, (_, number) => program(number)).join('');
}

async function compileObject(host: BenchHost, name: string, text: string): Promise<string> {
  const [source, object] = [join(host.folder, `${name}.bpf.c`), join(host.folder, `${name}.bpf.o`)];
  await writeFile(source, text);
  await compile(host, ['-target', 'bpf', '-g', '-O2', '-I/usr/include/x86_64-linux-gnu', '-c', source, '-o', object]);
  return object;
}

async function compile({ signal }: BenchHost, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runTool('clang', args, { package: 'clang', signal });
  if (exitCode === 0) return;
  throw new ExplainedError('bench-not-compiled', 'a program of the bench does not compile', {
    where: `clang ${args.join(' ')}`,
    why: stderr,
    ...(stderr.includes('bpf') ? { fix: 'sudo apt-get install libbpf-dev' } : {}),
  });
}

/** Names from all over a file, so that no order of it is of advantage to anyone. */
function spread<T>(all: readonly T[]): T[] {
  return Array.from({ length: LOOKUPS }, (_, index) => all[Math.floor(((index + 0.5) * all.length) / LOOKUPS)]).filter(
    (one) => one !== undefined,
  );
}

async function pickVariables(path: string): Promise<string[]> {
  return spread([...Btf.parse(await readFile(path)).ofKind('var')].map(({ name }) => name));
}

async function pickSymbols(path: string): Promise<{ symbols: string[]; lines: number }> {
  const bytes = await readFile(path);
  const names = bytes.toString().matchAll(/^\S+ \S (\w+)$/gm);
  return { symbols: spread([...names].map(([, name = '']) => name)), lines: Kallsyms.parse(bytes).count };
}
