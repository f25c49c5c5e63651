import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { Bench, BenchHost } from './bench-host.ts';
import type { Figure } from './figures.ts';
import { type LoaderSubjects, loaderSubjects, MANY } from './loader-subjects.ts';
import type { Turn } from './loader-worker.ts';
import { type Measured, median, takeTurns } from './statistics.ts';

const WORKER = fileURLToPath(new URL('./loader-worker.js', import.meta.url));

const LINE = 'newest';

/** Turns in one process: the first is a cold start, the later ones are warm. */
const TURNS = 30;
const COLD = 10;

/** What bpftool says once it has loaded an object and is to pin it, or once this kernel has refused the object, which is as far as it is to go. */
const HAS_LOADED = /due to --nomount option|failed to load object file/;

/** A piece of work that libbpf and the loader do alike. */
interface Task {
  readonly name: string;
  /** Arguments of libbpf-bench and of the worker, which are the same. */
  readonly args: readonly string[];
  /** Another tool that does the same, a whole process each time. */
  readonly tool?: { readonly name: string; readonly run: () => Promise<void> };
  /** Whether aims were set for it. */
  readonly aims: boolean;
}

/** The loader library against libbpf: the same files, by turns. */
export const loaderBench: Bench = {
  name: 'loader',
  run: async (host) => {
    const subjects = await loaderSubjects(host, LINE);
    const figures: Figure[] = [];
    const notes: string[] = [];
    for (const task of tasksOf(host, subjects)) {
      host.say(`loader: ${task.name}`);
      const { values, parts } = await measure(host, subjects, task);
      figures.push(...figuresOf(task, values));
      const sorted = Object.entries(parts).sort(([, a], [, b]) => b - a);
      const shown = sorted.slice(0, 4).map(([part, value]) => `${part} ${value.toFixed(2)}`);
      notes.push(`${task.name}, cold, where the time goes (ms): ${shown.join(', ')}`);
    }
    return {
      name: 'loader',
      title: `The loader library against libbpf, with BTF and kallsyms (${subjects.lines} lines) of the newest kernel`,
      figures,
      notes: [
        ...notes,
        'process: a whole one, from its start to its end; cold: the first turn in a process; warm: the median of the later ones',
        "bpftool's ratio is to the loader's whole process: above 1, bpftool takes longer",
        subjects.typed === null
          ? 'resolve was not measured: this kernel has no BTF'
          : "resolve: against this host's kernel. libbpf loads none of the programs, yet probes the kernel and creates maps; bpftool loads one program",
      ],
    };
  },
};

function tasksOf(host: BenchHost, subjects: LoaderSubjects): Task[] {
  const { typed, btf, variables, kallsyms, symbols, many } = subjects;
  const bpftool = async (...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await runTool('bpftool', args, { package: 'bpftool', signal: host.signal });
    if (exitCode !== 0) throw new ExplainedError('bench-tool-failed', `bpftool ${args[0]} failed`, { why: stderr });
  };
  const loadall = async (object: string): Promise<void> => {
    const pins = join(host.folder, 'no-bpffs');
    // Without --nomount it would lay a bpffs over the bench's own folder (mount_bpffs_for_file in tools/bpf/bpftool/common.c), or one below it.
    const args = ['--nomount', 'prog', 'loadall', object, pins];
    const { stderr } = await runTool('bpftool', args, { package: 'bpftool', signal: host.signal });
    if (!HAS_LOADED.test(stderr)) throw new ExplainedError('bench-tool-failed', 'bpftool prog failed', { why: stderr });
  };
  return [
    ...(typed === null
      ? []
      : [
          {
            ...{ name: 'resolve', args: ['resolve', typed], aims: true },
            tool: { name: 'bpftool prog loadall', run: () => loadall(typed) },
          },
        ]),
    {
      ...{ name: `BTF and ${variables.length} names`, args: ['btf', btf, ...variables], aims: true },
      tool: { name: 'bpftool btf dump', run: () => bpftool('btf', 'dump', 'file', btf) },
    },
    { name: `kallsyms and ${symbols.length} names`, args: ['kallsyms', kallsyms, ...symbols], aims: true },
    { name: `${MANY} programs`, args: ['open', many], aims: false },
  ];
}

