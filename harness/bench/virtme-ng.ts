import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { runGuarded } from '../../loader/guarded-process.ts';
import { findProgram } from '../setup/requirements.ts';
import { Machine } from '../vm/machine.ts';
import type { Template } from '../vm/template-files.ts';
import { benchCache } from './bench-cache.ts';
import type { Bench, BenchHost, BenchKernel } from './bench-host.ts';
import { runCommand, runMatrixCommand } from './command.ts';
import { savedFiles } from './restore.ts';
import { type Measured, takeTurns } from './statistics.ts';
import { writeMatrix } from './whole-matrix.ts';

/** With modules for 9p, which the cloud flavour lacks: virtme-ng mounts the host's files with it. */
const KERNEL = { debian: '6.12', flavour: 'generic' } as const;
const NAME = '6.12-generic';

/** An emulated `vng --run` takes the better part of a minute on an idle host. */
const TIMEOUT_MS = 600_000;

/** What is run in the guest. */
const COMMAND = 'uname -r';

/** `vng --run`, as its users run it, against what takes its place here. */
export const virtmeNgBench: Bench = {
  name: 'virtme-ng',
  run: async (host) => {
    const kernel = await host.kernel(KERNEL.debian, KERNEL.flavour);
    const template = await host.template(kernel);
    const cache = await benchCache(host);
    const matrix = await writeMatrix(join(host.folder, 'matrix-virtme-ng'), [KERNEL]);
    const names = {
      vng: `vng --run ${NAME} -- ${COMMAND}`,
      machine: `a restored machine, ${COMMAND} in it, its end`,
      shared: 'a cell of `run`',
      cell: 'a cell of `run --isolate cell`',
      exec: `ksym-matrix exec ${NAME} -- ${COMMAND}`,
    };
    const commands = { host, cache };
    const exec = async (): Promise<Measured> => {
      const run = await runCommand(
        ['exec', '--accel', host.accelerator.name, NAME, '--', ...COMMAND.split(' ')],
        commands,
      );
      if (run.exitCode === 0) return { [names.exec]: run.milliseconds };
      throw new ExplainedError('bench-exec-failed', 'ksym-matrix exec failed', { where: names.exec, why: run.stderr });
    };
    const cells = async (): Promise<Measured> => {
      const perCell = async (...args: string[]): Promise<number> => {
        const { results } = await runMatrixCommand(matrix, args, commands);
        return (results.timings.cells ?? Number.NaN) / results.cells.length;
      };
      return { [names.shared]: await perCell(), [names.cell]: await perCell('--isolate', 'cell') };
    };
    host.say('virtme-ng: saving machines');
    await exec();
    await cells();
    const ours = async (): Promise<Measured> => {
      const found = { ...(await cells()), ...(await exec()) };
      const machine: number[] = [];
      for (let turn = 0; turn < 5; turn++) machine.push(await runInMachine(kernel, template, host));
      return { ...found, [names.machine]: machine.sort((a, b) => a - b)[2] ?? Number.NaN };
    };
    const vng = await prepareVng(host);
    let failure: string | undefined;
    const theirs = async (): Promise<Measured> => {
      if (failure !== undefined) return {};
      host.say('virtme-ng: vng --run');
      const result = await runVng(vng, kernel, host);
      if (typeof result === 'number') return { [names.vng]: result };
      failure = result;
      return {};
    };
    const values = await takeTurns([theirs, ours], host.quick ? 1 : 3);
    const against = failure === undefined ? { against: names.vng } : {};
    const of = (what: string) => ({ what, unit: 'ms', values: values.get(what) ?? [], ...against }) as const;
    const aim = { of: 'ratio', limit: 1 / 200, good: 'at-most' } as const;
    return {
      name: 'virtme-ng',
      title: `The same command on the same kernel (${NAME}), with virtme-ng and with saved machines`,
      figures: [
        { what: names.vng, unit: 'ms', values: values.get(names.vng) ?? [] },
        { ...of(names.shared), aim },
        { ...of(names.cell), aim },
        { ...of(names.machine), aim },
        of(names.exec),
      ],
      notes: [
        ...(failure === undefined ? [] : [`vng failed: ${failure}`]),
        `vng: \`${vng.words.join(' ')}\`, in a terminal made by script(1); its default of 1 GiB, the host's root over 9p`,
        'a cell: the part of a run after compiling and planning, by the number of cells; without --isolate cell they take turns on machines',
        'exec: the whole process, from its start to its end',
      ],
    };
  },
};

