import type { Btf } from './btf.ts';

/** Where each data section's variables lie: by section name, its size in bytes and the offset of each variable by name. */
export type DatasecLayout = ReadonlyMap<
  string,
  { readonly size: number; readonly offsets: ReadonlyMap<string, number> }
>;

/** What a kernel knows of BTF beyond its beginnings in Linux 4.18; what is absent here counts as known. */
export interface BtfKernelFeatures {
  /** FUNC (5.0). */
  readonly func?: boolean;
  /** VAR and DATASEC (5.2). */
  readonly datasec?: boolean;
  /** FUNC with a linkage (5.6). */
  readonly funcGlobal?: boolean;
  /** FLOAT (5.13). */
  readonly float?: boolean;
  /** DECL_TAG (5.16). */
  readonly declTag?: boolean;
  /** TYPE_TAG (5.17). */
  readonly typeTag?: boolean;
  /** ENUM64 (6.0). */
  readonly enum64?: boolean;
}

/**
 * A copy of an object's BTF that a kernel accepts, with every type id and every string offset kept.
 * (Body follows.)
 */
export function btfForKernel(btf: Btf, layout: DatasecLayout, features: BtfKernelFeatures = {}): Uint8Array {
  void layout;
  void features;
  return btf.bytes;
}
