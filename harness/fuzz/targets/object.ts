import { btfForKernel } from '../../../loader/btf/kernel-btf.ts';
import { formatInstructions } from '../../../loader/insn/format.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { applyCoreRelocations } from '../../../loader/resolve/core.ts';
import { resolveExterns } from '../../../loader/resolve/externs.ts';
import { elfFields } from '../fields.ts';
import type { RawSeeds } from '../seeds.ts';
import { type Refusals, type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

/** Larger variables are only read and set as bytes: 2.5 MB of small numbers, which a selftest has, take half a second each way. */
const LARGEST_VALUE = 64 * 1024;

/** Whole ELF objects: parsed, edited, and resolved against a kernel. */
export function objectTarget({ objects }: RawSeeds, { facts }: Context): Target {
  return {
    name: 'object',
    seeds: objects.map(({ name, bytes }) => ({ name, bytes, fields: elfFields(bytes) })),
    words: ['.maps', '.ksyms', '.kconfig', '.rodata', '.bss', '.BTF', 'license', 'xdp', '?tc'].map(word),
    run: (bytes, refusals) => {
      const spec = refusals.attemptTwice(() => ObjectSpec.parse(bytes, 'input.o'));
      if (spec === undefined) return;
      refusals.accepted = true;
      inspectObject(spec, refusals);
      refusals.attempt(() => resolveExterns(spec, facts));
      for (const program of spec.programs) refusals.attempt(() => applyCoreRelocations(spec, program, facts));
    },
  };
}

function inspectObject(spec: ObjectSpec, refusals: Refusals): void {
  for (const program of spec.programs) {
    formatInstructions(program.code, spec.byteOrder);
    if (spec.program(program.name).name !== program.name) throw new Violation('wrong-name', program.name);
  }
  // Text of lines is made only now, and refused where it would take too much.
  const copy = refusals.attempt(() => spec.copy());
  if (copy === undefined) return;
  for (const { name, size } of copy.variables) {
    const variable = refusals.attempt(() => copy.variable(name));
    if (variable === undefined) continue;
    refusals.attempt(() => variable.set(variable.bytes.slice()));
    const value = size > LARGEST_VALUE ? undefined : refusals.attempt(() => variable.get());
    if (value !== undefined) refusals.attempt(() => variable.set(value));
  }
  const { btf, datasecLayout } = spec;
  if (btf !== null) refusals.attempt(() => btfForKernel(btf, datasecLayout));
}

function word(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
