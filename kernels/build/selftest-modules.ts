import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { ARCH } from './configure.ts';
import { runMake } from './run-make.ts';

/** Where a module's source may lie: a folder of its own until 6.13, one for all of them since. */
const PLACES = (name: string): string[] => [name, 'test_kmods'];
const SELFTESTS = 'tools/testing/selftests/bpf';

export interface SelftestModules {
  /** Of {@link findSelftestModules}. */
  readonly folders: readonly string[];
  readonly source: string;
  /** Where the kernel was compiled. */
  readonly objects: string;
  /** A folder for copies of the sources: kbuild puts what it makes of them beside them. */
  readonly scratch: string;
  /** What is to have lib/modules/RELEASE/updates/NAME.ko. */
  readonly target: string;
  readonly log: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Compiles modules of the kernel's BPF selftests (tools/testing/selftests/bpf) against a kernel that was just built.
 * @throws ExplainedError `build-failed`, `interrupted`
 */
export async function buildSelftestModules(request: SelftestModules): Promise<void> {
  for (const folder of request.folders) {
    const copy = join(request.scratch, folder);
    await rm(copy, { recursive: true, force: true });
    await mkdir(request.scratch, { recursive: true });
    await cp(join(request.source, SELFTESTS, folder), copy, { recursive: true });
    const make = ['make', ARCH, '-C', request.objects, `M=${copy}`] as const;
    const common = { cwd: request.objects, log: request.log, signal: request.signal };
    await runMake({ ...common, task: `compiling the module ${folder}`, command: [...make, 'modules'] });
    const install = [`INSTALL_MOD_PATH=${request.target}`, 'INSTALL_MOD_DIR=updates', 'INSTALL_MOD_STRIP=1'];
    await runMake({
      ...common,
      task: `installing the module ${folder}`,
      command: [...make, ...install, 'modules_install'],
    });
  }
}

/**
 * The folders that hold modules of these names, such as `bpf_testmod`, below tools/testing/selftests/bpf.
 * @throws ExplainedError `selftest-module-missing`
 */
export async function findSelftestModules(names: readonly string[], source: string): Promise<readonly string[]> {
  const folders = new Set<string>();
  for (const name of names) folders.add(await folderOf(name, source));
  return [...folders];
}

async function folderOf(name: string, source: string): Promise<string> {
  for (const folder of PLACES(name)) {
    const file = join(source, SELFTESTS, folder, `${name}.c`);
    if ((await stat(file).catch(() => null)) !== null) return folder;
  }
  const present = await readdir(join(source, SELFTESTS), { recursive: true }).catch(() => []);
  const modules = present.flatMap(
    (path) => /(?:^|\/)(bpf_test\w*)\/\1\.c$|^test_kmods\/(\w+)\.c$/.exec(path)?.slice(1) ?? [],
  );
  const names = modules.filter((one) => one !== undefined);
  throw new ExplainedError('selftest-module-missing', `the source has no selftest module ${name}`, {
    where: join(source, SELFTESTS),
    fix: names.length === 0 ? 'bpf_testmod came with Linux 5.11.' : `It has ${names.join(', ')}.`,
  });
}
