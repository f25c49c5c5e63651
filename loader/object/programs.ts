import { type CodeTarget, readCodeTargets, type Targets } from './code-targets.ts';
import type { ObjectFunction } from './functions.ts';
import { type LinkedCode, linkProgram, sortRecords } from './link.ts';
import { isCode, type ObjectFile } from './object-file.ts';
import { parseSectionName } from './section-names.ts';
import type { ProgramSpec } from './spec.ts';

/**
 * The object's programs: every global or weak function outside of `.text`, with all the functions that it reaches.
 * @throws ObjectError for whatever {@link readCodeTargets} and {@link linkProgram} refuse.
 */
export function readPrograms(file: ObjectFile, targets: Targets): ProgramSpec[] {
  const codeTargets = new Map<number, Map<number, CodeTarget>>();
  for (const section of file.elf.sections.filter(isCode)) {
    codeTargets.set(section.index, readCodeTargets(file, section, targets));
  }
  const lines = sortRecords(file.btfExt?.lines);
  const coreRelocations = sortRecords(file.btfExt?.coreRelocations);
  const context = { file, functions: targets.functions, targets: codeTargets, lines, coreRelocations };
  return targets.functions
    .filter((one) => one.program)
    .map((one) => ({ ...describe(one), ...linkProgram(one, context) }));
}

function describe(one: ObjectFunction): Omit<ProgramSpec, keyof LinkedCode> {
  const { type, attachType, target, sleepable, autoload, flags } = parseSectionName(one.section.name);
  return {
    name: one.name,
    section: one.section.name,
    type,
    attachType,
    attachTarget: target,
    sleepable,
    autoload,
    ...(flags === 0 ? {} : { flags }),
  };
}
