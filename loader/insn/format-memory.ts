import type { Instruction } from './instruction.ts';
import { Atomic, Class, Mode, Size } from './opcodes.ts';

/** A load or store in the kernel's words, `ld_imm64` apart (print_bpf_insn in `kernel/bpf/disasm.c`). */
export function formatMemory(instruction: Instruction): string {
  const { opcode, dst, src, offset, imm } = instruction;
  const bits = WIDTHS.get(opcode & 0x18) ?? '64';
  const mode = opcode & 0xe0;
  const at = (type: string, register: number) => `*(${type}${bits} *)(r${register} ${signed(offset)})`;
  switch (opcode & 0x07) {
    case Class.LD:
      if (mode === Mode.ABS) return `r0 = *(u${bits} *)skb[${imm}]`;
      if (mode === Mode.IND) return `r0 = *(u${bits} *)skb[r${src} + ${imm}]`;
      return unknown('ld_', opcode);
    case Class.LDX:
      if (mode === Mode.MEM) return `r${dst} = ${at('u', src)}`;
      if (mode === Mode.MEMSX && bits !== '64') return `r${dst} = ${at('s', src)}`;
      return unknown('ldx_', opcode);
    case Class.ST:
      if (mode === Mode.MEM) return `${at('u', dst)} = ${imm}`;
      // The kernel's own BPF_NOSPEC, a speculation barrier.
      return mode === Mode.ATOMIC ? 'nospec' : unknown('st_', opcode);
    default:
      if (mode === Mode.MEM) return `${at('u', dst)} = r${src}`;
      if (mode === Mode.ATOMIC) return formatAtomic(instruction, bits) ?? unknown('', opcode);
      // The kernel's own: in an arena, where an access may fault.
      if (mode === PROBE_ATOMIC) return prefixed('probe ', formatAtomic(instruction, bits)) ?? unknown('', opcode);
      return unknown('', opcode);
  }
}

const PROBE_ATOMIC = 0xe0;

const WIDTHS: ReadonlyMap<number, string> = new Map([
  [Size.B, '8'],
  [Size.H, '16'],
  [Size.W, '32'],
  [Size.DW, '64'],
]);

const ATOMIC_OPERATORS: ReadonlyMap<number, readonly [operator: string, name: string]> = new Map([
  [Atomic.ADD, ['+=', 'add']],
  [Atomic.OR, ['|=', 'or']],
  [Atomic.AND, ['&=', 'and']],
  [Atomic.XOR, ['^=', 'xor']],
]);

function formatAtomic({ dst, src, offset, imm }: Instruction, bits: string): string | undefined {
  const pointer = (register: number) => `(u${bits} *)(r${register} ${signed(offset)})`;
  const prefix = bits === '64' ? 'atomic64' : 'atomic';
  if (imm === Atomic.XCHG) return `r${src} = ${prefix}_xchg(${pointer(dst)}, r${src})`;
  if (imm === Atomic.CMPXCHG) return `r0 = ${prefix}_cmpxchg(${pointer(dst)}, r0, r${src})`;
  if (imm === Atomic.LOAD_ACQUIRE) return `r${dst} = load_acquire(${pointer(src)})`;
  if (imm === Atomic.STORE_RELEASE) return `store_release(${pointer(dst)}, r${src})`;
  const operation = ATOMIC_OPERATORS.get(imm & ~Atomic.FETCH);
  if (operation === undefined) return undefined;
  const [operator, name] = operation;
  if ((imm & Atomic.FETCH) === 0) return `lock *${pointer(dst)} ${operator} r${src}`;
  return `r${src} = ${prefix}_fetch_${name}(${pointer(dst)}, r${src})`;
}

/** The kernel's word for what should not be there. */
function unknown(group: string, opcode: number): string {
  return `BUG_${group}${opcode.toString(16).padStart(2, '0')}`;
}

function prefixed(prefix: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : prefix + text;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}
