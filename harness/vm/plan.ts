import { rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { diskFull } from '../../kernels/free-space.ts';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { MachineError } from './errors.ts';
import { splitShellWords } from './shell-words.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** How to call virtme-run. */
export interface VirtmeRun {
  /** Program and leading arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly version: string;
}

/** What virtme-ng knows about a kernel and the machine it wants. */
export interface MachinePlan {
  readonly qemu: string;
  /** QEMU's arguments, without kernel, initrd, accelerator, CPU model, consoles and shared folders. */
  readonly arguments: readonly string[];
  /** Kernel parameters that virtme-ng wants, without those for its own init. */
  readonly kernelParameters: readonly string[];
}

export interface PlanRequest {
  /** The kernel's image; its modules are found beside it. */
  readonly image: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Where virtme-ng's initramfs is to be written. */
  readonly initramfs: string;
  /** Ends virtme-run. */
  readonly signal?: AbortSignal | undefined;
}

const PLAN_TIMEOUT_MS = 60_000;
const SAID_NOTHING = 'it printed no QEMU command';

/**
 * Lets virtme-ng plan a machine for a kernel (`virtme-run --dry-run`): its QEMU command line, and an initramfs with the
 * modules the kernel needs for virtio, in load order. What it would print, share or wait for is ours (see architecture.md).
 * @throws ExplainedError `disk-full`, `interrupted`; MachineError `plan-failed` with virtme-run's own message.
 */
export async function planMachine(virtme: VirtmeRun, request: PlanRequest): Promise<MachinePlan> {
  const where = `virtme-run --kimg ${request.image}`;
  // virtme-run exports its root folder to the guest: an empty one keeps the host's files out of it.
  const emptyRoot = await makeTemporaryFolder('ksym-matrix-root-');
  try {
    const [command = 'virtme-run', ...leading] = virtme.command;
    const args = [
      ...['--kimg', request.image, '--mods', 'auto', '--root', emptyRoot],
      ...['--memory', `${request.memoryMiB}M`, '--cpus', String(request.cpus)],
      ...['--disable-kvm', '--disable-microvm', '--disable-monitor', '--no-virtme-ng-init', '--force-9p'],
      ...['--force-initramfs', '--save-initramfs', request.initramfs, '--dry-run', '--show-command'],
    ];
    const { exitCode, stdout, stderr } = await runTool(command, [...leading, ...args], {
      package: 'virtme-ng',
      env: virtme.environment,
      timeoutMs: PLAN_TIMEOUT_MS,
      signal: request.signal,
    }).catch((error: unknown) => {
      if (!(error instanceof ExplainedError) || error.code === 'interrupted') throw error;
      throw planFailed(where, error.explain());
    });
    const line = stdout
      .toString('utf8')
      .split('\n')
      .find((text) => text.includes(' -kernel '));
    if (exitCode === 0 && line !== undefined) return readPlan(line);
    if (/\[Errno 28\]|No space left on device/.test(stderr)) throw diskFull(dirname(request.initramfs));
    throw planFailed(where, complaintOf(stderr) || (exitCode === 0 ? SAID_NOTHING : `it ended with ${exitCode}`));
  } finally {
    await rm(emptyRoot, { recursive: true, force: true });
  }
}

function planFailed(where: string, why: string): MachineError {
  return new MachineError('plan-failed', 'virtme-ng could not plan a machine for this kernel', 'boot', {
    where,
    why,
    fix: 'run `ksym-matrix doctor` to see what is missing',
  });
}

/** What virtme-run complains of: without its warning about terminals, and of a Python traceback the last line alone. */
function complaintOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('WARNING: '));
  return lines.some((line) => line.startsWith('Traceback ')) ? (lines.at(-1) ?? '') : lines.join('\n');
}

/** Arguments with a value that belong to virtme-ng's way of running: consoles, shared folders, accelerator, its kernel and initrd. */
const DROPPED_WITH_VALUE = new Set([
  ...[
    '-kernel',
    '-initrd',
    '-append',
    '-fsdev',
    '-chardev',
    '-serial',
    '-echr',
    '-mon',
    '-monitor',
    '-accel',
    '-cpu',
    '-name',
  ],
]);
const DROPPED_ALONE = new Set(['-enable-kvm', '-no-reboot', '-nographic']);
const DROPPED_DEVICES = /^(virtio-9p|vhost-user-fs|virtio-serial|virtserialport|virtconsole|i6300esb|pvpanic)/;

/** Kernel parameters for virtme-ng's init and consoles; ours has neither. */
const DROPPED_PARAMETERS = /^(virtme|nr_open=|console=|earlyprintk=|quiet$|loglevel=|TERM=|init=|panic=|root|psmouse)/;

/** Turns the command line that virtme-run prints into a plan. */
export function readPlan(commandLine: string): MachinePlan {
  const [qemu = '', ...words] = splitShellWords(commandLine);
  const kept: string[] = [];
  let append = '';
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    const value = words[index + 1] ?? '';
    if (word === '-append') append = value;
    if (DROPPED_WITH_VALUE.has(word) || (word === '-device' && DROPPED_DEVICES.test(value))) index++;
    else if (!DROPPED_ALONE.has(word)) kept.push(word);
  }
  // What follows " -- " are arguments of virtme-ng's init.
  const [parameters = ''] = append.split(/\s--(?:\s|$)/);
  const kernelParameters = parameters.split(/\s+/).filter((text) => text !== '' && !DROPPED_PARAMETERS.test(text));
  return { qemu: qemu.includes('/') ? qemu : basename(qemu), arguments: kept, kernelParameters };
}
