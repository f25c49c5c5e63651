import type { Btf, BtfOfKind } from '../btf/btf.ts';
import type { BtfKind } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import type { ObjectContent } from '../object/spec.ts';
import type { KernelFacts } from './outcome.ts';

/** A type found in the BTF of vmlinux (`module` null) or of a module. */
export interface KernelType<K extends BtfKind> {
  readonly type: BtfOfKind<K>;
  readonly btf: Btf;
  readonly module: string | null;
}

/**
 * The first type of that name and kind: in vmlinux, else in modules by the order of their BTF ids, their own types only
 * (find_ksym_btf_id in libbpf's `src/libbpf.c`).
 */
export function findInKernel<K extends BtfKind>(
  name: string,
  kind: K,
  vmlinux: Btf,
  facts: KernelFacts,
): KernelType<K> | undefined {
  const type = vmlinux.find(name, kind);
  if (type !== undefined) return { type, btf: vmlinux, module: null };
  for (const { name: module, btf } of facts.moduleBtfs) {
    const own = btf.find(name, kind, { own: true });
    if (own !== undefined) return { type: own, btf, module };
  }
  return undefined;
}

/**
 * The object's BTF, where an extern or a relocation has a type in it.
 * @throws ExplainedError `object-without-btf` for a specification that contradicts itself; parseObject makes none.
 */
export function objectBtf(spec: ObjectContent): Btf {
  if (spec.btf === null) {
    throw new ExplainedError('object-without-btf', 'the object refers to types, yet has no BTF', { where: spec.name });
  }
  return spec.btf;
}
