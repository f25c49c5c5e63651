import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import pLimit from 'p-limit';
import { runTool, toolFailed } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';

/** A file that inputs are made from. */
export interface RawSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The files that everything is made from. */
export interface RawSeeds {
  /** BPF objects of either byte order. */
  readonly objects: readonly RawSeed[];
  /** An object whose BTF is taken for a kernel's. */
  readonly kernel: RawSeed;
}

/** Which files to start from, beside those in `harness/fuzz/seeds`. */
export interface SeedOptions {
  /** Also every program of the repository. */
  readonly programs: boolean;
  /** A folder with compiled objects (`*.o`), searched with all folders in it. */
  readonly corpus?: string;
}

/** Larger objects are left out: an input is to take a millisecond, not a second. */
const LARGEST_OBJECT = 128 * 1024;

const OWN = ['maps', 'tables', 'ksyms', 'core'] as const;

/** Compiles and reads the seeds. The order is the same on every machine. Throws ExplainedError `tool-missing`, `compile-failed`. */
export async function readSeeds(options: SeedOptions): Promise<RawSeeds> {
  const folder = await mkdtemp(join(tmpdir(), 'ksym-matrix-fuzz-'));
  try {
    const own = join(PACKAGE_ROOT, 'harness', 'fuzz', 'seeds');
    const programs = join(PACKAGE_ROOT, 'programs');
    const jobs = [
      { source: join(own, 'kernel.c'), target: 'bpfel' },
      ...OWN.flatMap((name) => ['bpfel', 'bpfeb'].map((target) => ({ source: join(own, `${name}.bpf.c`), target }))),
      ...(options.programs ? (await sourcesIn(programs)).map((source) => ({ source, target: 'bpfel' })) : []),
    ];
    const limit = pLimit(2);
    const compiled = await limit.map(jobs, ({ source, target }) => compile(source, target, folder));
    const [kernel, ...objects] = compiled;
    if (kernel === undefined) throw new ExplainedError('no-seeds', 'there is no seed');
    const more = options.corpus === undefined ? [] : await objectsIn(options.corpus);
    return { kernel, objects: [...objects, ...more] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compile(source: string, target: string, folder: string): Promise<RawSeed> {
  const name = `${basename(source).replace(/(\.bpf)?\.c$/, '')}-${target}`;
  const output = join(folder, `${name}.o`);
  const include = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  const flags = ['-target', target, '-g', '-O2', '-mcpu=v3', include, '-Wno-everything'];
  const result = await runTool('clang', [...flags, '-c', source, '-o', output], { package: 'clang' });
  if (result.exitCode !== 0) throw toolFailed(result, 'compile-failed', 'a seed does not compile', source);
  return { name, bytes: new Uint8Array(await readFile(output)) };
}

async function sourcesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith('.bpf.c'))
    .sort()
    .map((name) => join(folder, name));
}

async function objectsIn(folder: string): Promise<RawSeed[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(o|elf)$/.test(name)).sort();
  const seeds: RawSeed[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const { size } = await stat(path);
    if (size > LARGEST_OBJECT) continue;
    const bytes = new Uint8Array(await readFile(path));
    if (isElf(bytes)) seeds.push({ name, bytes });
  }
  return seeds;
}

function isElf(bytes: Uint8Array): boolean {
  return bytes.length > 64 && Buffer.from(bytes.subarray(0, 5)).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2]));
}
