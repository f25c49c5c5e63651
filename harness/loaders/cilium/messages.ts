import type { FailureClass } from '../../config/schema.ts';
import type { LoaderComplaint } from '../prepared-loader.ts';

/**
 * What words of cilium/ebpf mean, of any version from 0.2 on; null if they are none that is known. They are the library's own errors (btf/btf.go,
 * elf_reader.go, linker.go, prog.go, map.go, internal/kallsyms), and what the adapter says of a program that the library passed over.
 * @param message the whole error; in 0.2 that has the verifier's log in it
 */
export function classify(message: string): LoaderComplaint | null {
  const [, program] = /^program (\S+?):? /.exec(message) ?? [];
  for (const [meaning, words] of PHRASES) {
    const found = words.exec(message);
    if (found === null) continue;
    const extern = firstName(found.groups?.names);
    return {
      class: meaning,
      ...(extern === undefined ? {} : { extern }),
      ...(program === undefined ? {} : { program }),
    };
  }
  return null;
}

/** The first that fits counts. `names`: of externs, separated by commas, in the random order of a Go map. */
const PHRASES: readonly (readonly [FailureClass, RegExp])[] = [
  // 0.17 to 0.22: a variable of any type but void, for which they take `const void` as well.
  ['loader-lacks-feature', /expected (?<names>\S+) to be \*Void, not \*btf\.Var: not supported/],
  // 0.11 to 0.16 know functions there and no variables.
  ['loader-lacks-feature', /data section \.ksyms: expected \*btf\.Func, not \*btf\.\w+: not supported/],
  ['loader-lacks-feature', /data section \.ksyms: expected to be either \*btf\.Func or \*btf\.Var, not /],
  ['loader-lacks-feature', /reference to \.(?:ksyms|kconfig): not supported/],
  // 0.2 looks for an ELF section of that name to learn its size from.
  ['loader-lacks-feature', /load BTF: data section \.ksyms: missing size/],
  // Before 0.14, weak kfuncs; weak maps in all of them.
  ['loader-lacks-feature', /asm relocation: (?<names>\S+): unsupported binding: STB_WEAK/],
  ['loader-lacks-feature', /map "[^"]+": unsupported binding: STB_WEAK/],
  // What a map is declared with, and data sections of other names, such as `.data.own`.
  ['loader-lacks-feature', /unrecognized field \S+ in BTF map definition/],
  ['loader-lacks-feature', /got '[^']+' section: not supported/],
  ['loader-lacks-feature', /reference to "[^"]*" in section \S+: not supported/],
  // 0.2 takes every global variable that is not static for a map.
  ['loader-lacks-feature', /^program \S+: missing map \S+$/],
  // BTF has kinds that the version is too old for. 0.2 takes some of them for others, and loses its way (`kind Section: can't read …`).
  ['loader-lacks-feature', /can't read types: type id \d+: (?:unknown kind: |kind )/],
  ['loader-lacks-feature', /^program \S+ is left out: nothing is known of section /],
  ['kallsyms-hidden', /symbol (?<names>\S+): restricted by kernel\.kptr_restrict/],
  ['kallsyms-unreadable', /open \/proc\/kallsyms: /],
  ['ksym-ambiguous', /symbol (?<names>[^\s(]+)\(0x[0-9a-f]+\): duplicate found at address /],
  ['ksym-not-in-kallsyms', /kernel is missing symbol: (?<names>\S+)$/],
  // Typed variables are in no release so far: the words of commit a5b2e206, read and not seen.
  ['ksym-not-in-btf', /typed ksym: look up variable (?<names>\S+): /],
  // btf.LoadKernelSpec(), whatever it was wanted for.
  ['btf-missing', /no BTF found for kernel version/],
  ['kfunc-not-found', /kfunc "(?<names>[^"]+)": not supported/],
  // Modules are searched for what vmlinux lacks, and not shown without CAP_SYS_ADMIN. Since pull request 1950 that counts as not found.
  ['kfunc-not-found', /fixing up kfuncs: .*iterate modules: .*operation not permitted/],
  ['kfunc-signature-mismatch', /kfunc "(?<names>[^"]+)": .*incompatible types/],
  ['map-rejected', /^map \S+: (?:.*: )?map create(?: without BTF)?: /],
  // 0.2 does not say what it was that the kernel refused, and prints the log of it; everything of that log is BTF.
  ['btf-rejected', /load BTF: [^:]+: |^[\w ]+: magic: 0xeb9f/],
  ['ksym-address-unavailable', /failed to find the address for kernel symbol '(?<names>[^']+)'/],
  // Words after the errno's are the verifier's; without a log there are none.
  ['verifier-rejected', /(?:load program|can't load program): [^:]+: \s*\S/],
  ['load-refused', /(?:load program|can't load program): /],
];

/** Of several the first by name, so that the same object gets the same answer every time. */
function firstName(names: string | undefined): string | undefined {
  return names?.split(',').sort()[0];
}
