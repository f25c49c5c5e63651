/** The variant of a program that changes nothing: every program has it unless its file names others. */
export const DEFAULT_VARIANT = 'default';
