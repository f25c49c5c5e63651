import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shareCache } from '../../cli/test/command.ts';
import { loadMatrix } from '../../config/load.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import type { RunEvent } from '../events.ts';
import { type RunOptions, runMatrix } from '../run-matrix.ts';

/** A program of a test: its C file after the usual head, and its YAML file after the title. */
export interface TestProgram {
  readonly name: string;
  readonly code: string;
  readonly expect: string;
}

const HEAD = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n';
const LICENSE = 'char _license[] SEC("license") = "GPL";\n';

/** A place for runs: caches that share what is costly with the real one, a folder of programs, temporary files of its own. */
export interface RunPlace {
  readonly folder: string;
  /** A new cache with no runs in it: what runs at the same time must not share a folder for evidence. */
  readonly newCache: () => string;
  /** Writes matrix.yaml with these programs, in this order, and gives its path. */
  readonly write: (name: string, kernel: string, programs: readonly TestProgram[], more?: string) => string;
  /** What machines have left behind. */
  readonly leftovers: () => string[];
  readonly end: () => void;
}

/** Sets TMPDIR until `end` is called. */
export function createRunPlace(): RunPlace {
  const folder = mkdtempSync('/tmp/ksym-test-');
  const temporary = join(folder, 'tmp');
  let caches = 0;
  mkdirSync(temporary);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = temporary;
  return {
    folder,
    newCache: () => {
      const cache = join(folder, `cache-${++caches}`);
      shareCache(cache);
      return cache;
    },
    write: (name, kernel, programs, more = '') => {
      const matrix = join(folder, name);
      mkdirSync(join(matrix, 'programs'), { recursive: true });
      for (const program of programs) {
        const path = join(matrix, 'programs', program.name);
        writeFileSync(`${path}.bpf.c`, `${HEAD}${program.code}${LICENSE}`);
        writeFileSync(`${path}.yaml`, `title: A program of the tests\n${program.expect}`);
      }
      const names = programs.map((program) => program.name).join(', ');
      writeFileSync(join(matrix, 'matrix.yaml'), `kernels: [{debian: "${kernel}"}]\nprograms: [${names}]\n${more}`);
      return join(matrix, 'matrix.yaml');
    },
    leftovers: () => readdirSync(temporary).filter((entry) => !entry.startsWith('.')),
    end: () => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a run said and found. */
export interface Ran {
  readonly results: RunResults;
  readonly events: readonly RunEvent[];
  readonly cell: (program: string) => CellResult;
}

/** Settles when the run that was started last has everything that its cells need. */
let prepared: Promise<void> = Promise.resolve();

/** Runs a matrix on one machine at a time. Runs of one process get what they need one after the other, and then run side by side. */
export async function runReal(place: RunPlace, path: string, options: Partial<RunOptions> = {}): Promise<Ran> {
  const before = prepared;
  let isPrepared = (): void => undefined;
  prepared = new Promise((resolve) => {
    isPrepared = resolve;
  });
  await before;
  try {
    return await runNow(place, path, options, isPrepared);
  } finally {
    isPrepared();
  }
}

async function runNow(
  place: RunPlace,
  path: string,
  options: Partial<RunOptions>,
  isPrepared: () => void,
): Promise<Ran> {
  const events: RunEvent[] = [];
  const results = await runMatrix({
    matrix: await loadMatrix(path),
    filters: { kernels: [], programs: [] },
    accelerator: 'auto',
    jobs: 1,
    isolation: 'kernel',
    templates: true,
    retries: 0,
    append: ['nopti'],
    cache: place.newCache(),
    mirror: undefined,
    setupMs: 0,
    signal: new AbortController().signal,
    ...options,
    listener: (event) => {
      events.push(event);
      if (event.kind === 'phase' && event.phase === 'cells') isPrepared();
      options.listener?.(event);
    },
  });
  const cell = (program: string): CellResult => {
    const found = results.cells.find((one) => one.program === program);
    if (found === undefined) throw new Error(`${program} was not run`);
    return found;
  };
  return { results, events, cell };
}
