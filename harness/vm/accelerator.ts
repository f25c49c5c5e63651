import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus, hostname, release } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ExplainedError } from '../../loader/errors.ts';
import { startGroupProcess } from './process.ts';

/** How QEMU runs the guest's instructions, and why so. */
export interface Accelerator {
  readonly name: 'kvm' | 'tcg';
  /** For people, for example "/dev/kvm is there, but a kernel does not start with it". */
  readonly reason: string;
}

/** Time for a kernel to print its first line under KVM. Where KVM works this takes well under a second. */
const SIGN_OF_LIFE_MS = 8000;

/** KVM findings are tried anew after this long, in case the host was mended. */
const FINDING_LIFETIME_MS = 7 * 24 * 3600 * 1000;

/**
 * Chooses KVM where it works, else emulation. `/dev/kvm` may be there, writable and unable to run an ordinary kernel
 * (nested virtualisation), so KVM is tried with the given kernel and the finding remembered for this host.
 * @throws ExplainedError `interrupted`
 */
export async function chooseAccelerator(options: {
  readonly wanted: 'auto' | 'kvm' | 'tcg';
  readonly image: string;
  readonly qemu: string;
  readonly cache: string;
  /** Ends the trial of KVM. */
  readonly signal?: AbortSignal | undefined;
}): Promise<Accelerator> {
  if (options.wanted !== 'auto') return { name: options.wanted, reason: `asked for with --accel ${options.wanted}` };
  const obstacle = kvmObstacle();
  if (obstacle !== undefined) return { name: 'tcg', reason: obstacle };
  const finding = await rememberedOrNew(options);
  return finding.works
    ? { name: 'kvm', reason: 'KVM was tried and works' }
    : { name: 'tcg', reason: `KVM was tried and does not work here (${finding.why})` };
}

/** Why KVM cannot even be tried; undefined if it can. */
export function kvmObstacle(): string | undefined {
  if (!existsSync('/dev/kvm')) return 'there is no /dev/kvm (virtualisation is off, or not offered by this host)';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return '/dev/kvm is there, but this user may not open it (add the user to group kvm, or a udev rule with MODE="0666")';
  }
}

interface Finding {
  readonly works: boolean;
  readonly why: string;
  readonly host: string;
  readonly time: number;
}

async function rememberedOrNew(options: {
  readonly image: string;
  readonly qemu: string;
  readonly cache: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<Finding> {
  const path = join(options.cache, 'accelerator.json');
  const host = [hostname(), release(), cpus()[0]?.model ?? '', await qemuVersion(options.qemu)].join('; ');
  const remembered = await readFinding(path);
  if (remembered?.host === host && Date.now() - remembered.time < FINDING_LIFETIME_MS) return remembered;
  const tried = await tryKvm(options.qemu, options.image, options.signal);
  const finding: Finding = { ...tried, host, time: Date.now() };
  await mkdir(options.cache, { recursive: true });
  await writeFile(`${path}.${process.pid}`, JSON.stringify(finding));
  await rename(`${path}.${process.pid}`, path);
  return finding;
}

async function readFinding(path: string): Promise<Finding | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Finding;
  } catch {
    return undefined;
  }
}

async function qemuVersion(qemu: string): Promise<string> {
  const result = await execa(qemu, ['--version'], { reject: false, stdin: 'ignore' });
  return result.stdout?.split('\n')[0] ?? '';
}

/** Starts the kernel with KVM and no root file system, and waits for the first line it prints. */
async function tryKvm(
  qemu: string,
  image: string,
  signal: AbortSignal | undefined,
): Promise<{ works: boolean; why: string }> {
  const group = startGroupProcess(qemu, [
    ...['-nodefaults', '-no-user-config', '-machine', 'q35', '-m', '256M', '-accel', 'kvm', '-cpu', 'host'],
    ...['-display', 'none', '-no-reboot', '-serial', 'stdio', '-kernel', image],
    ...['-append', 'console=ttyS0 earlyprintk=serial,ttyS0,115200 panic=-1'],
  ]);
  const kill = (): void => group.signal('SIGKILL');
  signal?.addEventListener('abort', kill);
  if (signal?.aborted === true) kill();
  let timer: NodeJS.Timeout | undefined;
  // SeaBIOS prints on the serial port too, so only the kernel's own first line counts.
  const alive = new Promise<string>((resolve) => {
    let seen = '';
    group.child.stdout.on('data', (chunk: Buffer) => {
      seen = (seen + chunk.toString('latin1')).slice(-4096);
      if (seen.includes('Linux version')) resolve('');
    });
    timer = setTimeout(() => resolve(`the kernel printed nothing within ${SIGN_OF_LIFE_MS / 1000} s`), SIGN_OF_LIFE_MS);
  });
  const ended = group.exited.then((exit) => exit.stderr.split('\n')[0] || exit.startError || 'QEMU ended at once');
  const why = await Promise.race([alive, ended]);
  clearTimeout(timer);
  kill();
  const { stderr } = await group.exited;
  signal?.removeEventListener('abort', kill);
  if (signal?.aborted === true) throw new ExplainedError('interrupted', 'trying KVM was interrupted');
  return { works: why === '', why: why === '' ? '' : (stderr.split('\n').find((line) => line.includes('KVM')) ?? why) };
}
