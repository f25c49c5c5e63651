import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { ExplainedError } from '../../loader/errors.ts';
import { type GuestKernel, GuestKernels } from '../cli/guest-kernels.ts';
import { writeWhole } from '../results/write.ts';
import { DEFAULT_DEADLINES } from '../vm/machine-parts.ts';
import type { CorpusResults, ObjectResult, ResultVerdict } from './baseline.ts';
import { type Corpus, collectCorpus } from './collect-objects.ts';
import { coreCasesOn } from './core-cases-on.ts';
import { CorpusGuest } from './corpus-guest.ts';
import { matches } from './expectations.ts';
import { LibbpfMemory } from './libbpf-memory.ts';
import { parseCorpusObject } from './our-loader.ts';
import { runOnKernel } from './run-kernel.ts';
import { buildTestModule, TEST_MODULE, type TestModule } from './test-module.ts';
import type { KernelVerdict, ParsedObject } from './verdict.ts';

/** The kernels of the baseline: lines of the matrix, the last one its newest. */
export const CORPUS_KERNELS: readonly string[] = ['6.1', '6.12', '7.3'];

/** What {@link runCorpus} is asked for. */
export interface CorpusRequest {
  readonly cache: string;
  readonly mirror: string | undefined;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly locked: true | undefined;
  /** Default: matrix.yaml, if there is one. */
  readonly matrix: string | undefined;
  /** Lines, or names of the matrix. */
  readonly kernels: readonly string[];
  /** Only objects whose id matches; `*` is a wildcard. Empty: all. */
  readonly objects: readonly string[];
  /** Objects that are only parsed. */
  readonly tooHeavy: readonly string[];
  /** Asks libbpf again about what it was asked before. */
  readonly fresh: boolean;
  /** Kernels at a time. */
  readonly jobs: number;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Every object with what both loaders said, in full: for who looks into it. */
export const LAST_RUN = 'last-run.json';

/** Of an object in libbpf's hands, and of each request to a machine, which may be emulated on a host that is busy. */
const PATIENCE_MS = 120_000;
/** What tests of the verifier's limits need, in MiB. */
const MEMORY = 1024;

/**
 * Fetches the corpus, parses it, and has it loaded on every kernel.
 * @throws ExplainedError, ConfigError, MachineError where the corpus or a machine cannot be had
 */
export async function runCorpus(request: CorpusRequest): Promise<CorpusResults> {
  const { cache, say, signal } = request;
  const corpus = await collectCorpus({ cache, mirror: request.mirror, say, signal });
  const objects = await parseAll(corpus, request.objects);
  say(`${objects.length} objects, ${objects.filter(({ parsed }) => !parsed).length} refused by the parser`);
  const guests = await openKernels(request);
  const kernels = await guests.select(request.kernels);
  const modules = await buildModules(kernels, request);
  const loadable = objects.filter(({ id }) => !matches(request.tooHeavy, id));
  const verdicts = new Map(objects.map(({ id }) => [id, new Map<string, KernelVerdict>()]));
  // Where one kernel ends the run, the others would go on for minutes before anyone is told.
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const onKernel = async (kernel: GuestKernel): Promise<void> => {
    const module = modules.get(kernel) ?? null;
    await using guest = new CorpusGuest(guests, kernel, corpus.oracle, module, stop);
    const { release, version, sha256 } = kernel.kernel;
    const about = [release, version, sha256, corpus.oracle, ...(module === null ? [] : [module.key])];
    const memory = await LibbpfMemory.open(cache, about, request.fresh);
    const started = performance.now();
    let done = 0;
    let saving = Promise.resolve();
    await runOnKernel({
      guest,
      memory,
      objects: loadable,
      timeoutMs: PATIENCE_MS,
      signal: stop,
      onVerdict: ({ id }, verdict) => {
        verdicts.get(id)?.set(kernel.name, verdict);
        done += 1;
        if (done % 50 !== 0 && done !== loadable.length) return;
        const seconds = Math.round((performance.now() - started) / 1000);
        say(`${kernel.name}: ${done} of ${loadable.length} objects, ${seconds} s`);
        // Awaited below; a run that is interrupted has lost nothing then.
        saving = saving.then(() => memory.save());
        saving.catch(() => undefined);
      },
    });
    await saving;
  };
  await pLimit(request.jobs).map(kernels, (kernel) =>
    onKernel(kernel).catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await keepDetails(cache, objects, verdicts);
  // Two of the cases for CO-RE are about the module.
  const chosen = kernels.findLast((kernel) => modules.has(kernel)) ?? kernels.at(-1);
  const module = (chosen && modules.get(chosen)) ?? null;
  const coreCases =
    request.objects.length > 0 || chosen === undefined
      ? { agrees: 0, disagrees: {}, notRun: {} }
      : await coreCasesOn(new CorpusGuest(guests, chosen, corpus.oracle, module, signal), corpus, {
          cache,
          testModule: module !== null,
          say,
          signal,
        });
  const testModules = Object.fromEntries([...modules].map(([{ name }, { about }]) => [name, about]));
  return { ...head(corpus, kernels), testModules, coreCases, objects: results(objects, kernels, verdicts) };
}

/** The module of the selftests, for the kernels that it can be compiled for. */
async function buildModules(
  kernels: readonly GuestKernel[],
  options: CorpusRequest,
): Promise<Map<GuestKernel, TestModule>> {
  const modules = new Map<GuestKernel, TestModule>();
  for (const kernel of kernels) {
    const module = await buildTestModule(kernel.kernel, options).catch((error: unknown) => {
      // A kernel that was kept, of a version whose headers Debian no longer has.
      if (!(error instanceof ExplainedError) || error.code !== 'package-unknown') throw error;
      options.say(`warning: ${kernel.name} has no ${TEST_MODULE}: ${error.message}`);
      return null;
    });
    if (module !== null) modules.set(kernel, module);
  }
  return modules;
}

async function openKernels({ cache, accel, mirror, matrix, locked, signal }: CorpusRequest): Promise<GuestKernels> {
  const options = {
    accel,
    templates: true,
    memory: MEMORY,
    deadlines: { ...DEFAULT_DEADLINES, request: PATIENCE_MS },
    ...(mirror === undefined ? {} : { debianMirror: mirror }),
    ...(matrix === undefined ? {} : { matrix }),
    ...(locked === undefined ? {} : { locked }),
  };
  return GuestKernels.create(options, cache, signal);
}

async function parseAll(corpus: Corpus, patterns: readonly string[]): Promise<ParsedObject[]> {
  const objects: ParsedObject[] = [];
  for (const one of corpus.objects) {
    if (patterns.length > 0 && !matches(patterns, one.id)) continue;
    objects.push(parseCorpusObject(one, await readFile(one.path)).parsed);
  }
  return objects;
}

type Verdicts = ReadonlyMap<string, ReadonlyMap<string, KernelVerdict>>;

function head(
  corpus: Corpus,
  kernels: readonly GuestKernel[],
): Omit<CorpusResults, 'objects' | 'coreCases' | 'testModules'> {
  const { tools, sources, notCompiled } = corpus;
  const versions = kernels.map(({ name, kernel }) => [name, kernel.version] as const);
  return { schemaVersion: 1, tools, sources, kernels: Object.fromEntries(versions), notCompiled };
}

function results(
  objects: readonly ParsedObject[],
  kernels: readonly GuestKernel[],
  verdicts: Verdicts,
): Record<string, ObjectResult> {
  return Object.fromEntries(
    objects.map(({ id, parsed, reason, byteOrder, programs }) => {
      const found = kernels.flatMap(({ name }): [string, ResultVerdict][] => {
        const verdict = verdicts.get(id)?.get(name);
        return verdict === undefined ? [] : [[name, shorten(verdict)]];
      });
      const result: ObjectResult = {
        parsed: parsed ? 'ok' : reason,
        byteOrder,
        programs: programs.length,
        verdicts: Object.fromEntries(found),
      };
      return [id, result];
    }),
  );
}

function shorten({ libbpf, ours, refusedPrograms }: KernelVerdict): ResultVerdict {
  if (libbpf.loaded && ours.loaded) return 'loaded';
  const refused = Object.keys(refusedPrograms).length === 0 ? {} : { refused: { ...refusedPrograms } };
  return {
    libbpf: libbpf.loaded ? 'loaded' : libbpf.reason,
    ours: ours.loaded ? 'loaded' : ours.reason,
    ...refused,
  };
}

async function keepDetails(cache: string, objects: readonly ParsedObject[], verdicts: Verdicts): Promise<void> {
  const all = objects.map((object) => ({ ...object, verdicts: Object.fromEntries(verdicts.get(object.id) ?? []) }));
  await writeWhole(join(cache, 'corpus', LAST_RUN), `${JSON.stringify(all, null, 1)}\n`);
}
