import { ObjectError } from '../errors.ts';
import { type CodeTarget, readCodeTargets, type Targets } from './code-targets.ts';
import type { ObjectFunction } from './functions.ts';
import { linkProgram } from './link.ts';
import { isCode, type ObjectFile } from './object-file.ts';
import { parseSectionName } from './section-names.ts';
import type { ProgramSpec } from './spec.ts';

/**
 * The object's programs: every global or weak function outside of `.text`, with all the functions that it reaches.
 * @throws ObjectError for an unknown section name, and whatever {@link readCodeTargets} and {@link linkProgram} refuse.
 */
export function readPrograms(file: ObjectFile, targets: Targets): ProgramSpec[] {
  const codeTargets = new Map<number, Map<number, CodeTarget>>();
  for (const section of file.elf.sections.filter(isCode)) {
    codeTargets.set(section.index, readCodeTargets(file, section, targets));
  }
  const context = { file, functions: targets.functions, targets: codeTargets };
  return targets.functions
    .filter((one) => one.program)
    .map((one) => ({ ...describe(file, one), ...linkProgram(one, context) }));
}

function describe(
  file: ObjectFile,
  one: ObjectFunction,
): Pick<ProgramSpec, 'name' | 'section' | 'type' | 'attachType' | 'attachTarget' | 'sleepable' | 'autoload'> {
  try {
    const { type, attachType, target, sleepable, autoload } = parseSectionName(one.section.name);
    return {
      name: one.name,
      section: one.section.name,
      type,
      attachType,
      attachTarget: target,
      sleepable,
      autoload,
    };
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    const { why, fix } = error;
    throw new ObjectError(
      error.code,
      error.message,
      { file: file.name, section: one.section.name, symbol: one.name },
      { ...(why === undefined ? {} : { why }), ...(fix === undefined ? {} : { fix }), cause: error },
    );
  }
}