async function measure(host: BenchHost, { libbpf }: LoaderSubjects, { args, tool }: Task) {
  const parts: Record<string, number[]> = {};
  const theirs = async (turns: number): Promise<{ all: number[]; process: number }> => {
    const { stdout, process: milliseconds } = await timed(host, libbpf, [String(turns), ...args]);
    return { all: stdout.trim().split('\n').map(Number), process: milliseconds };
  };
  const ours = async (turns: number): Promise<{ turns: Turn[]; process: number }> => {
    const { stdout, process: milliseconds } = await timed(host, process.execPath, [WORKER, String(turns), ...args]);
    return { turns: JSON.parse(stdout), process: milliseconds };
  };
  const cold = async (): Promise<Measured> => {
    const [libbpfRun, ourRun] = [await theirs(1), await ours(1)];
    const { all = Number.NaN, ...rest } = ourRun.turns[0] ?? {};
    for (const [part, value] of Object.entries(rest)) parts[part] = [...(parts[part] ?? []), value];
    return { 'libbpf: process': libbpfRun.process, 'loader: cold': all, 'loader: process': ourRun.process };
  };
  const other = async (): Promise<Measured> => {
    if (tool === undefined) return {};
    const started = performance.now();
    await tool.run();
    return { [processOf(tool)]: performance.now() - started };
  };
  const warm = async (): Promise<Measured> => {
    const [libbpfRun, ourRun] = [await theirs(TURNS), await ours(TURNS)];
    return {
      'libbpf: warm': median(libbpfRun.all.slice(COLD)),
      'loader: warm': median(ourRun.turns.slice(COLD).map(({ all = Number.NaN }) => all)),
    };
  };
  const values = new Map([
    ...(await takeTurns([cold, other], host.quick ? 3 : 15)),
    ...(await takeTurns([warm], host.quick ? 1 : 3)),
  ]);
  return { values, parts: Object.fromEntries(Object.entries(parts).map(([part, all]) => [part, median(all)])) };
}

/** What a row is compared with, and what was aimed at. */
const AGAINST: Readonly<Record<string, Comparison>> = {
  'loader: cold': { against: 'libbpf: process', limit: 1 },
  'loader: process': { against: 'libbpf: process' },
  'loader: warm': { against: 'libbpf: warm', limit: 2 },
};
const AGAINST_OF_TOOLS: Comparison = { against: 'loader: process' };

interface Comparison {
  readonly against: string;
  readonly limit?: number;
}

function figuresOf(task: Task, values: ReadonlyMap<string, readonly number[]>): Figure[] {
  return [...values].map(([name, all]): Figure => {
    const figure = { what: `${task.name}: ${name}`, unit: 'ms', values: all } as const;
    const isTool = task.tool !== undefined && name === processOf(task.tool);
    const compared = isTool ? AGAINST_OF_TOOLS : AGAINST[name];
    if (compared === undefined) return figure;
    const { against, limit } = compared;
    const aim = limit === undefined || !task.aims ? {} : { aim: { of: 'ratio', limit, good: 'at-most' } as const };
    return { ...figure, against: `${task.name}: ${against}`, ...aim };
  });
}

function processOf({ name }: { readonly name: string }): string {
  return `${name}: process`;
}

async function timed(host: BenchHost, command: string, args: readonly string[]) {
  const started = performance.now();
  const { exitCode, stdout, stderr } = await runTool(command, args, { package: 'libbpf-dev', signal: host.signal });
  const milliseconds = performance.now() - started;
  if (exitCode === 0) return { stdout: stdout.toString(), process: milliseconds };
  const where = [command, ...args].join(' ');
  throw new ExplainedError('bench-tool-failed', 'what is to be measured fails', { where, why: stderr });
}
