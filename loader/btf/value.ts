/**
 * A value of a C type in JavaScript.
 *
 * | C | read as | may be written as |
 * |---|---|---|
 * | integers up to 32 bits, bit fields up to 32 bits | number | number, bigint, boolean |
 * | wider integers, up to 128 bits | bigint | number, bigint, boolean |
 * | `_Bool` | boolean | boolean, 0, 1 |
 * | `enum` | number; bigint if it has 64 bits | number, bigint, the name of a value |
 * | `float`, `double` | number | number |
 * | pointers | bigint | bigint, number |
 * | arrays of `char` | string, up to the first zero byte | string, or an array of numbers |
 * | other arrays | array | array; what it lacks is zero |
 * | structs | object by member; those of members without a name are in it directly | object; what it lacks is zero |
 * | unions | object with each member's view of the bytes | object with one member, or several that agree |
 */
export type BtfValue =
  | number
  | bigint
  | boolean
  | string
  | readonly BtfValue[]
  | { readonly [member: string]: BtfValue };
