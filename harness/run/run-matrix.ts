import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { requireSpace } from '../../kernels/free-space.ts';
import type { KernelLock } from '../../kernels/lock-file.ts';
import { KernelStore } from '../../kernels/store.ts';
import type { Matrix } from '../config/load.ts';
import { knownDifferences } from '../loaders/differences.ts';
import { checkOwnLoaders, prepareLoaders } from '../loaders/prepare-loaders.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { LoaderResult, RunResults } from '../results/results.ts';
import { chooseCapacity } from './capacity.ts';
import { ResultCollector } from './collect.ts';
import { clangVersion, compilePrograms } from './compile.ts';
import { dateRequests } from './dated-request.ts';
import { chooseIsolation, Engine } from './engine.ts';
import type { RunListener, RunPhase } from './events.ts';
import { EvidenceFolder } from './evidence.ts';
import { MeasuredMemory } from './measured.ts';
import { describeRepository } from './origin.ts';
import { prepareGroups } from './prepare-groups.ts';
import type { Attempt, CellMachine } from './run-stint.ts';
import { type Cell, type Filters, planGroups, selectKernels, selectLoaders, selectPrograms } from './select.ts';
import type { Isolation } from './stints.ts';

/** What to run, and how. */
export interface RunOptions {
  readonly matrix: Matrix;
  readonly filters: Filters;
  readonly accelerator: 'auto' | 'kvm' | 'tcg';
  /** Machines at once; undefined lets the host's cores and memory decide. */
  readonly jobs: number | undefined;
  /** Undefined chooses the fastest that keeps cells from affecting each other. */
  readonly isolation: Isolation | undefined;
  /** Whether booted machines are saved, and restored instead of booted again. */
  readonly templates: boolean;
  /** How often a cell that ends red is run again. */
  readonly retries: number;
  /** Called when a cell has ended red, with its machine still there until it resolves; true if the machine was made use of. */
  readonly onRed?: (cell: Cell, attempt: Attempt, machine: CellMachine) => Promise<boolean>;
  /** Kernel parameters for every machine. */
  readonly append: readonly string[];
  readonly cache: string;
  readonly mirror: string | undefined;
  /** Take exactly the kernels of this lock. */
  readonly lock?: KernelLock | undefined;
  /** Folder of the cache for the evidence. Default: `runs`, of which the newest is the one that other commands look at. */
  readonly runs?: 'runs' | 'bisections';
  /** Time from the start of the process to this call: starting up, compiling this program, installing packages. */
  readonly setupMs: number;
  readonly listener: RunListener;
  /** Aborting stops every machine; what is known by then is still returned. */
  readonly signal: AbortSignal;
}

/**
 * Compiles the programs, gets the kernels, boots them and runs every cell.
 * @throws ConfigError, ExplainedError for what stops the whole run; the signal's reason if it aborts before the first cell; a
 *   cell's failure is a verdict
 */
