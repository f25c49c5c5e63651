import { deriveRanges } from '../results/ranges.ts';
import type { CellResult, KernelResult, ProgramResult, RunResults } from '../results/results.ts';
import { RESULTS_SCHEMA_VERSION } from '../results/schema.ts';
import { countVerdicts } from '../results/verdicts.ts';
import { GENERATED_FACTS, generatedCell } from './generated-cells.ts';

/** How large a run is wanted: it has kernels × programs × loaders cells. */
export interface GeneratedSize {
  readonly kernels: number;
  readonly programs: number;
  readonly loaders: number;
  /** One cell in this many is red; default 100. */
  readonly redEvery?: number;
  /** The same one gives the same results, to the byte; default 1. */
  readonly seed?: number;
}

/** Flavours that take turns, so that every axis has its share of kernels. */
const FLAVOURS = [
  { flavour: 'cloud', suffix: '' },
  { flavour: 'generic', suffix: '-generic' },
  { flavour: 'rt', suffix: '-rt' },
] as const;

const THEMES = ['typeless-weak', 'typed-int-percpu', 'typed-struct', 'kfunc-call', 'xdp-counter'] as const;

/**
 * Results of a run that nobody ran, of any size: programs work since some kernel and are refused before it, some cells are red in one
 * of all ways, and each says as much as a real one does. What many cells say is one string, so that they take little memory.
 */
export function generateResults({ kernels, programs, loaders, redEvery = 100, seed = 1 }: GeneratedSize): RunResults {
  const random = seededRandom(seed);
  const allKernels = numbers(kernels).map(generatedKernel);
  const allPrograms = numbers(programs).map(generatedProgram);
  const allLoaders = numbers(loaders).map((index) =>
    index === 0
      ? { name: 'ksym-matrix', version: '0.1.0' }
      : { name: `libbpf-1.${index - 1}`, version: `1.${index - 1}.0` },
  );
  const since = allPrograms.map(() => Math.floor((random() * kernels) / 2));
  const cells: CellResult[] = [];
  for (const [place, kernel] of allKernels.entries()) {
    for (const [index, program] of allPrograms.entries()) {
      for (const { name: loader } of allLoaders) {
        cells.push(generatedCell({ kernel, program, loader, works: place >= (since[index] ?? 0), redEvery, random }));
      }
    }
  }
  return {
    schemaVersion: RESULTS_SCHEMA_VERSION,
    id: `generated-${kernels}x${programs}x${loaders}-${seed}`,
    startedAt: '2026-01-31T12:00:00.000Z',
    tool: { name: 'ksym-matrix', version: '0.1.0' },
    origin: { repository: 'example/bpf', commit: 'c0ffee'.repeat(7).slice(0, 40), modified: false, url: null },
    matrix: { path: 'matrix.yaml', title: 'A generated matrix' },
    shards: 1,
    host: {
      clang: 'clang version 14.0.6',
      qemu: 'QEMU emulator version 7.2.22',
      virtmeNg: '1.35',
      accelerator: 'tcg',
      acceleratorReason: 'there is no /dev/kvm',
      node: '20.20.2',
      cpus: 2,
    },
    engine: {
      isolation: 'kernel',
      isolationReason: 'cells of a kernel share a machine while they leave nothing behind',
      jobs: 2,
      jobsReason: 'one for each of 2 cores',
      machineBytes: 50_585_600,
      templates: true,
      retries: 1,
    },
    totals: countVerdicts(cells),
    timings: {
      setup: 900,
      compile: 1200,
      kernels: 3000,
      machines: 60_000,
      cells: 25 * cells.length,
      total: 26 * cells.length,
    },
    loaders: allLoaders,
    kernels: allKernels,
    programs: allPrograms,
    cells,
    ranges: deriveRanges(allKernels, cells),
    directory: '/runs/generated',
    complete: true,
  };
}

/** Kernels of one flavour follow on one another: 5.4, 5.5, … with up to 20 of a major version, then the next one. */
function generatedKernel(index: number): KernelResult {
  const { flavour, suffix } = FLAVOURS[index % FLAVOURS.length] ?? FLAVOURS[0];
  const age = Math.floor(index / FLAVOURS.length) + 4;
  const line = `${5 + Math.floor(age / 20)}.${age % 20}`;
  const release = `${line}.0-${(index % 40) + 1}-${flavour}-amd64`;
  return {
    name: `${line}${suffix}`,
    release,
    version: `${line}.${(index * 7) % 250}-1`,
    source: 'Debian',
    kind: 'debian',
    flavour,
    sha256: index.toString(16).padStart(64, '0'),
    facts: { release, machine: 'x86_64', cpus: 2, 'btf.types': 77_828 + 400 * index, ...GENERATED_FACTS },
    boots: [
      {
        parameters: [],
        cpus: null,
        modules: [],
        bootMs: 3000 + index,
        console: `${line}${suffix}/console-1.log`,
        when: 'this-run',
        restored: 10,
        restoreMs: 120,
      },
    ],
  };
}

function generatedProgram(index: number): ProgramResult {
  const name = `${THEMES[index % THEMES.length]}-${String(index + 1).padStart(3, '0')}`;
  const symbol = `symbol_${index + 1}`;
  return {
    name,
    title: `Variable ${index + 1} is read where the kernel lists it`,
    about:
      index % 3 === 0
        ? `What \`${symbol}\` is for, in a sentence or two. It is generated, like everything here.`
        : null,
    source: `programs/${name}.bpf.c`,
    text: [
      `// ${name}: a program that nobody has compiled.`,
      '#include <linux/bpf.h>',
      '#include <bpf/bpf_helpers.h>',
      '',
      `extern const int ${symbol} __ksym;`,
      '',
      '__u64 address;',
      '',
      'SEC("socket")',
      `int program_${index + 1}(struct __sk_buff *skb)`,
      '{',
      `\taddress = (__u64)&${symbol};`,
      '\treturn 0;',
      '}',
      '',
      'char LICENSE[] SEC("license") = "GPL";',
      '',
    ].join('\n'),
    needs:
      index % 4 === 0
        ? [
            {
              what: 'the kernel resolves typed variables',
              commit: '4976b718c3551faba2c0616ef55ebeb74db1c5ca',
              since: '5.10',
            },
          ]
        : [],
    objectSha256: index.toString(16).padStart(64, 'a'),
    compilerWarnings: '',
  };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Numbers from 0 to just below 1 that look random and are always the same: a linear congruential generator (Numerical Recipes' constants). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
