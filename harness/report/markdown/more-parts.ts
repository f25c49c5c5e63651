import { cellName } from '../../results/cell-name.ts';
import { wasNotRun } from '../../results/ranges.ts';
import type { OutcomeRange, RunResults } from '../../results/results.ts';
import { groupAnswers } from '../answers.ts';
import { kernelPage, programPage } from '../cell-link.ts';
import type { Group, Leaf } from './budget.ts';
import { codeSpan, fencedCode, inlineText, link, tableHead, tableRow } from './escape.ts';
import { answerLines, kernelLinks, type MarkdownOptions, nameList, pageUrl, verdictMark } from './phrases.ts';

/** Since when, and until when, programs work, axis by axis: programs of which the same holds share a row. */
export function rangeParts(results: RunResults, _options: MarkdownOptions, priority: number): Group {
  const { axes, programs } = results.ranges;
  const names = axes.map(({ name }) => name);
  const several = results.loaders.length > 1;
  const groups = new Map<string, { readonly cells: readonly string[]; readonly names: string[] }>();
  for (const { program, variant, loader, ranges } of programs) {
    const columns = [...names, null].map((axis) => describeRanges(ranges.filter((range) => isOn(range, axis, names))));
    const key = JSON.stringify(columns);
    const name = several ? `${cellName(program, variant)} (${loader})` : cellName(program, variant);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { cells: columns, names: [name] });
    else group.names.push(name);
  }
  const apart = [...groups.values()].some(({ cells }) => cells.at(-1) !== '');
  const heads = [...names.map(inlineText), ...(apart ? ['Other kernels'] : [])];
  const parts = [...groups.values()].map(
    ({ cells, names: all }): Leaf => ({
      texts: [tableRow([nameList(all, 40), ...(apart ? cells : cells.slice(0, -1))])],
      priority,
      noun: { one: 'row of ranges', many: 'rows of ranges' },
    }),
  );
  const explained =
    '✔ works, ✖ does not, whether that was expected or not. Nothing is known of kernels that were not run.';
  return {
    open: `\n${explained}\n\n${tableHead(['Programs', ...heads])}`,
    close: '',
    parts: heads.length === 0 ? [] : parts,
  };
}

function isOn({ axis }: OutcomeRange, wanted: string | null, axes: readonly string[]): boolean {
  return wanted === null ? axis === null || !axes.includes(axis) : axis === wanted;
}

function describeRanges(ranges: readonly OutcomeRange[]): string {
  const shown = ranges.filter((range) => !wasNotRun(range));
  return shown
    .map(({ since, until, kernels, outcome, cause }) => {
      const where = kernels.length === 1 ? codeSpan(since) : `${codeSpan(since)} … ${codeSpan(until)}`;
      if (outcome === 'works') return `${where} ✔`;
      return `${where} ${outcome === 'fails' ? '✖' : 'unknown'} (${inlineText(cause ?? '')})`;
    })
    .join(', ');
}

/** Programs that fail as they should, with the reason: those that are refused alike share a paragraph. */
export function expectedParts(results: RunResults, { siteUrl }: MarkdownOptions, priority: number): Group {
  const cells = results.cells.filter(({ verdict }) => verdict === 'xfail');
  const parts = groupAnswers({ cells, programs: results.programs }).map((answer): Leaf => {
    const by = results.loaders.length > 1 ? ` with ${nameList(answer.loaders)}` : '';
    const title = `${verdictMark(answer.verdict)} ${nameList(answer.programs)} on ${kernelLinks(answer.cells, results.kernels, siteUrl)}${by}`;
    return {
      texts: [`\n${[title, ...answerLines(answer)].join('<br>\n')}\n`],
      priority,
      noun: { one: 'expected refusal', many: 'expected refusals' },
      count: answer.cells.length,
    };
  });
  return { open: '', close: '', parts };
}

/** The kernels of a run with their releases and the digests of their images. */
export function kernelParts({ kernels }: RunResults, { siteUrl }: MarkdownOptions, priority: number): Group {
  const parts = kernels.map(
    ({ name, release, version, source, sha256 }): Leaf => ({
      texts: [
        tableRow([
          link(codeSpan(name), pageUrl(siteUrl, kernelPage(name))),
          codeSpan(release),
          inlineText(version),
          inlineText(source),
          codeSpan(sha256),
        ]),
      ],
      priority,
      noun: { one: 'kernel', many: 'kernels' },
    }),
  );
  const head = tableHead(['Kernel', 'Release', 'Version', 'Source', 'SHA256 of vmlinuz']);
  return { open: `\n${head}`, close: '', parts };
}

/** The programs of a run with what of the kernel they need. */
export function programParts({ programs }: RunResults, { siteUrl }: MarkdownOptions, priority: number): Group {
  const parts = programs.map(({ name, title, source, needs }): Leaf => {
    const needed = needs.map(
      ({ what, since, commit }) => `${inlineText(what)} (${inlineText(since)}, ${codeSpan(commit)})`,
    );
    const row = [link(codeSpan(name), pageUrl(siteUrl, programPage(name))), inlineText(title), codeSpan(source)];
    return { texts: [tableRow([...row, needed.join(', ')])], priority, noun: { one: 'program', many: 'programs' } };
  });
  const head = tableHead(['Program', 'What it is', 'Source', 'Needs of the kernel']);
  return { open: `\n${head}`, close: '', parts };
}

/** How to run all of it again. */
export function repeatParts({ matrix }: RunResults, priority: number): Leaf[] {
  const command = matrix.path === 'matrix.yaml' ? 'ksym-matrix run' : `ksym-matrix run --matrix ${matrix.path}`;
  // A path that a shell would not read as one word is named in the head, and that is enough.
  if (!/^[\w@%+=:,./-]+$/.test(matrix.path)) return [];
  const text = fencedCode(command, 'sh');
  return [{ texts: [text], priority, noun: { one: 'the command', many: null } }];
}
