import { Btf } from '../../btf/btf.ts';
import { ByteWriter } from '../../bytes.ts';
import { compileBpf } from '../../elf/test/compile.ts';
import { parseObject } from '../../object/parse.ts';
import type { ObjectContent } from '../../object/spec.ts';
import { Kallsyms } from '../kallsyms.ts';
import type { KernelFacts } from '../outcome.ts';

/** Where Debian and Ubuntu keep <asm/types.h>. */
const INCLUDE = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/** The BTF of a C file, to be taken for that of a kernel. */
export function kernelBtf(folder: string, source: string, name = 'vmlinux'): Btf {
  return Btf.parse(btfBytes(folder, source, name), { name });
}

/** Split BTF with one VAR and one FUNC, whose types are in `base`: what a module's looks like. */
export function moduleBtf(
  base: Btf,
  name: string,
  variable: string,
  typeId: number,
  func: string,
  protoId: number,
): Btf {
  const strings = new ByteWriter('little').u8(0);
  const variableName = strings.position;
  strings.cstring(variable);
  const funcName = strings.position;
  strings.cstring(func);
  // Strings of split BTF are counted on from the base's, whose size stands at offset 20 of its header.
  const firstString = new DataView(base.bytes.buffer, base.bytes.byteOffset).getUint32(20, true);
  const types = new ByteWriter('little');
  // struct btf_type of BTF_KIND_VAR (14) with linkage global (1), and of BTF_KIND_FUNC (12).
  types
    .u32(firstString + variableName)
    .u32(14 << 24)
    .u32(typeId)
    .u32(1);
  types
    .u32(firstString + funcName)
    .u32((12 << 24) | 1)
    .u32(protoId);
  const blob = new ByteWriter('little').u16(0xeb9f).u8(1).u8(0).u32(24);
  blob.u32(0).u32(types.position).u32(types.position).u32(strings.position);
  return Btf.parse(blob.bytes(types.finish()).bytes(strings.finish()).finish(), { base, name });
}

/** An object compiled from C, with `WEAK` defined as `__weak` or as nothing. */
export function compileObject(folder: string, body: string, weak = false): ObjectContent {
  const source = `#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n${body}`;
  const flags = ['-g', '-O2', INCLUDE, `-DWEAK=${weak ? '__weak' : ''}`, '-Wno-everything'];
  const { bytes } = compileBpf(folder, weak ? 'weak' : 'strong', source, { flags });
  return parseObject(bytes, 'test.o');
}

/** `/proc/kallsyms` with these lines after a few dozen ordinary ones. */
export function fakeKallsyms(lines: readonly string[], options: { readonly hidden?: boolean } = {}): Kallsyms {
  const ordinary = ['ffffffff82000000 D jiffies', 'ffffffff82000040 D init_task'];
  for (let index = 0; index < 30; index++) ordinary.push(`ffffffff810000${(index + 16).toString(16)} T func_${index}`);
  const all = [...ordinary, ...lines].map((line) => (options.hidden ? line.replace(/^\w+/, '0000000000000000') : line));
  return Kallsyms.parse(new TextEncoder().encode(`${all.join('\n')}\n`));
}

/** A kernel about which nothing is known but what `facts` say. */
export function kernel(facts: Partial<KernelFacts>): KernelFacts {
  return {
    kallsyms: fakeKallsyms([]),
    vmlinuxBtf: null,
    moduleBtfs: [],
    moduleBtfsUnavailable: null,
    btfIdLoads: true,
    ...facts,
  };
}

function btfBytes(folder: string, source: string, name: string): Uint8Array {
  const { bytes } = compileBpf(folder, name, source);
  return parseObject(bytes, name).btf?.bytes ?? new Uint8Array();
}
