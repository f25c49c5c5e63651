import { renderTable } from '../report/table.ts';
import { bothSides, type CorpusResults } from './baseline.ts';
import { agreement, type Disagreement, type Judgement, type ParseFinding } from './judge-results.ts';
import { TIMEOUT } from './oracle.ts';
import { OBJECT_PACKAGES } from './packages.ts';

/** Share of programs that libbpf loads which we have to load, too. */
export const WANTED_AGREEMENT = 0.97;

const TITLES = [
  'source',
  'kernel',
  'objects',
  'parsed',
  'libbpf loads',
  'programs',
  'we load',
  'agree',
  'both refuse',
  'alike',
];

/** The table as text, for a terminal. */
export function renderFigures(results: CorpusResults, judgement: Judgement): string[] {
  const columns = TITLES.map((title, index) => (index < 2 ? { title } : { title, align: 'right' as const }));
  return renderTable(columns, rowsOf(results, judgement));
}

/** docs/corpus.md: the table, what does not agree and why, what must fail, what was not compiled. */
export function renderDocument(results: CorpusResults, judgement: Judgement): string {
  const { tools, kernels, sources, notCompiled, testModules } = results;
  const versions = Object.entries(kernels).map(([name, version]) => `${name} (${version})`);
  return [
    '# The corpus: BPF objects nobody here wrote',
    '',
    '<!-- Written by `npm run corpus -- --update`; what is not a figure is in harness/corpus/. -->',
    '',
    `\`npm run corpus\` fetches Debian packages with BPF objects, compiles the kernel's own selftests, and has every object loaded twice in the same virtual machine: by libbpf (bpftool ${tools.bpftool}) and by this library. Nothing is attached and nothing of it is committed; [baseline.json](../harness/corpus/baseline.json) holds the verdicts. \`npm run corpus -- --check\` compares with it.`,
    '',
    ...Object.entries(sources).map(
      ([source, one]) => `- **${source}**: ${one.package} ${one.version}, ${aboutOf(source)}`,
    ),
    '',
    `Kernels: ${versions.join(', ')}. Compiler of the selftests: ${tools.compiler}.`,
    '',
    ...moduleSection(testModules),
    '## Verdicts',
    '',
    ...markdownTable(TITLES, rowsOf(results, judgement)),
    '',
    '*libbpf loads*: objects that it loads with all programs that load by default. *programs*: how many these have. *we load*: how many of those this library loads. *agree*: their share; at least ' +
      `${percent(WANTED_AGREEMENT)} is wanted. *both refuse*: objects that libbpf refuses, and how many of them this library refuses as well; *alike*: for the same program with the same errno. The others lack what a map, an extern or a program's target needs before any program reaches the verifier, and each loader has words of its own for that.`,
    '',
    ...parseSection(judgement),
    ...heavySection(results),
    ...disagreementSection(judgement.disagreements),
    ...coreSection(results),
    ...compileSection(notCompiled),
    ...RUN_IT,
  ].join('\n');
}

/** What makes a run red, one line each; empty if nothing does. */
export function redLines(results: CorpusResults, judgement: Judgement): string[] {
  const lines = judgement.parseFindings.map(({ object, code, wanted }) =>
    wanted === null ? `${object} is not parsed: ${code}` : `${object} must fail with ${wanted}: ${code}`,
  );
  for (const { object, kernel, loads, programs, reason, cause } of judgement.disagreements) {
    const which = programs.length === 0 ? '' : ` (${programs.join(', ')})`;
    if (cause === null)
      lines.push(`${object}${which} on ${kernel}: only ${nameOf(loads)} loads it, and nobody knows why: ${reason}`);
  }
  for (const [object, { verdicts }] of Object.entries(results.objects)) {
    for (const [kernel, verdict] of Object.entries(verdicts)) {
      const { libbpf } = bothSides(verdict);
      if (libbpf === TIMEOUT)
        lines.push(
          `${object} on ${kernel}: libbpf did not load it in time; tooHeavy in expectations.yaml is for these`,
        );
    }
  }
  for (const kernel of Object.keys(results.kernels)) {
    const share = agreement(judgement.figures.filter((one) => one.kernel === kernel));
    if (share < WANTED_AGREEMENT) lines.push(`on ${kernel} only ${percent(share)} of the programs agree`);
  }
  for (const [name, why] of Object.entries(results.coreCases.disagrees)) lines.push(`CO-RE case ${name}: ${why}`);
  return lines;
}

