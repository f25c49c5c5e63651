import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clang, compileSelftests } from './compile-selftests.ts';
import { findObjects } from './find-objects.ts';
import { corpusPackages } from './package-files.ts';
import { OBJECT_PACKAGES, ORACLE_PACKAGES } from './packages.ts';
import type { CorpusObject } from './verdict.ts';

/** Source of the objects that are compiled here. */
export const SELFTEST_SOURCE = 'selftests';

/** The corpus on this host's disk. */
export interface Corpus {
  /** In the order of sources and names. */
  readonly objects: readonly CorpusObject[];
  /** By source: package, version, and how many objects it has. */
  readonly sources: Readonly<Record<string, SourceFacts>>;
  /** bpftool and its libraries, unpacked. */
  readonly oracle: string;
  /** Versions of the packages that decide the verdicts: bpftool, and clang. */
  readonly tools: { readonly bpftool: string; readonly compiler: string };
  /** The folder tools/testing/selftests/bpf. */
  readonly selftests: string;
  /** The folder of vmlinux.h. */
  readonly vmlinux: string;
  readonly clang: Clang;
  /** Selftests that do not compile, with the compiler's first error. */
  readonly notCompiled: Readonly<Record<string, string>>;
}

/** Where objects of one source come from. */
export interface SourceFacts {
  readonly package: string;
  readonly version: string;
  readonly objects: number;
}

/** What {@link collectCorpus} works with. */
export interface CollectOptions {
  readonly cache: string;
  readonly mirror: string | undefined;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Fetches, unpacks and compiles everything; what is in the cache already is used as it is.
 * @throws ExplainedError of the package source and of the compilation
 */
export async function collectCorpus(options: CollectOptions): Promise<Corpus> {
  const { cache, mirror, say, signal } = options;
  const packages = corpusPackages({ cache, mirror, onMessage: say, signal });
  const objects: CorpusObject[] = [];
  const sources: Record<string, SourceFacts> = {};
  for (const one of OBJECT_PACKAGES) {
    const files = await packages.unpack([one], one.source);
    const found = await findObjects(files.directory);
    const folder = join(cache, 'corpus', 'objects', one.source);
    for (const { name, bytes, sha256 } of found) {
      const path = join(folder, `${name}.bpf.o`);
      await keep(path, bytes);
      objects.push({ id: `${one.source}/${name}`, source: one.source, path, sha256 });
    }
    const version = files.packages[0]?.version ?? '';
    sources[one.source] = { package: one.name, version, objects: found.length };
  }
  const oracle = await packages.unpack(ORACLE_PACKAGES, 'bpftool');
  const compiled = await compileSelftests({ packages, bpftool: oracle, cache, say, signal });
  let selftests = 0;
  for (const folder of [compiled.directory, compiled.linked]) {
    for (const { name, sha256 } of await findObjects(folder)) {
      selftests += 1;
      const path = join(folder, `${name}.bpf.o`);
      objects.push({ id: `${SELFTEST_SOURCE}/${name}`, source: SELFTEST_SOURCE, path, sha256 });
    }
  }
  sources[SELFTEST_SOURCE] = { package: 'linux-source-6.12', version: compiled.version, objects: selftests };
  return {
    objects,
    sources,
    oracle: oracle.directory,
    tools: {
      bpftool: oracle.packages.find(({ name }) => name === 'bpftool')?.version ?? '',
      compiler: compiled.compiler,
    },
    selftests: compiled.selftests,
    vmlinux: compiled.vmlinux,
    clang: compiled.clang,
    notCompiled: compiled.failures,
  };
}

async function keep(path: string, bytes: Uint8Array): Promise<void> {
  const there = await readFile(path).catch(() => null);
  if (there?.equals(bytes) === true) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}
