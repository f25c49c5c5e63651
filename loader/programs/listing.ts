import type { AgentConnection } from '../agent/connection.ts';
import { Btf } from '../btf/btf.ts';
import type { InstructionNames } from '../insn/format.ts';
import type { Instruction } from '../insn/instruction.ts';
import { formatListing, type ListedLine, type ListingOptions } from '../insn/listing.ts';
import { CallSource, LoadSource } from '../insn/opcodes.ts';
import type { Kallsyms } from '../resolve/kallsyms.ts';
import { closeAll } from '../syscall/bpf.ts';
import { btfInfo } from '../syscall/btf-info.ts';
import { openObject } from '../syscall/object-ids.ts';
import { functionSignature } from './function-signature.ts';
import type { ProgramInfo } from './info.ts';
import { KernelSymbols } from './kernel-symbols.ts';

/** What a program's listing draws on beside the program. */
export interface ProgramListingSources {
  /** The BTF that `btfId` of the program names; without it there are neither signatures nor source lines. */
  readonly btf: Btf | null;
  /** Read after the program was loaded, for the names of its functions; without it calls show numbers. */
  readonly kallsyms: Kallsyms | null;
}

/**
 * A program's instructions as `bpftool prog dump xlated` lists them: signatures, source lines, names of helpers, kernel functions and subprograms.
 * Empty where the kernel keeps the instructions to itself.
 */
export function formatProgram(
  info: ProgramInfo,
  { btf, kallsyms }: ProgramListingSources,
  options: ListingOptions = {},
): string {
  if (info.instructions === null) return '';
  const symbols = kallsyms === null ? null : new KernelSymbols(kallsyms);
  return formatListing(
    {
      code: info.instructions,
      functions: btf === null ? [] : info.functions.map((one) => withSignature(one, btf)),
      lines: btf === null ? [] : info.lines.map((line) => withSource(line, btf)),
      names: loadedNames(info, symbols),
    },
    options,
  );
}

/** The BTF that a program was loaded with; null if it has none. Needs CAP_SYS_ADMIN. Throws ExplainedError, FormatError, AgentError. */
export async function readProgramBtf(agent: AgentConnection, info: ProgramInfo): Promise<Btf | null> {
  if (info.btfId === 0) return null;
  const fd = await openObject(agent, 'btf', info.btfId);
  if (fd === null) return null;
  try {
    return Btf.parse((await btfInfo(agent, fd)).bytes, { name: `BTF ${info.btfId}` });
  } finally {
    await closeAll(agent, [fd]);
  }
}

function withSignature({ slot, typeId }: ProgramInfo['functions'][number], btf: Btf) {
  return { slot, signature: functionSignature(btf, typeId) };
}

function withSource(line: ProgramInfo['lines'][number], btf: Btf): ListedLine {
  return { ...line, source: btf.string(line.sourceOffset), file: btf.string(line.fileNameOffset) };
}

/** Names as bpftool finds them (print_call and print_imm in tools/bpf/bpftool/xlated_dumper.c). */
function loadedNames(info: ProgramInfo, symbols: KernelSymbols | null): InstructionNames {
  const addresses = info.functionAddresses;
  const base = symbols?.addressOf('__bpf_call_base') ?? 0n;
  return {
    call: ({ src, offset, imm }) => {
      const own = src === CallSource.SUBPROGRAM ? addresses?.[imm] : undefined;
      const address = BigInt.asUintN(64, own ?? base + BigInt(imm));
      const name = symbols?.nameAt(address);
      if (src !== CallSource.SUBPROGRAM) return name ?? `0x${address.toString(16)}`;
      if (addresses === null && info.jitedSize === 0) return signed(offset);
      return `${signed(offset)}#${name ?? `0x${address.toString(16)}`}`;
    },
    immediate: loadedImmediate,
  };
}

/** The kernel shows maps by id, and has put addresses where there were BTF ids. */
function loadedImmediate({ src, imm }: Instruction, second: number): string | undefined {
  if (src === LoadSource.MAP_FD) return `map[id:${imm}]`;
  if (src === LoadSource.MAP_VALUE) return `map[id:${imm}][0]+${second}`;
  return undefined;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}