function rowsOf(results: CorpusResults, { figures, parseFindings }: Judgement): string[][] {
  const badly = new Set(parseFindings.map(({ object }) => object));
  const group = (source: string | null, kernel: string): string[] => {
    const chosen = figures.filter((one) => one.kernel === kernel && (source === null || one.source === source));
    const sum = (of: (one: (typeof chosen)[number]) => number): number =>
      chosen.reduce((total, one) => total + of(one), 0);
    const ids = Object.keys(results.objects).filter((id) => source === null || id.startsWith(`${source}/`));
    const asTheyShould = ids.filter((id) => !badly.has(id)).length;
    return [
      source ?? '**all**',
      kernel,
      String(ids.length),
      asTheyShould === ids.length ? 'all' : `${asTheyShould}`,
      String(sum((one) => one.libbpfObjects)),
      String(sum((one) => one.libbpfPrograms)),
      String(sum((one) => one.agreeing)),
      percent(agreement(chosen)),
      `${sum((one) => one.bothRefuse)} of ${sum((one) => one.libbpfRefused)}`,
      String(sum((one) => one.alike)),
    ];
  };
  const kernels = Object.keys(results.kernels);
  const ids = Object.keys(results.objects);
  const sources = Object.keys(results.sources).filter((source) => ids.some((id) => id.startsWith(`${source}/`)));
  return [...sources, null].flatMap((source) => kernels.map((kernel) => group(source, kernel)));
}

function parseSection({ parseFindings, failAsTheyMust }: Judgement): string[] {
  const told = ({ object, code, wanted }: ParseFinding): string =>
    `- ${object}: ${code}${wanted === null ? '' : `, not ${wanted}`}`;
  return [
    '## Parsed',
    '',
    parseFindings.length === 0
      ? `Every valid object is parsed. ${failAsTheyMust} must fail, and each does with the error that [expectations.yaml](../harness/corpus/expectations.yaml) names.`
      : `${failAsTheyMust} objects fail as they must. Not as they should be:`,
    '',
    ...(parseFindings.length === 0 ? [] : [...parseFindings.map(told), '']),
  ];
}

function heavySection({ objects }: CorpusResults): string[] {
  const heavy = Object.entries(objects).flatMap(([id, { verdicts }]) =>
    Object.keys(verdicts).length === 0 ? [id] : [],
  );
  if (heavy.length === 0) return [];
  const list = `Parsed, but loaded nowhere, because they measure the verifier's limits and take minutes each in an emulated machine: ${heavy.join(', ')}.`;
  return [list, ''];
}

function disagreementSection(all: readonly Disagreement[]): string[] {
  const lines = ['## Where this library and libbpf do not agree', ''];
  if (all.length === 0) return [...lines, 'Nowhere.', ''];
  const byCause = groupByCause(all);
  for (const [cause, some] of byCause) {
    lines.push(`**${cause}**`, '');
    const objects = new Map<string, string[]>();
    for (const { object, kernel, programs } of some) {
      const key = programs.length === 0 ? object : `${object}: ${programs.join(', ')}`;
      objects.set(key, [...(objects.get(key) ?? []), kernel]);
    }
    for (const [object, kernels] of objects) lines.push(`- ${object} (${kernels.join(', ')})`);
    lines.push('');
  }
  return lines;
}

function groupByCause(all: readonly Disagreement[]): Map<string, Disagreement[]> {
  const groups = new Map<string, Disagreement[]>();
  for (const one of all) {
    const title = `Only ${nameOf(one.loads)}: ${one.cause ?? 'nobody knows why'}`;
    groups.set(title, [...(groups.get(title) ?? []), one]);
  }
  return groups;
}

