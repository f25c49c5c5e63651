import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { ARCH } from './configure.ts';
import { parseConfig } from './fragments.ts';
import { runMake } from './run-make.ts';
import { buildSelftestModules, findSelftestModules } from './selftest-modules.ts';

/** A kernel that is configured and is to be compiled. */
export interface CompileRequest {
  readonly source: string;
  readonly objects: string;
  /** The finished .config. */
  readonly config: string;
  /** Selftest modules that are wanted too. */
  readonly modules: readonly string[];
  /** An empty folder for the modules. */
  readonly target: string;
  /** For copies of modules' sources. */
  readonly scratch: string;
  readonly log: string;
  /** Told what is being done; `files` were compiled so far. */
  readonly onStep: (step: string, files: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** What was compiled; the paths lie in the object tree, the modules in {@link CompileRequest.target}. */
export interface CompiledKernel {
  readonly release: string;
  readonly image: string;
  readonly config: string;
  readonly systemMap: string;
  /** Null if the kernel cannot load modules. */
  readonly modules: string | null;
}

/**
 * Compiles a kernel and its modules with kbuild; of what the object tree has already, only what the configuration changed.
 * @throws ExplainedError `build-failed`, `selftest-module-missing`, `tool-missing`, `interrupted`
 */
export async function compileKernel(request: CompileRequest): Promise<CompiledKernel> {
  const { source, objects, target, log, signal, onStep } = request;
  const hasModules = parseConfig(request.config).get('CONFIG_MODULES') === 'y';
  // Said now, and not after minutes of compiling.
  const folders = await findSelftestModules(request.modules, source);
  if (folders.length > 0 && !hasModules) {
    throw new ExplainedError('selftest-module-missing', `this kernel cannot load ${request.modules.join(', ')}`, {
      where: source,
      why: 'it is configured without CONFIG_MODULES',
      fix: 'Take CONFIG_MODULES=n out of the fragments, or the modules out of `build`.',
    });
  }
  let files = 0;
  const onLine = (line: string): void => {
    const [, what, path] = /^ {2}([A-Z]+)(?: \[M\])? +(\S+)/.exec(line) ?? [];
    if (what === undefined || path === undefined) return;
    if (what === 'CC' || what === 'AS') files++;
    onStep(what in STEPS && /vmlinux|bzImage/.test(path) ? (STEPS[what] ?? '') : 'compiling', files);
  };
  const make = ['make', ARCH, `O=${objects}`, `-j${availableParallelism()}`] as const;
  const common = { cwd: source, log, signal, onLine };
  onStep('compiling', files);
  const goals = hasModules ? ['bzImage', 'modules'] : ['bzImage'];
  await runMake({ ...common, task: 'compiling the kernel', command: [...make, ...goals] });
  const release = (await readFile(join(objects, 'include/config/kernel.release'), 'utf8')).trim();
  if (hasModules) {
    await mkdir(target, { recursive: true });
    onStep('installing modules', files);
    const install = [`INSTALL_MOD_PATH=${target}`, 'INSTALL_MOD_STRIP=1', 'modules_install'];
    await runMake({ ...common, task: 'installing modules', command: [...make, ...install] });
    onStep('compiling test modules', files);
    await buildSelftestModules({ ...request, folders });
  }
  const modules = join(target, 'lib/modules', release);
  // They point at folders that may be gone tomorrow.
  for (const link of ['build', 'source']) await rm(join(modules, link), { force: true });
  return {
    release,
    image: join(objects, 'arch/x86/boot/bzImage'),
    config: join(objects, '.config'),
    systemMap: join(objects, 'System.map'),
    modules: (await stat(modules).catch(() => null)) === null ? null : modules,
  };
}

/** What kbuild's words stand for, where they are about the whole kernel: these take long and compile nothing. */
const STEPS: Readonly<Record<string, string>> = {
  LD: 'linking the kernel',
  BTF: 'writing BTF',
  KSYMS: 'writing the symbols',
  KSYM: 'writing the symbols',
  BTFIDS: 'linking the kernel',
  OBJCOPY: 'packing the image',
  ZSTD: 'packing the image',
};