export async function runMatrix(options: RunOptions): Promise<RunResults> {
  const { matrix, listener, cache } = options;
  const startedAt = new Date().toISOString();
  const programs = selectPrograms(matrix, options.filters);
  const loaders = selectLoaders(matrix, options.filters);
  const foreign = loaders.some(({ request }) => request.kind !== 'ksym-matrix');
  await checkOwnLoaders(loaders);
  const differences = foreign ? await knownDifferences(matrix.differences) : [];
  // clang and lld crash on a full disk, and logs that are cut off prove nothing.
  await requireSpace(cache, RUN_BYTES * loaders.length, 'the logs of a run');
  const evidence = await EvidenceFolder.create(join(cache, options.runs ?? 'runs'), startedAt.replaceAll(':', '-'));
  const timings: Partial<Record<RunPhase | 'total', number>> = { setup: options.setupMs };
  const timed = async <T>(phase: RunPhase, detail: string, work: () => Promise<T>): Promise<T> => {
    options.signal.throwIfAborted();
    listener({ kind: 'phase', phase, detail });
    const started = performance.now();
    const result = await work();
    timings[phase] = performance.now() - started;
    listener({ kind: 'phase-end', phase, milliseconds: timings[phase] });
    return result;
  };

  const compiled = await timed('compile', `${programs.length} programs with clang`, () =>
    compilePrograms(programs, join(evidence.path, 'objects'), options.signal),
  );
  const store = new KernelStore({
    cache,
    mirror: { option: options.mirror, matrix: matrix.mirror },
    lock: options.lock,
    onProgress: (progress) => listener({ kind: 'kernel-progress', progress }),
    onMessage: (text) => listener({ kind: 'warning', text }),
    signal: options.signal,
  });
  const kernels = await timed('kernels', 'from the cache, else from their sources', () =>
    selectKernels(matrix, options.filters, store, {
      modules: [...new Set(programs.flatMap((program) => program.modules ?? []))],
      onMessage: (text) => listener({ kind: 'warning', text }),
    }),
  );
  const version = await toolVersion();
  const prepareAll = () =>
    prepareLoaders(loaders, {
      cache,
      ownVersion: version,
      mirror: options.mirror ?? matrix.mirror,
      onMessage: (text) => listener({ kind: 'loader-progress', text }),
      onBuilt: ({ name, about }, milliseconds) => listener({ kind: 'loader-built', loader: name, about, milliseconds }),
      signal: options.signal,
    });
  const others = loaders.filter(({ request }) => request.kind !== 'ksym-matrix').map(({ name }) => name);
  const { loaders: preparedLoaders, observer } =
    others.length === 0 ? await prepareAll() : await timed('loaders', others.join(', '), prepareAll);
  const groups = planGroups(kernels, programs, matrix, loaders);
  const {
    groups: prepared,
    accelerator,
    virtme,
  } = await timed('machines', 'planned by virtme-ng', () =>
    prepareGroups(groups, {
      cache,
      debian: store.debian,
      memoryMiB: matrix.memoryMiB,
      cpus: matrix.cpus,
      accelerator: options.accelerator,
      onMessage: (text) => listener({ kind: 'warning', text }),
      signal: options.signal,
    }),
  );
  const { dated } = await dateRequests(matrix.kernels, store);
  const passedOver = dated.filter(({ name }) => !kernels.some((kernel) => kernel.name === name));
  const { root, origin } = await describeRepository(matrix.path);
  const collector = new ResultCollector({
    ...{ matrix, kernels, passedOver, compiled, evidence, listener, groups, root },
    loaders: preparedLoaders,
    differences,
  });
  const engine = new Engine({
    ...options,
    prepared,
    accelerator,
    collector,
    compiled,
    loaders: { prepared: new Map(preparedLoaders.map((one) => [one.name, one])), observer },
  });
  const beginning = options.templates ? 'restored' : 'booted';
  const memory = await MeasuredMemory.read(cache);
  const machineKind = `${beginning}, ${accelerator.name}, ${matrix.memoryMiB} MiB`;
  const capacity = await chooseCapacity(options.jobs, beginning, memory.of(machineKind));
  const isolation = chooseIsolation(options.isolation);
  const count = groups.reduce((sum, group) => sum + group.cells.length, 0);
  const { jobs } = capacity;
  await timed(
    'cells',
    `${count} on ${kernels.length} ${kernels.length === 1 ? 'kernel' : 'kernels'}, ${jobs} ${jobs === 1 ? 'machine' : 'machines'} at a time, ${isolation.reason}`,
    () => engine.run(groups, isolation.name, jobs),
  );
  await memory.note(machineKind, engine.mostMemory);
  const results = await collector.finish({
    startedAt,
    origin,
    timings: { ...timings, total: performance.now() },
    complete: !options.signal.aborted,
    toolVersion: version,
    loaders: preparedLoaders.map(describeLoader),
    host: {
      clang: await clangVersion(),
      qemu: await firstLine([...prepared.values()][0]?.machine.plan.qemu ?? 'qemu-system-x86_64'),
      virtmeNg: virtme.version,
      accelerator: accelerator.name,
      acceleratorReason: accelerator.reason,
      node: process.versions.node,
      cpus: availableParallelism(),
    },
    engine: {
      isolation: isolation.name,
      isolationReason: isolation.reason,
      jobs,
      jobsReason: capacity.reason,
      machineBytes: engine.mostMemory,
      templates: options.templates,
      retries: options.retries,
    },
  });
  await evidence.writeResults(results).catch((error: Error) => {
    listener({ kind: 'warning', text: `the results are not kept with the evidence: ${error.message}` });
  });
  return results;
}

function describeLoader({ name, version, family, like, about, unavailable }: PreparedLoader): LoaderResult {
  return {
    name,
    version,
    // That two loaders made with one library agree says no more than that one of them does.
    family: like?.library ?? family,
    ...(about === '' ? {} : { about }),
    ...(unavailable === null ? {} : { unavailable }),
  };
}

/** What a run of the default matrix leaves in the cache for each loader, with room to spare: initramfs files, objects, logs. */
const RUN_BYTES = 50e6;

async function toolVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string };
  return version;
}

async function firstLine(program: string): Promise<string> {
  const result = await execa(program, ['--version'], { reject: false, stdin: 'ignore' });
  return result.stdout?.split('\n')[0] ?? '';
}
