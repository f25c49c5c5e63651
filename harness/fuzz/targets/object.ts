import { btfForKernel } from '../../../loader/btf/kernel-btf.ts';
import { formatInstructions } from '../../../loader/insn/format.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { applyCoreRelocations } from '../../../loader/resolve/core.ts';
import { resolveExterns } from '../../../loader/resolve/externs.ts';
import { elfFields } from '../fields.ts';
import type { RawSeeds } from '../seeds.ts';
import { type Refusals, type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

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
  const copy = spec.copy();
  for (const { name } of copy.variables) {
    const variable = refusals.attempt(() => copy.variable(name));
    const value = variable && refusals.attempt(() => variable.get());
    if (variable !== undefined && value !== undefined) refusals.attempt(() => variable.set(value));
    if (variable !== undefined) refusals.attempt(() => variable.set(variable.bytes.slice()));
  }
  const { btf, datasecLayout } = spec;
  if (btf !== null) refusals.attempt(() => btfForKernel(btf, datasecLayout));
}

function word(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
