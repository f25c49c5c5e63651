import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DEFAULT_DEADLINES, type Deadlines } from '../vm/machine-parts.ts';
import type { CapabilityChange } from './capabilities.ts';
import { checkCondition, checkVariants } from './check-condition.ts';
import { DEFAULT_VARIANT } from './default-variant.ts';
import { checkDifferences } from './difference-entries.ts';
import type { Difference } from './difference-schema.ts';
import { checkKernels, type MatrixKernel, readKernels } from './kernel-entries.ts';
import { checkLoaders, DEFAULT_LOADERS, type MatrixLoader, readLoaders } from './loader-entries.ts';
import { type MatrixException, type MatrixFile, matrixSchema, type ProgramFile, programSchema } from './schema.ts';
import { ConfigError, type Finding, joinErrors, readYamlFile, unknownWord, type YamlFile } from './yaml-file.ts';

/** A matrix, read and checked. */
export interface Matrix {
  /** matrix.yaml's path. */
  readonly path: string;
  /** Heading of reports. */
  readonly title?: string | undefined;
  readonly kernels: readonly MatrixKernel[];
  /** In the order of the grid; {@link DEFAULT_LOADERS} where none is named. */
  readonly loaders: readonly MatrixLoader[];
  readonly programs: readonly Program[];
  /** `default` is always among them. */
  readonly variants: ReadonlyMap<string, Variant>;
  readonly exceptions: readonly MatrixException[];
  /** What other loaders are known to do otherwise, by this matrix; looked at before what this program knows. Absent: nothing. */
  readonly differences?: readonly Difference[];
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly deadlines: Deadlines;
  readonly mirror: string | undefined;
}

/** A program of the catalogue: its YAML and where its C file lies. */
export interface Program extends ProgramFile {
  readonly name: string;
  /** The YAML file's path. */
  readonly path: string;
  readonly source: string;
  readonly variants: string[];
  /** An error that shows findings at their places in the YAML file. */
  readonly complain: (findings: readonly Finding[]) => ConfigError;
}

/** What is changed in the guest for a cell. */
export interface Variant {
  readonly name: string;
  readonly sysctl: Readonly<Record<string, string>>;
  readonly boot: readonly string[];
  /** What the agent may not do while it loads and runs the program; undefined leaves it everything. */
  readonly capabilities?: CapabilityChange | undefined;
  /** Effective user id of the agent meanwhile; undefined leaves it root. */
  readonly user?: number | undefined;
  /** Processors of the machine; undefined for as many as the matrix gives every machine. */
  readonly cpus?: number | undefined;
}

/**
 * Reads matrix.yaml and every program it names.
 * @throws ConfigError that lists everything wrong with a file, each with line and column
 */
export async function loadMatrix(path: string): Promise<Matrix> {
  const file = await readYamlFile(path, matrixSchema);
  const variants = readVariants(file.value);
  const catalogue = await listPrograms(join(dirname(path), 'programs'));
  const findings = checkMatrix(file, catalogue, variants);
  if (findings.length > 0) throw file.error(findings);
  const programs = await loadPrograms(path, file.value.programs, variants);
  const { machine = {}, deadlines = {} } = file.value;
  const seconds = Object.entries(deadlines).map(([phase, value]) => [phase, (value ?? 0) * 1000] as const);
  return {
    path,
    title: file.value.title,
    kernels: readKernels(file.value.kernels, dirname(path)),
    loaders:
      file.value.loaders === undefined
        ? DEFAULT_LOADERS
        : readLoaders(file.value.loaders, dirname(path), (later) => file.error(later)),
    programs,
    variants,
    exceptions: file.value.exceptions ?? [],
    differences: file.value.differences ?? [],
    memoryMiB: machine.memory ?? 512,
    cpus: machine.cpus ?? 2,
    deadlines: { ...DEFAULT_DEADLINES, ...Object.fromEntries(seconds) },
    mirror: file.value.mirror,
  };
}