async function runInMachine(kernel: BenchKernel, template: Template, host: BenchHost): Promise<number> {
  const started = performance.now();
  const machine = await Machine.restore({ ...host.machine(kernel), ...savedFiles(template) });
  try {
    const { exitCode } = await machine.agent.execute({ argv: ['/bin/busybox', ...COMMAND.split(' ')] });
    if (exitCode !== 0) throw new ExplainedError('bench-exec-failed', `${COMMAND} ended with ${exitCode}`);
  } finally {
    await machine.close();
  }
  return performance.now() - started;
}

/** How vng is run on this host. */
interface Vng {
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

async function prepareVng({ virtme, accelerator, folder, signal }: BenchHost): Promise<Vng> {
  const program = virtme.command.at(-1) ?? '';
  const path = `${dirname(program)}${delimiter}${process.env.PATH ?? ''}`;
  const stand = await makeStandIns(join(folder, 'python'), signal);
  const pythonPath = [virtme.environment.PYTHONPATH ?? '', ...stand].filter((entry) => entry !== '').join(delimiter);
  // vng asks QEMU for KVM wherever there is a /dev/kvm, whether it works or not.
  const accelerated = accelerator.name === 'kvm' ? [] : ['--disable-kvm'];
  return {
    words: ['vng', '--run', 'VMLINUZ', ...accelerated, '--force-9p', '--', COMMAND],
    environment: { PATH: path, ...(pythonPath === '' ? {} : { PYTHONPATH: pythonPath }) },
  };
}

/** vng imports these when it starts, for completion in shells and for downloads; to run a kernel it needs neither. */
const STAND_INS = { argcomplete: 'def autocomplete(*_, **__):\n    pass\n', requests: '' } as const;

/** A folder with empty modules for those that this host's Python lacks; none if it has all. */
async function makeStandIns(folder: string, signal: AbortSignal): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  let made = 0;
  for (const [name, content] of Object.entries(STAND_INS)) {
    const found = await runTool('/usr/bin/python3', ['-c', `import ${name}`], { package: 'python3', signal });
    if (found.exitCode === 0) continue;
    await writeFile(join(folder, `${name}.py`), content);
    made++;
  }
  return made === 0 ? [] : [folder];
}

/** Milliseconds, or why it did not work. */
async function runVng(vng: Vng, kernel: BenchKernel, host: BenchHost): Promise<number | string> {
  const script = findProgram('script');
  if (script === undefined) return 'it needs a terminal, and there is no script(1) to make one (package bsdutils)';
  const words = vng.words.map((word) => (word === 'VMLINUZ' ? quote(kernel.image) : word));
  const started = performance.now();
  // A shell in between: script(1) waits for all its children in the end, so it must not become the parent of the guard's.
  const inTerminal = ['-c', '"$1" -qec "$2" /dev/null; exit $?', 'sh', script, words.join(' ')];
  const { end, exitCode, stdout } = await runGuarded('/bin/sh', inTerminal, {
    cwd: host.folder,
    env: { ...process.env, ...vng.environment },
    signal: host.signal,
    timeoutMs: TIMEOUT_MS,
  });
  const milliseconds = performance.now() - started;
  host.signal.throwIfAborted();
  if (end === 'timeout') return `it did not end within ${TIMEOUT_MS / 1000} s`;
  const text = stdout.toString('utf8');
  if (exitCode === 0 && /^6\.12\./m.test(text)) return milliseconds;
  return `it ended with ${exitCode}: ${text.trim().split('\n').slice(-2).join('; ')}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
