import { ByteWriter } from '../bytes.ts';
import { type KconfigType, kconfigSize } from '../object/kconfig.ts';

/** A value's bytes, or why the type cannot hold it. */
export type Encoded =
  | { readonly bytes: Uint8Array }
  | { readonly reason: 'KCONFIG_TYPE' | 'KCONFIG_RANGE'; readonly why: string };

type ByteOrder = 'little' | 'big';

/** Values of `enum libbpf_tristate` (bpf_helpers.h). */
const TRISTATE = { n: 0, y: 1, m: 2 } as const;

/**
 * Writes what stands behind `CONFIG_NAME=` as a value of the type (bpf_object__process_kconfig_line in libbpf's `src/libbpf.c`): `y`, `m` and `n` for
 * bool (not `m`), tristate and char; text in quotes for arrays of char, cut to their length; numbers, decimal, octal or hexadecimal, for integers and char.
 */
export function encodeKconfigText(text: string, type: KconfigType, byteOrder: ByteOrder): Encoded {
  const first = text[0];
  if (first === 'y' || first === 'm' || first === 'n') return encodeTristate(first, type, byteOrder);
  if (first === '"') return encodeString(text, type);
  const number = parseNumber(text);
  if (number === null) return { reason: 'KCONFIG_TYPE', why: `${text} is no number of 64 bits` };
  if (type.kind === 'int' || type.kind === 'char') return encodeKconfigNumber(number, type, byteOrder);
  return mismatch(text, 'an integer or char', type);
}

/** Writes a number; libbpf's virtual externs are numbers, which bool takes as well if they are 0 or 1 (set_kcfg_value_num). */
export function encodeKconfigNumber(value: bigint, type: KconfigType, byteOrder: ByteOrder): Encoded {
  if (type.kind !== 'int' && type.kind !== 'char' && type.kind !== 'bool')
    return mismatch(`${value}`, 'an integer, char or bool', type);
  const bits = kconfigSize(type) * 8;
  const fits =
    type.kind === 'bool'
      ? value === 0n || value === 1n
      : // As strtoull has it, a negative number of 64 bits is the same bits without a sign.
        bits === 64 ||
        (type.signed
          ? BigInt.asIntN(bits, value) === BigInt.asIntN(64, value)
          : BigInt.asUintN(bits, value) === BigInt.asUintN(64, value));
  if (!fits) return { reason: 'KCONFIG_RANGE', why: `${value} does not fit into ${describe(type)}` };
  return { bytes: numberBytes(BigInt.asUintN(bits, value), bits / 8, byteOrder) };
}

function encodeTristate(value: keyof typeof TRISTATE, type: KconfigType, byteOrder: ByteOrder): Encoded {
  if (type.kind === 'bool' && value !== 'm') return { bytes: Uint8Array.of(value === 'y' ? 1 : 0) };
  if (type.kind === 'tristate') return { bytes: numberBytes(BigInt(TRISTATE[value]), type.size, byteOrder) };
  if (type.kind === 'char') return { bytes: Uint8Array.of(value.charCodeAt(0)) };
  return mismatch(value, value === 'm' ? 'enum libbpf_tristate or char' : 'bool, enum libbpf_tristate or char', type);
}

function encodeString(text: string, type: KconfigType): Encoded {
  if (type.kind !== 'string') return mismatch(text, 'an array of char', type);
  if (text.length < 2 || !text.endsWith('"')) return { reason: 'KCONFIG_TYPE', why: `${text} has no closing quote` };
  const bytes = new Uint8Array(type.length);
  bytes.set(new TextEncoder().encode(text.slice(1, -1)).subarray(0, type.length - 1));
  return { bytes };
}

const MOST = 0xffff_ffff_ffff_ffffn;

/** Null for what is no number of 64 bits. */
function parseNumber(text: string): bigint | null {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (match === null) return null;
  const digits = match[2] ?? '0';
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  // ERANGE of strtoull.
  if (value > MOST) return null;
  return match[1] === '-' ? -value : value;
}

function numberBytes(value: bigint, size: number, byteOrder: ByteOrder): Uint8Array {
  const all = new ByteWriter(byteOrder).u64(value).finish();
  return byteOrder === 'little' ? all.slice(0, size) : all.slice(8 - size);
}

function mismatch(text: string, wanted: string, type: KconfigType): Encoded {
  return { reason: 'KCONFIG_TYPE', why: `${text} is a value for ${wanted}, it is declared as ${describe(type)}` };
}

function describe(type: KconfigType): string {
  switch (type.kind) {
    case 'int':
    case 'char':
      return `${type.signed ? 'a signed' : 'an unsigned'} integer of ${kconfigSize(type) * 8} bits`;
    case 'string':
      return `char[${type.length}]`;
    case 'tristate':
      return 'enum libbpf_tristate';
    default:
      return 'bool';
  }
}
