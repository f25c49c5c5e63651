import type { RunResults } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { toJson } from '../../results/write.ts';

/** What the service shields.io makes a badge of (its page "Endpoint Badge"): colour and error are for those who cannot read the message as well. */
export interface Badge {
  readonly schemaVersion: 1;
  readonly label: string;
  readonly message: string;
  readonly color: 'brightgreen' | 'red' | 'orange' | 'lightgrey';
  /** Keeps whoever shows the badge from giving it another colour. */
  readonly isError: boolean;
}

/** A badge of a run, as JSON; ends with a newline. */
export function renderBadge(results: RunResults): string {
  return toJson(badgeOf(results));
}

/** How many cells are as expected, or how many are not; that cells could not be tried, or are missing, is said before anything green. */
export function badgeOf({ cells, complete }: Pick<RunResults, 'cells' | 'complete'>): Badge {
  const kernels = new Set(cells.map(({ kernel }) => kernel)).size;
  const where = `on ${kernels} ${kernels === 1 ? 'kernel' : 'kernels'}`;
  const broken = cells.filter(({ verdict }) => verdict === 'infra').length;
  const red = cells.filter(({ verdict }) => RED_VERDICTS.has(verdict)).length - broken;
  const parts = [
    ...(red === 0 ? [] : [`${red} of ${cells.length} red`]),
    ...(broken === 0 ? [] : [`${broken} not tried`]),
    ...(complete ? [] : ['interrupted']),
  ];
  const badge = { schemaVersion: 1, label: 'ksym matrix' } as const;
  if (cells.length === 0) {
    return { ...badge, message: complete ? 'nothing was run' : 'interrupted', color: 'lightgrey', isError: true };
  }
  if (parts.length > 0) {
    return { ...badge, message: `${parts.join(', ')} ${where}`, color: red > 0 ? 'red' : 'orange', isError: true };
  }
  return { ...badge, message: `${cells.length} as expected ${where}`, color: 'brightgreen', isError: false };
}
