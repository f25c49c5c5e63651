import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PackageFiles } from '../../kernels/debian/package-files.ts';
import { runTool, toolFailed } from '../../kernels/run-tool.ts';

/** What the selftests' Makefile (LINKED_SKELS) joins with libbpf's linker: each is an object of its own beside its parts. */
export const LINKED: Readonly<Record<string, readonly string[]>> = {
  linked_funcs: ['linked_funcs1', 'linked_funcs2'],
  linked_vars: ['linked_vars1', 'linked_vars2'],
  linked_maps: ['linked_maps1', 'linked_maps2'],
  test_static_linked: ['test_static_linked1', 'test_static_linked2'],
  test_subskeleton_linked: ['test_subskeleton_lib2', 'test_subskeleton_lib', 'test_subskeleton'],
  test_subskeleton_lib_linked: ['test_subskeleton_lib2', 'test_subskeleton_lib'],
  test_usdt_linked: ['test_usdt', 'test_usdt_multispec'],
};

/** Where the loader and libraries lie in the packages of bpftool. */
export const BPFTOOL = {
  interpreter: 'usr/lib64/ld-linux-x86-64.so.2',
  libraries: 'usr/lib/x86_64-linux-gnu',
  program: 'usr/sbin/bpftool',
} as const;

/**
 * Links objects of a folder into others in the folder `target`, with `bpftool gen object`.
 * @throws ExplainedError `corpus-linker-failed`
 */
export async function linkSelftests(
  folder: string,
  target: string,
  bpftool: PackageFiles,
  signal: AbortSignal,
): Promise<void> {
  const at = (path: string): string => join(bpftool.directory, path);
  const command = ['--library-path', at(BPFTOOL.libraries), at(BPFTOOL.program), 'gen', 'object'];
  const object = (name: string): string => join(folder, `${name}.bpf.o`);
  await mkdir(target, { recursive: true });
  for (const [name, parts] of Object.entries(LINKED)) {
    const args = [...command, join(target, `${name}.bpf.o`), ...parts.map(object)];
    const result = await runTool(at(BPFTOOL.interpreter), args, { package: 'bpftool', signal });
    if (result.exitCode !== 0) throw toolFailed(result, 'corpus-linker-failed', `bpftool cannot link ${name}`, folder);
  }
}
