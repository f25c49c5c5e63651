import { nullAtZero } from './extern-values.ts';
import type { CellResult, Disagreement, ExternResult, ObservedValue } from './results.ts';

/** What cells of one place resolved or read differently, and with which loaders. */
export interface DifferingValues {
  readonly list: Disagreement['values'];
  /** Those that do not see what the reference sees. */
  readonly loaders: ReadonlySet<string>;
}

/**
 * Holds what cells resolved and read against a reference, all of one program on one kernel.
 *
 * - BTF ids are the same on every boot of a kernel; addresses are compared within one boot, and otherwise only as to whether there is one.
 * - A value that a program read may move from run to run. Each was compared with its own truth when it was read: cells agree if it held in both, or in neither.
 * - What one of two cells does not tell is not compared.
 */
export function differingValues(reference: CellResult, cells: readonly CellResult[]): DifferingValues {
  const loaders = new Set<string>();
  const list: Disagreement['values'][number][] = [];
  const names = [...new Set([...reference.externs.map(externName), ...reference.values.map(valueName)])];
  for (const name of names) {
    const seen = new Map<string, string[]>();
    for (const cell of cells) {
      const sameBoot = cell.boot !== undefined && cell.boot === reference.boot;
      const own = find(name, cell);
      const wanted = find(name, reference);
      if (own === undefined || wanted === undefined) continue;
      const agrees = own.compared(sameBoot) === wanted.compared(sameBoot);
      if (!agrees) loaders.add(cell.loader);
      const { shown } = agrees ? wanted : own;
      seen.set(shown, [...(seen.get(shown) ?? []), cell.loader]);
    }
    if (seen.size > 1) list.push({ name, seen: [...seen].map(([value, own]) => ({ value, loaders: own })) });
  }
  return { list, loaders };
}

function externName({ name }: ExternResult): string {
  return name;
}

function valueName({ program, cpu, variable }: ObservedValue): string {
  return `${variable} after ${program} on CPU ${cpu}`;
}

/** What a cell says of an extern or of a variable: for people, and what of it is compared. */
interface Told {
  readonly shown: string;
  readonly compared: (sameBoot: boolean) => string;
}

/** Undefined if the cell says nothing of it. */
function find(name: string, { externs, values }: CellResult): Told | undefined {
  const extern = externs.find((one) => externName(one) === name);
  if (extern !== undefined) return toldOfExtern(extern);
  const value = values.find((one) => valueName(one) === name);
  if (value === undefined) return undefined;
  const { holds } = value;
  return {
    shown: holds
      ? 'as it should be'
      : `${value.value}, and should ${value.relation === 'equals' ? '' : 'not '}be ${value.truth}`,
    compared: () => String(holds),
  };
}

function toldOfExtern(extern: ExternResult): Told | undefined {
  const { address, btfId, module = 'vmlinux' } = extern;
  switch (nullAtZero(extern)) {
    case 'null':
      return { shown: 'NULL', compared: () => 'NULL' };
    case 'address':
      return {
        shown: address ?? 'an address',
        compared: (sameBoot) => (sameBoot ? (address ?? 'an address') : 'an address'),
      };
    case 'btf-id': {
      const shown = `BTF id ${btfId} of ${module}`;
      return { shown, compared: () => shown };
    }
    case 'error':
      return undefined;
  }
}
