/**
 * Some of several kernels in a few characters: `all`, `none`, `6.1+` (that one and all after it), `5.10–6.12`, `6.1, 6.12`.
 * @param names those, by name
 * @param all all of them by name, oldest first
 */
export function kernelRange(names: ReadonlySet<string>, all: readonly string[]): string {
  const runs: string[][] = [];
  let previous = false;
  for (const name of all) {
    const has = names.has(name);
    if (has && previous) runs.at(-1)?.push(name);
    else if (has) runs.push([name]);
    previous = has;
  }
  const [first] = runs;
  if (first === undefined) return 'none';
  if (first.length === all.length) return 'all';
  return runs.map((run) => describeRun(run, all)).join(', ');
}

function describeRun(run: readonly string[], all: readonly string[]): string {
  const [first = ''] = run;
  const last = run.at(-1) ?? first;
  if (last === all.at(-1)) return `${first}+`;
  return run.length === 1 ? first : `${first}–${last}`;
}
