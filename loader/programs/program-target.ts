import { ObjectError } from '../errors.ts';
import type { ProgramSpec } from '../object/spec.ts';
import type { LoadedProgram } from './loaded-program.ts';

/** A function of a loaded program that another is to attach to. */
export interface ProgramTarget {
  /** The target's descriptor in the agent. */
  readonly fd: number;
  /** The FUNC in the BTF that the target was loaded with: uploading keeps the object's ids. */
  readonly id: number;
}

/**
 * Finds the function of a loaded program that a program replaces (`SEC("freplace/NAME")`) or traces (`SEC("fentry/NAME")` and the like).
 * Throws ObjectError `attach-target-missing` if its section names none, `attach-target-not-found` if the target has no such function with a type.
 */
export function findProgramTarget(program: ProgramSpec, target: LoadedProgram): ProgramTarget {
  const { section, name: symbol, attachTarget } = program;
  if (attachTarget === null) {
    throw new ObjectError(
      'attach-target-missing',
      'the program attaches to nothing',
      { section, symbol },
      {
        why: 'its section name has no target after /',
        fix: `name a function of ${target.spec.name}, or set \`attachTarget\` before the load`,
      },
    );
  }
  const found = target.spec.functions.find(({ name }) => name === attachTarget);
  if (found?.typeId !== undefined && found.typeId !== null) return { fd: target.fd, id: found.typeId };
  const names = target.spec.functions.map(({ name }) => name).join(', ');
  throw new ObjectError(
    'attach-target-not-found',
    `${target.spec.name} has no ${attachTarget}`,
    { section, symbol },
    {
      why: found === undefined ? `its functions are ${names}` : 'it was compiled without BTF',
    },
  );
}
