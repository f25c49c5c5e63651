import { ExplainedError, ObjectError } from '../errors.ts';
import type { ProgramSpec } from '../object/spec.ts';
import type { LoadedProgram } from '../programs/loaded-program.ts';
import { findProgramTarget, type ProgramTarget } from '../programs/program-target.ts';

/**
 * What programs attach to in other programs, by their name.
 * @throws ObjectError `attach-target-missing` for a program of `freplace` that was given none, and as {@link findProgramTarget};
 *   ExplainedError `no-such-program` for a target of a program that is not loaded
 */
export function findProgramTargets(
  programs: readonly ProgramSpec[],
  attachTo: Readonly<Record<string, LoadedProgram>> = {},
): Map<string, ProgramTarget> {
  const targets = new Map<string, ProgramTarget>();
  for (const [name, target] of Object.entries(attachTo)) {
    const program = programs.find((one) => one.name === name);
    if (program === undefined) {
      const why = `these are loaded: ${programs.map((one) => one.name).join(', ')}`;
      throw new ExplainedError('no-such-program', `attachTo names program ${name}, which is not loaded`, { why });
    }
    targets.set(name, findProgramTarget(program, target));
  }
  const [without] = programs.filter(({ type, name }) => type === 'ext' && !targets.has(name));
  if (without === undefined) return targets;
  const { section, name: symbol } = without;
  throw new ObjectError(
    'attach-target-missing',
    'the program replaces a function of no program',
    { section, symbol },
    {
      why: 'the verifier holds it against the function that it is to replace',
      fix: `load the other program first, and name it with the load option attachTo: { ${symbol}: object.program('…') }`,
    },
  );
}
