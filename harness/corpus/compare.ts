import { bothSides, type CorpusResults, isLoaded, type ObjectResult } from './baseline.ts';

/**
 * What is different from the baseline, one line each. libbpf's words may change with its version, so only whether it loads counts; of ours the whole
 * reason does. Kernels that were not run, and objects that were not asked for, are left out; then the cases for CO-RE are as well.
 */
export function compareWithBaseline(results: CorpusResults, baseline: CorpusResults, whole: boolean): string[] {
  const lines: string[] = [];
  for (const kernel of Object.keys(results.kernels)) {
    if (baseline.kernels[kernel] === undefined) lines.push(`${kernel}: the baseline knows no such kernel`);
  }
  for (const [id, object] of Object.entries(results.objects)) {
    const before = baseline.objects[id];
    if (before === undefined) lines.push(`${id}: new`);
    else lines.push(...changes(object, before).map((text) => `${id}: ${text}`));
  }
  for (const id of whole ? Object.keys(baseline.objects) : []) {
    if (results.objects[id] === undefined) lines.push(`${id}: no longer there`);
  }
  return whole ? [...lines, ...coreChanges(results, baseline)] : lines;
}

/** A case that is not run any more disagrees with nothing, so that nothing else tells of it. */
function coreChanges({ coreCases: now }: CorpusResults, { coreCases: before }: CorpusResults): string[] {
  const lines = Object.entries(now.notRun)
    .filter(([name]) => before.notRun[name] === undefined)
    .map(([name, why]) => `CO-RE case ${name}: not run any more: ${why}`);
  if (now.agrees !== before.agrees) lines.push(`${before.agrees} cases for CO-RE agreed, now ${now.agrees}`);
  return lines;
}

function changes(now: ObjectResult, before: ObjectResult): string[] {
  const lines: string[] = [];
  if (now.parsed !== before.parsed) lines.push(`parsing gave ${before.parsed}, now ${now.parsed}`);
  if (now.programs !== before.programs) lines.push(`it had ${before.programs} programs, now ${now.programs}`);
  for (const [kernel, verdict] of Object.entries(now.verdicts)) {
    const old = before.verdicts[kernel];
    if (old === undefined) continue;
    const [ours, wasOurs] = [bothSides(verdict), bothSides(old)];
    if (ours.ours !== wasOurs.ours) lines.push(`on ${kernel} our verdict was ${wasOurs.ours}, now ${ours.ours}`);
    if (isLoaded(ours.libbpf) !== isLoaded(wasOurs.libbpf)) {
      lines.push(`on ${kernel} libbpf's verdict was ${wasOurs.libbpf}, now ${ours.libbpf}`);
    }
    if (JSON.stringify(ours.refused) !== JSON.stringify(wasOurs.refused)) {
      lines.push(`on ${kernel} we refused ${names(wasOurs.refused)}, now ${names(ours.refused)}`);
    }
  }
  return lines;
}

function names(refused: Readonly<Record<string, string>>): string {
  const all = Object.keys(refused);
  return all.length === 0 ? 'none of its programs' : all.join(', ');
}
