import { Btf } from '../../../loader/btf/btf.ts';
import { BtfBuilder } from '../../../loader/btf/builder.ts';
import { formatType } from '../../../loader/btf/format.ts';
import { btfForKernel } from '../../../loader/btf/kernel-btf.ts';
import { printDeclaration, printDefinition, printWithDefinition } from '../../../loader/btf/print-c.ts';
import type { TypeId } from '../../../loader/btf/types.ts';
import { decodeValue, encodeValue } from '../../../loader/btf/values.ts';
import { type Refusals, Violation } from '../target.ts';

/** Values of types that are larger than this many bytes are not decoded: BTF may claim up to 4 GiB. */
const LARGEST_VALUE = 4096;

/** Asks everything of every type, and has the BTF written again for a kernel. */
export function inspectBtf(btf: Btf, refusals: Refusals): void {
  for (let id = btf.firstId; id < btf.endId; id++) inspectType(btf, id, refusals);
  refusals.attempt(() => [...btf.types()].length);
  btf.count('var');
  if (btf.base === null) rewrite(btf, refusals);
  rebuild(btf, refusals);
}

function inspectType(btf: Btf, id: TypeId, refusals: Refusals): void {
  const type = refusals.attemptTwice(() => btf.type(id));
  if (type === undefined) return;
  if (type.id !== id && type.kind !== 'void')
    throw new Violation('wrong-type', `type ${id} says that it is ${type.id}`);
  refusals.attempt(() => btf.resolve(id));
  refusals.attempt(() => btf.find(type.name, type.kind));
  refusals.attempt(() => btf.findAll(type.name, type.kind, { own: true }));
  refusals.attempt(() => formatType(btf, id));
  refusals.attempt(() => printDeclaration(btf, id));
  refusals.attempt(() => printDefinition(btf, id, { members: 64 }));
  refusals.attempt(() => printWithDefinition(btf, id));
  const size = refusals.attempt(() => btf.sizeOf(id));
  if (size === undefined) return;
  if (!Number.isSafeInteger(size) || size < 0) throw new Violation('wrong-size', `type ${id} takes ${size} bytes`);
  if (size > LARGEST_VALUE) return;
  const value = refusals.attempt(() => decodeValue(btf, id, new Uint8Array(size)));
  if (value === undefined) return;
  const bytes = refusals.attempt(() => encodeValue(btf, id, value));
  if (bytes !== undefined && bytes.length !== size) {
    throw new Violation('wrong-size', `a value of ${size} bytes was written as ${bytes.length}`);
  }
}

/** What the library writes, it must be able to read. */
function rewrite(btf: Btf, refusals: Refusals): void {
  for (const features of [
    {},
    { enum64: false, typeTag: false, declTag: false, float: false, datasec: false, func: false },
  ]) {
    const bytes = refusals.attempt(() => btfForKernel(btf, new Map(), features));
    if (bytes === undefined) continue;
    const again = Btf.parse(bytes, { name: 'rewritten' });
    if (again.endId < btf.endId) throw new Violation('wrong-copy', `${again.endId} ids of ${btf.endId} are left`);
  }
}

/** The same types, written anew. */
function rebuild(btf: Btf, refusals: Refusals): void {
  const bytes = refusals.attempt(() => BtfBuilder.from(btf).finish());
  if (bytes === undefined) return;
  const again = Btf.parse(bytes, { name: 'rebuilt', ...(btf.base === null ? {} : { base: btf.base }) });
  if (again.endId !== btf.endId) throw new Violation('wrong-copy', `${again.endId} ids instead of ${btf.endId}`);
  for (let id = btf.firstId; id < btf.endId; id++) {
    const before = JSON.stringify(btf.type(id), withoutBigint);
    if (JSON.stringify(again.type(id), withoutBigint) !== before)
      throw new Violation('wrong-copy', `type ${id}: ${before}`);
  }
}

function withoutBigint(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
