import type { Btf } from '../../btf/btf.ts';
import { compileBpf } from '../../elf/test/compile.ts';
import { readImm64, readInstruction } from '../../insn/instruction.ts';
import { parseObject } from '../../object/parse.ts';
import type { ObjectContent, ProgramSpec } from '../../object/spec.ts';
import { applyCoreRelocations, CORE_POISON, type CoreResult } from '../core.ts';
import { kernel } from './fake-kernel.ts';

export type Target = 'bpfel' | 'bpfeb';

const HEAD = `
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef signed char s8; typedef short s16; typedef int s32; typedef long long s64;
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
static volatile u64 sink;
#define FIELD(place, kind) sink = __builtin_preserve_field_info(place, kind);
#define TYPE(type, kind) sink = __builtin_preserve_type_info(*(typeof(type) *)0, kind);
#define ID(type, kind) sink = __builtin_btf_type_id(*(typeof(type) *)0, kind);
#define VALUE(type, name, kind) sink = __builtin_preserve_enum_value(*(typeof(type) *)name, kind);
`;

/** An object with one program `ask` of these statements, which may use `FIELD`, `TYPE`, `ID` and `VALUE`, and a pointer `p`. */
export function compileQuestions(
  folder: string,
  declarations: string,
  statements: string,
  options: { readonly pointer?: string; readonly target?: Target } = {},
): { readonly spec: ObjectContent; readonly program: ProgramSpec } {
  const { pointer = 'void', target = 'bpfel' } = options;
  const source = `${HEAD}${declarations}\nSEC("raw_tp/x") int ask(void **ctx) { ${pointer} *p = *ctx; ${statements} return 0; }`;
  const { bytes } = compileBpf(folder, 'ask', source, { target, flags: ['-g', '-O2', '-Wno-everything', '-mcpu=v3'] });
  const spec = parseObject(bytes, 'ask.o');
  const [program] = spec.programs;
  if (program === undefined) throw new TypeError('there is no program');
  return { spec, program };
}

/** BTF with these types, each of which has to be named in `uses`, as of a kernel. */
export function typesOf(folder: string, declarations: string, uses: readonly string[], target: Target = 'bpfel'): Btf {
  const variables = uses.map((type, index) => `${type} variable_${index};`).join(' ');
  const { bytes } = compileBpf(folder, 'types', `${HEAD}${declarations}\n${variables}`, { target });
  const { btf } = parseObject(bytes, 'vmlinux');
  if (btf === null) throw new TypeError('there is no BTF');
  return btf;
}

/** What each relocation came to: the value that its instruction has now, in the order of the statements. */
export function answers(
  { spec, program }: { readonly spec: ObjectContent; readonly program: ProgramSpec },
  vmlinuxBtf: Btf,
): (number | bigint | 'poison')[] {
  const { code } = applyCoreRelocations(spec, program, kernel({ vmlinuxBtf }));
  return program.coreRelocations.map(({ slot }) => valueAt(code, slot, spec.byteOrder));
}

/** The value in an instruction: the offset of a load or store, else its constant. */
export function valueAt(
  code: CoreResult['code'],
  slot: number,
  byteOrder: 'little' | 'big' = 'little',
): number | bigint | 'poison' {
  const { opcode, imm, offset } = readInstruction(code, slot, byteOrder);
  if (opcode === 0x85 && imm === CORE_POISON) return 'poison';
  if (opcode === 0x18) return BigInt.asIntN(64, readImm64(code, slot, byteOrder));
  return [1, 2, 3].includes(opcode & 7) ? offset : imm;
}
