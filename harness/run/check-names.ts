import type { ObjectContent } from '../../loader/object/spec.ts';
import type { Program } from '../config/load.ts';
import type { Truth } from '../config/schema.ts';
import { type Finding, unknownWord } from '../config/yaml-file.ts';

/** The widest variable that a check compares, in bytes. */
const MAX_CHECKED_SIZE = 8;

/** What a program's file says about functions and variables that its object does not have: mistakes of the file, not of a kernel. */
export function checkNames(program: Program, spec: ObjectContent): Finding[] {
  const functions = spec.programs.map(({ name }) => name);
  const findings: Finding[] = program.run.flatMap((run, index) =>
    functions.includes(run.program)
      ? []
      : [{ path: ['run', index, 'program'], message: unknownWord('program of the object', run.program, functions) }],
  );
  (program.checks ?? []).forEach((check, index) => {
    const path = ['checks', index];
    const truth: Truth = check.equals ?? check.differs ?? 0;
    const side = check.equals === undefined ? 'differs' : 'equals';
    findings.push(...checkVariable(check.variable, [...path, 'variable'], spec));
    for (const name of variablesOf(truth)) findings.push(...checkVariable(name, [...path, side], spec));
  });
  return findings;
}

function checkVariable(name: string, path: Finding['path'], spec: ObjectContent): Finding[] {
  const variable = spec.variables.find((candidate) => candidate.name === name);
  if (variable === undefined) {
    return [
      {
        path,
        message: unknownWord(
          'variable',
          name,
          spec.variables.map((candidate) => candidate.name),
        ),
      },
    ];
  }
  if (variable.size <= MAX_CHECKED_SIZE) return [];
  return [
    { path, message: `variable "${name}" has ${variable.size} bytes, and a check compares up to ${MAX_CHECKED_SIZE}` },
  ];
}

function variablesOf(truth: Truth): string[] {
  if (typeof truth !== 'object') return [];
  if ('variable' in truth) return [truth.variable];
  return 'sum' in truth ? truth.sum.flatMap(variablesOf) : [];
}
