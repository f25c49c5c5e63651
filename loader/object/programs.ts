import type { TypeId } from '../btf/types.ts';
import { type CodeTarget, readCodeTargets, type Targets } from './code-targets.ts';
import type { ObjectFunction } from './functions.ts';
import { type LinkContext, type LinkedCode, LinkedProgram, sortRecords } from './link.ts';
import { isCode, type ObjectFile } from './object-file.ts';
import { parseSectionName } from './section-names.ts';
import type { ProgramSpec } from './spec.ts';

/**
 * The object's programs: every global or weak function outside of `.text`, with all the functions that it reaches.
 * @throws ObjectError for whatever {@link readCodeTargets} and {@link LinkedProgram} refuse.
 */
export function readPrograms(file: ObjectFile, targets: Targets): ProgramSpec[] {
  const code = new Map<number, Uint8Array>();
  const codeTargets = new Map<number, Map<number, CodeTarget>>();
  for (const section of file.elf.sections.filter(isCode)) {
    code.set(section.index, new Uint8Array(section.data));
    codeTargets.set(section.index, readCodeTargets(file, section, targets));
  }
  const coreRelocations = sortRecords(file.btfExt?.coreRelocations);
  const { functions } = targets;
  const exceptionCallbacks = readExceptionCallbacks(file, functions);
  const context: LinkContext = {
    ...{ file, functions, code, targets: codeTargets, coreRelocations, exceptionCallbacks },
    sites: new Map(),
  };
  return functions.filter((one) => one.program).map((one) => readProgram(one, context));
}

/** What {@link LINKED_PARTS} find a program's code by. */
const LINKED = Symbol('linked program');

interface Linked {
  readonly [LINKED]: LinkedProgram;
}

/**
 * What is put together when it is asked for. Properties of each program, so that a copy by `{ ...program }` has all; with the same functions for all of
 * them, which takes a third of the time and a fifth of the memory of getters of their own.
 */
const LINKED_PARTS = {
  code: part((linked) => linked.code),
  references: part((linked) => linked.references),
  functions: part((linked) => linked.functions),
  lines: part((linked) => linked.lines),
  coreRelocations: part((linked) => linked.coreRelocations),
} satisfies Record<keyof LinkedCode, unknown>;

function part<T>(read: (linked: LinkedProgram) => T) {
  return {
    enumerable: true,
    get(this: Linked): T {
      return read(this[LINKED]);
    },
  };
}

function readProgram(one: ObjectFunction, context: LinkContext): ProgramSpec {
  const program = Object.defineProperty(describe(one), LINKED, { value: new LinkedProgram(one, context) });
  return Object.defineProperties(program, LINKED_PARTS) as ProgramSpec;
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
