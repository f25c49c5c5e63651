import type { ByteOrder } from '../bytes.ts';
import { ObjectError } from '../errors.ts';
import type { ProgramPart } from './build.ts';
import { slotsOf } from './decoded.ts';
import { encodeInstruction } from './encode.ts';

/**
 * Puts instructions into bytes, with the distances to their labels.
 *
 * ```ts
 * const code = assemble([load(4, 0, 1), jumpIfImm(0, '==', 0, 'out'), mov64Imm(0, 1), label('out'), exit()]);
 * ```
 * @throws ObjectError `label-unknown`, `label-twice`, `instruction-field-range`.
 */
export function assemble(parts: readonly ProgramPart[], byteOrder: ByteOrder = 'little'): Uint8Array {
  const labels = new Map<string, number>();
  let end = 0;
  for (const part of parts) {
    if (part.kind !== 'label') {
      end += part.kind === 'to-label' ? part.slots : slotsOf(part);
      continue;
    }
    if (labels.has(part.name)) throw new ObjectError('label-twice', 'two places of one name', { symbol: part.name });
    labels.set(part.name, end);
  }
  const encoded: Uint8Array[] = [];
  let slot = 0;
  for (const part of parts) {
    if (part.kind === 'label') continue;
    const instruction = part.kind === 'to-label' ? part.at(distance(part.label, labels, slot)) : part;
    encoded.push(encodeInstruction(instruction, byteOrder));
    slot += slotsOf(instruction);
  }
  const code = new Uint8Array(encoded.reduce((size, bytes) => size + bytes.length, 0));
  let at = 0;
  for (const bytes of encoded) {
    code.set(bytes, at);
    at += bytes.length;
  }
  return code;
}

function distance(name: string, labels: ReadonlyMap<string, number>, slot: number): number {
  const target = labels.get(name);
  // Counted from the next slot also for a load of two slots (BPF_PSEUDO_FUNC: add_subprog in kernel/bpf/verifier.c).
  if (target !== undefined) return target - slot - 1;
  const why = labels.size === 0 ? 'there is none' : `there are ${[...labels.keys()].join(', ')}`;
  throw new ObjectError('label-unknown', 'no place of that name', { symbol: name, instruction: slot }, { why });
}
