import type { TypeId } from '../btf/types.ts';
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
  const exceptionCallbacks = readExceptionCallbacks(file, targets.functions);
  const { functions } = targets;
  const context = { file, functions, targets: codeTargets, lines, coreRelocations, exceptionCallbacks };
  return targets.functions
    .filter((one) => one.program)
    .map((one) => ({ ...describe(one), ...linkProgram(one, context) }));
}

/** What a program's declaration tag says before the name of its exception callback (bpf_find_exception_callback_insn_off, kernel/bpf/btf.c). */
const EXCEPTION_TAG = 'exception_callback:';
/** Component of a tag that is on a function, not on one of its parameters. */
const WHOLE = -1;

function readExceptionCallbacks(file: ObjectFile, functions: readonly ObjectFunction[]): Map<TypeId, ObjectFunction> {
  const found = new Map<TypeId, ObjectFunction>();
  for (const { name, type, componentIndex } of file.btf?.ofKind('decl_tag') ?? []) {
    if (componentIndex !== WHOLE || !name.startsWith(EXCEPTION_TAG)) continue;
    const callback = functions.find((one) => one.name === name.slice(EXCEPTION_TAG.length));
    if (callback !== undefined) found.set(type, callback);
  }
  return found;
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