function coreSection({ coreCases }: CorpusResults): string[] {
  const { agrees, disagrees, notRun } = coreCases;
  const list = (some: Readonly<Record<string, string>>): string[] =>
    Object.entries(some).map(([name, why]) => `- ${name}: ${why}`);
  const [bad, left] = [list(disagrees), list(notRun)];
  return [
    "## The kernel's cases for CO-RE",
    '',
    `${agrees} agree with what prog_tests/core_reloc.c expects, ${bad.length} do not, ${left.length} were not run.`,
    '',
    ...bad,
    ...left,
    ...(bad.length + left.length === 0 ? [] : ['']),
  ];
}

function moduleSection(testModules: Readonly<Record<string, string>>): string[] {
  const built = Object.entries(testModules);
  if (built.length === 0) return [];
  const list = built.map(([kernel, about]) => `${kernel} (${about})`).join(', ');
  return [
    `\`bpf_testmod\`, the kernel's module for its selftests, is compiled and loaded on ${list}. The other kernels do without, and what needs it is refused there by both.`,
    '',
  ];
}

function compileSection(notCompiled: Readonly<Record<string, string>>): string[] {
  const failures = Object.entries(notCompiled);
  if (failures.length === 0) return ['Every selftest of tools/testing/selftests/bpf/progs compiles.', ''];
  return ['## Selftests that do not compile', '', ...failures.map(([name, why]) => `- ${name}: ${why}`), ''];
}

function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map((_, index) => (index < 2 ? '---' : '---:'))), ...rows.map(line)];
}

/** How to run it, for the end of docs/corpus.md. */
const RUN_IT = [
  '## Running it',
  '',
  '```sh',
  'npm run corpus                              # everything; the exit code is 1 if anything is red',
  "npm run corpus -- --kernel 6.12 --object 'selftests/test_ksyms*'",
  'npm run corpus -- --check                   # compare with the committed baseline, as CI does',
  'npm run corpus -- --update                  # write the baseline and this page',
  '```',
  '',
  "- Packages come through the project's own apt, with a state apart from the system's: signatures and digests are checked, 260 MB are fetched, and 1.1 GB stay in `CACHE/corpus`. Debian's unstable suite has newer packages; its golang-github-cilium-ebpf-dev (0.22.0+ds1) has no ELF file any more.",
  "- The selftests are compiled once, until a package changes: two minutes of two cores. Compiler and headers are Debian's, whatever the host has, so the same objects come out everywhere.",
  '- One machine for each kernel; where an object brings it down, that is its verdict, and the next one gets a new machine. bpftool runs in the machine with its own C library, in a bpffs that is unmounted afterwards. What it said is kept, as the same bpftool says the same of the same object on the same kernel (`--fresh` asks again).',
  '- A program is judged alone where libbpf loads its object and this library does not. `CACHE/corpus/last-run.json` has what both said, with logs.',
  "- Debian's kernels have no `bpf_testmod`. For 6.12 it is compiled, once for each version of the kernel, out of Debian's own packages: headers (which have the kernel's types as `vmlinux`, so that kbuild makes the module's BTF), kbuild, the source of the same version, gcc 14 and pahole. They run in a root of their own (`unshare --mount`, `chroot`), because this gcc needs trixie's C library; 60 MB are fetched for it, 280 MB stay, and compiling takes ten seconds. Where a host forbids that, the run ends with `test-module-failed`. The headers of 6.1 have no `vmlinux`, and 6.1 and 7.3 would want 140 and 166 MB of their own source, as the module uses what only its own kernel has: there it is not compiled.",
  '- `--matrix FILE --kernel NAME` takes a kernel of any matrix, also one that is built with `modules: [bpf_testmod]` ([kernels.md](kernels.md)); the module is loaded then.',
  '- A verdict that changes, an object that comes or goes, and a disagreement that [expectations.yaml](../harness/corpus/expectations.yaml) does not explain are red.',
  '',
];

function aboutOf(source: string): string {
  const found = OBJECT_PACKAGES.find((one) => one.source === source);
  return found?.about ?? "the kernel's own BPF selftests, compiled here, and what their Makefile links";
}

function nameOf(loader: 'libbpf' | 'ours'): string {
  return loader === 'libbpf' ? 'libbpf' : 'this library';
}

function percent(share: number): string {
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}