function readVariants(matrix: MatrixFile): Map<string, Variant> {
  const variants = new Map<string, Variant>([[DEFAULT_VARIANT, { name: DEFAULT_VARIANT, sysctl: {}, boot: [] }]]);
  for (const [name, variant] of Object.entries(matrix.variants ?? {})) {
    const sysctl = Object.entries(variant.sysctl ?? {}).map(([key, value]) => [key, String(value)] as const);
    const { boot = [], capabilities, user, cpus } = variant;
    variants.set(name, { name, sysctl: Object.fromEntries(sysctl), boot, capabilities, user, cpus });
  }
  return variants;
}

async function listPrograms(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.endsWith('.yaml'))
    .map((entry) => entry.slice(0, -'.yaml'.length))
    .sort();
}

function checkMatrix(
  file: YamlFile<MatrixFile>,
  catalogue: readonly string[],
  variants: ReadonlyMap<string, Variant>,
): Finding[] {
  const { kernels, loaders = [], programs, exceptions = [] } = file.value;
  const findings: Finding[] = [];
  programs.forEach((name, index) => {
    if (!catalogue.includes(name))
      findings.push({ path: ['programs', index], message: unknownWord('program', name, catalogue) });
    if (programs.indexOf(name) !== index)
      findings.push({ path: ['programs', index], message: `program "${name}" is listed twice` });
  });
  findings.push(...checkKernels(kernels), ...checkLoaders(loaders));
  findings.push(...checkDifferences(file.value.differences ?? [], variants));
  if (file.value.variants !== undefined && DEFAULT_VARIANT in file.value.variants) {
    findings.push({
      path: ['variants', DEFAULT_VARIANT],
      message: '"default" changes nothing and cannot be redefined',
      atKey: true,
    });
  }
  exceptions.forEach((exception, index) => {
    const path = ['exceptions', index];
    const { program, when } = exception;
    if (program !== undefined && !programs.includes(program)) {
      findings.push({ path: [...path, 'program'], message: unknownWord('program', program, programs) });
    }
    findings.push(...checkCondition(when, path, variants));
  });
  return findings;
}

async function loadPrograms(
  matrixPath: string,
  names: readonly string[],
  variants: ReadonlyMap<string, Variant>,
): Promise<Program[]> {
  const results = await Promise.allSettled(names.map((name) => loadProgram(dirname(matrixPath), name, variants)));
  const failures = results.filter((result) => result.status === 'rejected').map((result): unknown => result.reason);
  const [first] = failures;
  if (first !== undefined) throw failures.every((one) => one instanceof ConfigError) ? joinErrors(failures) : first;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

async function loadProgram(directory: string, name: string, variants: ReadonlyMap<string, Variant>): Promise<Program> {
  const path = join(directory, 'programs', `${name}.yaml`);
  const file = await readYamlFile(path, programSchema);
  const { value } = file;
  const source = resolve(dirname(path), value.source ?? `${name.split('/').at(-1)}.bpf.c`);
  const findings: Finding[] = [];
  if (!existsSync(source)) findings.push({ path: ['source'], message: `there is no C file ${source}` });
  findings.push(...checkVariants(value.variants ?? [], ['variants'], variants));
  value.expect.forEach((expectation, index) => {
    findings.push(...checkCondition(expectation.when ?? {}, ['expect', index, 'when'], variants));
    if (Object.keys(expectation.when ?? {}).length === 0 && index < value.expect.length - 1) {
      findings.push({
        path: ['expect', index + 1],
        message: 'never looked at: the expectation before it has no condition',
      });
    }
  });
  (value.checks ?? []).forEach((check, index) => {
    findings.push(...checkCondition(check.when ?? {}, ['checks', index, 'when'], variants));
  });
  if (value.run.length === 0 && (value.checks ?? []).length > 0) {
    findings.push({
      path: ['checks'],
      message: 'never made: a check follows a test run, and `run` is empty',
      atKey: true,
    });
  }
  if (findings.length > 0) throw file.error(findings);
  const complain: Program['complain'] = (later) => file.error(later);
  return { ...value, name, path, source, variants: value.variants ?? [DEFAULT_VARIANT], complain };
}
