import { DEFAULT_VARIANT } from '../config/default-variant.ts';

/** The cell's name for people and paths: `program`, or `program@variant`. */
export function cellName(program: string, variant: string): string {
  return variant === DEFAULT_VARIANT ? program : `${program}@${variant}`;
}
