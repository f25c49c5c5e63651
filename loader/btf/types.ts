/** Index of a type in a BTF blob; 0 is `void`. In split BTF, ids go on where the base ends. */
export type TypeId = number;

interface Named {
  readonly id: TypeId;
  /** Empty if anonymous. */
  readonly name: string;
}

/** A BTF type. Field names follow `include/uapi/linux/btf.h`. */
export type BtfType =
  | { readonly kind: 'void'; readonly id: 0; readonly name: '' }
  | IntType
  | PtrType
  | ArrayType
  | CompositeType
  | EnumType
  | Enum64Type
  | FwdType
  | ModifierType
  | FuncType
  | FuncProtoType
  | VarType
  | DatasecType
  | FloatType
  | DeclTagType;

/** The kind of a type, as {@link BtfType} is told apart by. */
export type BtfKind = BtfType['kind'];

/** An integer, `_Bool` or `char` (BTF_KIND_INT). */
export interface IntType extends Named {
  readonly kind: 'int';
  /** Bytes. */
  readonly size: number;
  /** Bits that hold the value. */
  readonly bits: number;
  /** Offset of the value in bits. */
  readonly bitOffset: number;
  readonly signed: boolean;
  readonly char: boolean;
  readonly bool: boolean;
}

/** A pointer (BTF_KIND_PTR); `type` 0 is `void *`. */
export interface PtrType extends Named {
  readonly kind: 'ptr';
  readonly type: TypeId;
}

/** An array (BTF_KIND_ARRAY). */
export interface ArrayType extends Named {
  readonly kind: 'array';
  readonly type: TypeId;
  readonly indexType: TypeId;
  readonly length: number;
}

/** A struct or union (BTF_KIND_STRUCT, BTF_KIND_UNION). */
export interface CompositeType extends Named {
  readonly kind: 'struct' | 'union';
  /** Bytes. */
  readonly size: number;
  readonly members: readonly Member[];
}

/** A member of a struct or union (`struct btf_member`). */
export interface Member {
  readonly name: string;
  readonly type: TypeId;
  /** Offset in bits from the start of the struct. */
  readonly bitOffset: number;
  /** Width in bits of a bit field, else 0. */
  readonly bitSize: number;
}

/** An enumeration whose values have 32 bits (BTF_KIND_ENUM). */
export interface EnumType extends Named {
  readonly kind: 'enum';
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: number }[];
}

/** An enumeration whose values have 64 bits (BTF_KIND_ENUM64). */
export interface Enum64Type extends Named {
  readonly kind: 'enum64';
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** A struct or union that is announced and not defined (BTF_KIND_FWD). */
export interface FwdType extends Named {
  readonly kind: 'fwd';
  readonly union: boolean;
}

/** A type by another name, or with a qualifier or attribute (BTF_KIND_TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG). */
export interface ModifierType extends Named {
  readonly kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag';
  readonly type: TypeId;
  /** Of a type tag: its name is that of an attribute of its own, rather than the text of `btf_type_tag` (the kind flag, Linux 6.15). */
  readonly attribute?: true;
}

/** A function (BTF_KIND_FUNC). */
export interface FuncType extends Named {
  readonly kind: 'func';
  /** The FUNC_PROTO. */
  readonly type: TypeId;
  readonly linkage: 'static' | 'global' | 'extern';
}

/** What a function takes and returns (BTF_KIND_FUNC_PROTO). */
export interface FuncProtoType extends Named {
  readonly kind: 'func_proto';
  readonly returnType: TypeId;
  /** A last parameter without name and type stands for `...`. */
  readonly params: readonly { readonly name: string; readonly type: TypeId }[];
}

/** A variable (BTF_KIND_VAR). */
export interface VarType extends Named {
  readonly kind: 'var';
  readonly type: TypeId;
  readonly linkage: 'static' | 'global' | 'extern';
}

/** The variables of an ELF section (BTF_KIND_DATASEC). */
export interface DatasecType extends Named {
  readonly kind: 'datasec';
  /** Bytes. */
  readonly size: number;
  readonly entries: readonly DatasecEntry[];
}

/** Where a variable lies in its section (`struct btf_var_secinfo`). */
export interface DatasecEntry {
  /** The VAR, or the FUNC in `.ksyms`. */
  readonly type: TypeId;
  readonly offset: number;
  readonly size: number;
}

/** A floating-point number (BTF_KIND_FLOAT). */
export interface FloatType extends Named {
  readonly kind: 'float';
  readonly size: number;
}

/** An attribute of a declaration, `__attribute__((btf_decl_tag("…")))` (BTF_KIND_DECL_TAG). */
export interface DeclTagType extends Named {
  readonly kind: 'decl_tag';
  readonly type: TypeId;
  /** Member or parameter the tag is on; -1 for the type itself. */
  readonly componentIndex: number;
  /** Its name is that of an attribute of its own, rather than the text of `btf_decl_tag` (the kind flag, Linux 6.15). */
  readonly attribute?: true;
}

/** A type without its id: what a BtfBuilder makes one from. */
export type NewBtfType = BtfType extends infer Type
  ? Type extends { readonly kind: 'void' }
    ? never
    : Omit<Type, 'id'>
  : never;
