import type { Matrix, Program } from '../config/load.ts';
import type { KnownDifference } from '../loaders/differences.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import type { FactValues } from './facts.ts';
import type { SelectedKernel } from './select.ts';
import { unusedDifferences } from './used-differences.ts';
import { conditionHolds } from './verdict.ts';

/** What a run was made of. */
interface RunParts {
  readonly matrix: Matrix;
  readonly kernels: readonly Pick<SelectedKernel, 'name' | 'version'>[];
  readonly passedOver?: readonly unknown[];
  readonly compiled: readonly { readonly program: Program }[];
  readonly loaders?: readonly PreparedLoader[];
  readonly differences?: readonly KnownDifference[];
}

/**
 * An exception, or a known difference, that no cell needed is out of date, unless cells were left out.
 * @param complete whether every cell was run
 * @param used sources of the expectations that cells were judged by
 * @param usedDifferences ids of the known differences that cells fell under
 * @param facts by the names of kernels: of a difference that is about none of them nothing is said
 * @returns warnings
 */
export function complainOfUnused(
  { matrix, kernels, passedOver = [], compiled, loaders = [], differences = [] }: RunParts,
  complete: boolean,
  used: ReadonlySet<string>,
  usedDifferences: ReadonlySet<string>,
  facts: ReadonlyMap<string, FactValues>,
): string[] {
  // `debian: all` is one entry of the matrix that stands for many kernels.
  const allKernels = kernels.length >= matrix.kernels.length && passedOver.length === 0;
  const allPrograms = variantsOf(compiled.map(({ program }) => program)) === variantsOf(matrix.programs);
  if (!complete || !allKernels || !allPrograms) return [];
  const exceptions = matrix.exceptions.flatMap(({ reason }, index) => {
    const source = `matrix.yaml exceptions[${index}]`;
    return used.has(source) ? [] : [`${source} applies to no cell any more: ${reason}`];
  });
  const possible = differences.filter(({ when: { variant: _, ...when } = {} }) =>
    kernels.some(({ name, version }) => conditionHolds(when, { version, variant: '', facts: facts.get(name) ?? {} })),
  );
  const unused = unusedDifferences(possible, loaders, matrix.path, usedDifferences);
  return [
    ...exceptions,
    ...unused.map(({ id, what }) => `known difference ${id} applies to no cell any more: ${what}`),
  ];
}

function variantsOf(programs: readonly Program[]): number {
  return programs.reduce((sum, { variants }) => sum + variants.length, 0);
}
