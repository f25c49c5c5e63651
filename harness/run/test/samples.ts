import type { Kernel } from '../../../kernels/store.ts';
import type { Matrix, Program, Variant } from '../../config/load.ts';
import { DEFAULT_LOADERS, type MatrixLoader, OUR_LOADER } from '../../config/loader-entries.ts';
import type { Expectation, MatrixException } from '../../config/schema.ts';
import { parseKernelVersion } from '../../config/version-range.ts';
import { ConfigError } from '../../config/yaml-file.ts';
import { DEFAULT_DEADLINES } from '../../vm/machine-parts.ts';
import type { CompiledProgram } from '../compile.ts';
import type { Outcome } from '../outcome.ts';
import type { RunLoaders } from '../run-stint.ts';
import type { SelectedKernel } from '../select.ts';

/** A kernel as the store gives it, without files behind it. */
export function sampleKernel(line: string, release: string): Kernel {
  return {
    name: line,
    kind: 'debian',
    line,
    release,
    version: `${line}.1-1`,
    flavour: 'cloud',
    directory: `/kernels/${line}`,
    image: `/kernels/${line}/boot/vmlinuz`,
    config: null,
    systemMap: null,
    sha256: '00',
    packages: [],
    source: 'Debian test',
    resolvedAt: 0,
  };
}

/** The loader of a matrix that names none. */
export const OURS: MatrixLoader = { name: OUR_LOADER, request: { kind: 'ksym-matrix' } };

/** A run of ours alone. */
export const OURS_ALONE: RunLoaders = { prepared: new Map(), observer: null, timeoutMs: 60_000 };

export function selected(name: string, version: string = `${name}.1`): SelectedKernel {
  return { name, version: parseKernelVersion(version), kernel: sampleKernel(name, `${version}-cloud-amd64`) };
}

export const WORKS: Expectation = { outcome: 'works', reason: 'it works everywhere' };

export function sampleProgram(
  name: string,
  variants: string[] = ['default'],
  expect: Expectation[] = [WORKS],
): Program {
  const path = `/programs/${name}`;
  const complain: Program['complain'] = (findings) => new ConfigError('config-invalid', JSON.stringify(findings));
  const title = `Title of ${name}`;
  return { name, title, path: `${path}.yaml`, source: `${path}.bpf.c`, variants, run: [], expect, complain };
}

export function sampleMatrix(
  programs: readonly Program[],
  variants: readonly Variant[] = [],
  exceptions: readonly MatrixException[] = [],
  kernels: Matrix['kernels'] = [{ request: { debian: '6.12' }, name: undefined }],
): Matrix {
  const all = [{ name: 'default', sysctl: {}, boot: [] }, ...variants];
  return {
    path: '/matrix.yaml',
    kernels,
    loaders: DEFAULT_LOADERS,
    programs,
    variants: new Map(all.map((variant) => [variant.name, variant])),
    exceptions,
    memoryMiB: 512,
    cpus: 2,
    deadlines: DEFAULT_DEADLINES,
    mirror: undefined,
  };
}

export const OK: Outcome = { phase: 'check', class: 'ok', message: '1 values are as they should be', resolutions: [] };

export function compiled(program: Program, failure?: Outcome): CompiledProgram {
  return { program, spec: null, failure, warnings: '', object: `${program.name}.bpf.o`, sha256: undefined };
}

export const STRICT: Variant = { name: 'strict', sysctl: { 'kernel.kptr_restrict': '2' }, boot: [] };
