import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { locateProgram } from '../../loader/guarded-process.ts';
import { runTool, toolPath } from '../run-tool.ts';
import type { VirtmeNg } from '../virtme-ng.ts';

/** Something that compiling a kernel takes. */
export interface BuildTool {
  /** A program, or a header's path. */
  readonly name: string;
  readonly purpose: string;
  /** Package that has it, on Debian and Ubuntu. */
  readonly package: string;
}

/** What compiling a kernel takes beside what the harness needs anyway; see Documentation/process/changes.rst of the kernel. */
export const BUILD_TOOLS: readonly BuildTool[] = [
  { name: 'gcc', purpose: 'compiles the kernel', package: 'gcc' },
  { name: 'ld', purpose: 'links the kernel', package: 'binutils' },
  { name: 'make', purpose: 'runs the build', package: 'make' },
  { name: 'flex', purpose: "reads the kernel's Kconfig files", package: 'flex' },
  { name: 'bison', purpose: "reads the kernel's Kconfig files", package: 'bison' },
  { name: 'bc', purpose: 'computes constants of the kernel', package: 'bc' },
  { name: 'cpio', purpose: "packs the kernel's headers", package: 'cpio' },
  { name: 'perl', purpose: 'runs scripts of the kernel', package: 'perl' },
  { name: 'pahole', purpose: "writes the kernel's BTF", package: 'pahole' },
  { name: 'tar', purpose: "unpacks the kernel's source", package: 'tar' },
  { name: 'xz', purpose: "unpacks the kernel's source", package: 'xz-utils' },
  { name: 'zstd', purpose: "packs the kernel's image", package: 'zstd' },
  { name: 'depmod', purpose: "indexes the kernel's modules", package: 'kmod' },
  { name: '/usr/include/libelf.h', purpose: 'objtool reads object files with it', package: 'libelf-dev' },
  { name: '/usr/include/openssl/opensslv.h', purpose: "the kernel's signing tools include it", package: 'libssl-dev' },
  { name: '/usr/include/stdio.h', purpose: "the kernel's own tools include it", package: 'libc6-dev' },
];

/** Where a tool was found; undefined if it is missing. */
export function findBuildTool({ name }: BuildTool): string | undefined {
  if (name.startsWith('/')) return existsSync(name) ? name : undefined;
  return locateProgram(name, toolPath());
}

/**
 * Stops if something is missing that compiling takes.
 * @throws ExplainedError `build-tools-missing`
 */
export function requireBuildTools(tools: readonly BuildTool[] = BUILD_TOOLS): void {
  const missing = tools.filter((tool) => findBuildTool(tool) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tool.package))];
  throw new ExplainedError('build-tools-missing', 'a kernel cannot be compiled on this system', {
    why: missing.map((tool) => `${tool.name} is missing (${tool.purpose})`).join(', '),
    fix: `sudo apt-get install --no-install-recommends ${packages.join(' ')}, or run with --setup, which does that`,
  });
}

/** The versions of what makes the bytes of a kernel. */
export interface Toolchain {
  /** First line of `gcc --version`. */
  readonly compiler: string;
  /** First line of `ld --version`. */
  readonly linker: string;
  /** Such as `v1.24`. Before 1.22 it writes no variables into BTF. */
  readonly pahole: string;
}

/**
 * Asks the tools for their versions.
 * @throws ExplainedError `tool-missing`
 */
export async function readToolchain(signal?: AbortSignal): Promise<Toolchain> {
  const ask = async (tool: string, owner: string): Promise<string> => {
    const { stdout } = await runTool(tool, ['--version'], { package: owner, signal });
    return stdout.toString('utf8').split('\n', 1)[0]?.trim() ?? '';
  };
  const [compiler, linker, pahole] = await Promise.all([
    ask('gcc', 'gcc'),
    ask('ld', 'binutils'),
    ask('pahole', 'pahole'),
  ]);
  return { compiler, linker, pahole };
}

/** The command line of virtme-configkernel, which lies beside virtme-run. */
export function configKernelCommand(virtme: VirtmeNg): readonly [string, ...string[]] {
  const [program, ...leading] = virtme.command;
  const beside = (path: string): string =>
    basename(path) === 'virtme-run' ? join(dirname(path), 'virtme-configkernel') : path;
  return [beside(program), ...leading.map(beside)];
}
