import { deriveRanges } from '../../results/ranges.ts';
import type { CellResult, KernelResult, RunResults } from '../../results/results.ts';
import type { Verdict } from '../../results/verdicts.ts';
import { paintFor } from '../paint.ts';

/** A stream as the painter sees it. */
export function stream(isTTY: boolean): NodeJS.WriteStream {
  return { isTTY } as unknown as NodeJS.WriteStream;
}

/** Runs with other environment variables, and puts the old ones back. */
export function withEnvironment<T>(changes: Record<string, string | undefined>, work: () => T): T {
  const before = { ...process.env };
  const clean = { NO_COLOR: undefined, FORCE_COLOR: undefined, TERM: 'xterm', ...changes };
  for (const [name, value] of Object.entries(clean)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  try {
    return work();
  } finally {
    process.env = before;
  }
}

export const PLAIN = withEnvironment({ NO_COLOR: '1' }, () => paintFor(stream(true)));

export const NOTHING = { console: null, cellConsole: null, resolution: null, verifierLog: null, values: null };

export function cell(kernel: string, program: string, verdict: Verdict, more: Partial<CellResult> = {}): CellResult {
  const outcome: CellResult['outcome'] = {
    phase: verdict === 'pass' ? 'check' : 'load',
    class: verdict === 'pass' ? 'ok' : 'verifier-rejected',
    message: 'the verifier refused it',
  };
  return {
    kernel,
    loader: 'ksym-matrix',
    program,
    variant: 'default',
    outcome,
    verdict,
    why: 'the verifier refused it',
    expected: { outcome: 'works', reason: 'it works everywhere', source: 'programs/x.yaml expect[0]' },
    durationMs: 5,
    externs: [],
    values: [],
    verifierLog: null,
    console: [],
    location: null,
    evidence: { ...NOTHING, console: `${kernel}/console-1.log` },
    splats: [],
    leftovers: [],
    ...more,
  };
}

/** A kernel of the results, of Debian's unless said otherwise. */
export function sampleKernel(name: string, more: Partial<KernelResult> = {}): KernelResult {
  const [line = ''] = name.split('-');
  return {
    name,
    release: `${name}.1-amd64`,
    version: `${line}.1-1`,
    source: 'Debian',
    kind: 'debian',
    flavour: name.slice(line.length + 1) || 'cloud',
    sha256: '00',
    facts: {},
    boots: [],
    ...more,
  };
}

export function results(cells: readonly CellResult[], more: Partial<RunResults> = {}): RunResults {
  const totals = { pass: 0, xfail: 0, fail: 0, xpass: 0, panic: 0, timeout: 0, infra: 0, flaky: 0 };
  for (const one of cells) totals[one.verdict]++;
  const names = [...new Set(cells.map((one) => one.program))];
  const kernels = more.kernels ?? ['5.10', '6.12-generic'].map((name) => sampleKernel(name));
  return {
    schemaVersion: 2,
    id: '2026-01-31T12-00-00.000Z',
    startedAt: '2026-01-31T12:00:00.000Z',
    tool: { name: 'ksym-matrix', version: '0.1.0' },
    host: {
      clang: 'clang 14',
      qemu: 'QEMU 7.2',
      virtmeNg: '1.35',
      accelerator: 'tcg',
      acceleratorReason: 'there is no /dev/kvm',
      node: '20.20.2',
      cpus: 2,
    },
    origin: { repository: 'example/bpf', commit: 'c0ffee'.repeat(7).slice(0, 40), modified: false, url: null },
    matrix: { path: 'matrix.yaml', title: null },
    shards: 1,
    loaders: [...new Set(cells.map((one) => one.loader))].map((name) => ({ name, version: '0.1.0' })),
    totals,
    engine: {
      isolation: 'kernel',
      isolationReason: 'cells of a kernel share a machine',
      jobs: 2,
      jobsReason: 'one for each of 2 cores',
      machineBytes: 60 * 2 ** 20,
      templates: true,
      retries: 0,
    },
    timings: { compile: 1234, cells: 10_000, total: 12_340 },
    kernels,
    ranges: deriveRanges(kernels, cells),
    programs: names.map((name) => ({
      name,
      title: name,
      about: null,
      source: `programs/${name}.bpf.c`,
      text: `// ${name}\n`,
      needs: [],
      objectSha256: null,
      compilerWarnings: '',
    })),
    cells,
    directory: '/runs/1',
    complete: true,
    ...more,
  };
}

export const WARNED = {
  lines: [],
  rule: 'warn',
  kind: 'warning',
  text: 'WARNING: CPU: 0 at kernel/x.c:1',
  allowed: null,
};
