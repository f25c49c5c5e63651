/**
 * Numbers of the ELF format, from the System V ABI (gABI, chapter 4) as in `elf.h`, and those of the BPF machine from
 * LLVM's `llvm/BinaryFormat/ELFRelocs/BPF.def` and the kernel's `Documentation/bpf/llvm_reloc.rst`.
 */

/** `e_machine` of BPF. */
export const EM_BPF = 247;

/** `e_type`: relocatable, which is what clang writes with `-c`. */
export const ET_REL = 1;

/** `sh_type`. */
export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;

/** `sh_flags`. */
export const SHF_EXECINSTR = 4n;

/** Section indices that are no index: undefined, the start of the reserved range, absolute, common, and "see elsewhere". */
export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
export const SHN_ABS = 0xfff1;
export const SHN_COMMON = 0xfff2;
export const SHN_XINDEX = 0xffff;

/** `ld_imm64` of a symbol: the address goes into both slots' `imm`. */
export const R_BPF_64_64 = 1;
/** A 64-bit word of data. */
export const R_BPF_64_ABS64 = 2;
/** A 32-bit word of data. */
export const R_BPF_64_ABS32 = 3;
/** Like {@link R_BPF_64_ABS32}, not to be applied by a loader: `.BTF` and `.BTF.ext`. */
export const R_BPF_64_NODYLD32 = 4;
/** A call's `imm`. */
export const R_BPF_64_32 = 10;
