import type { Btf } from '../../../loader/btf/btf.ts';
import { ByteWriter } from '../../../loader/bytes.ts';

/** Numbers of `include/uapi/linux/btf.h`: BTF_KIND_PTR, STRUCT, FUNC, FUNC_PROTO, VAR. */
const KIND = { ptr: 2, struct: 4, func: 12, funcProto: 13, var: 14 } as const;

/** Split BTF such as a module's: a struct, a variable of it, and a function that takes a pointer to a struct of the base. */
export function moduleBtfBytes(base: Btf): Uint8Array {
  const int = base.find('int', 'int')?.id ?? 1;
  const rq = base.find('rq', 'struct')?.id ?? 1;
  const names = ['module_state', 'counter', 'module_variable', 'bpf_module_function', 'queue', 'flags'];
  const strings = new ByteWriter('little').u8(0);
  const offsets = new Map<string, number>();
  for (const name of names) {
    offsets.set(name, strings.position);
    strings.cstring(name);
  }
  // Strings of split BTF count on from the base's, whose size stands at offset 20 of its header.
  const first = new DataView(base.bytes.buffer, base.bytes.byteOffset).getUint32(20, base.byteOrder === 'little');
  const types = new ByteWriter('little');
  const type = (name: string, kind: number, vlen: number, sizeOrType: number, words: readonly number[] = []): void => {
    types
      .u32(name === '' ? 0 : first + (offsets.get(name) ?? 0))
      .u32(((kind << 24) | vlen) >>> 0)
      .u32(sizeOrType);
    for (const word of words) types.u32(word);
  };
  const own = base.endId;
  type('module_state', KIND.struct, 1, 4, [first + (offsets.get('counter') ?? 0), int, 0]);
  type('module_variable', KIND.var, 0, own, [1]);
  type('', KIND.ptr, 0, rq);
  type('', KIND.funcProto, 2, int, [
    first + (offsets.get('queue') ?? 0),
    own + 2,
    first + (offsets.get('flags') ?? 0),
    int,
  ]);
  type('bpf_module_function', KIND.func, 1, own + 3);
  const blob = new ByteWriter('little').u16(0xeb9f).u8(1).u8(0).u32(24);
  blob.u32(0).u32(types.position).u32(types.position).u32(strings.position);
  return blob.bytes(types.finish()).bytes(strings.finish()).finish();
}
