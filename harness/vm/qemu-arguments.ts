import { join } from 'node:path';
import type { Accelerator } from './accelerator.ts';
import type { PreparedMachine } from './prepare.ts';

/** Where a machine's RAM lies, if it is in a file. */
export interface MemoryFile {
  readonly path: string;
  /** True: what the guest writes goes into the file. False: the file is mapped privately (copy on write) and stays as it is. */
  readonly share: boolean;
}

/** What decides a machine's hardware and kernel command line. */
export interface HardwareOptions {
  readonly prepared: PreparedMachine;
  readonly accelerator: Accelerator;
  /** Kernel parameters after the planned ones, as they would stand on the command line. */
  readonly append: readonly string[];
}

/**
 * Kernel parameters of every machine: the console is the serial port from the first moment, a panic ends QEMU at once, and what we write into
 * the kernel's log (console-marker.ts) is not held back.
 */
const KERNEL_PARAMETERS = [
  'console=ttyS0',
  'earlyprintk=serial,ttyS0,115200',
  'loglevel=7',
  'panic=-1',
  'printk.devkmsg=on',
];

/** The kernel's command line. */
export function kernelCommandLine({ prepared, append }: HardwareOptions): string {
  return [...KERNEL_PARAMETERS, ...prepared.plan.kernelParameters, ...append].join(' ');
}

/** The agent's name among the virtio-serial ports. */
const AGENT_PORT = 'org.ksym-matrix.agent';

/** Names of the sockets in a machine's folder. */
export const SOCKETS = { qmp: 'qmp', agent: 'agent', shell: 'shell' } as const;

/**
 * QEMU's arguments but for paths, RAM and kernel: the hardware. A saved state fits only the hardware it was saved on, so all of this is
 * part of a template's key.
 */
export function hardwareArguments({ prepared, accelerator }: HardwareOptions): string[] {
  return [
    ...prepared.plan.arguments,
    ...['-nodefaults', '-no-user-config', '-no-reboot'],
    // Emulated CPUs take turns: with a thread for each, QEMU now and then runs stale code that the kernel has just patched,
    // which ends in an int3 oops during boot. Two machines on two cores are also faster so.
    ...['-accel', accelerator.name === 'tcg' ? 'tcg,thread=single' : 'kvm'],
    // Five-level paging makes emulated page walks longer for nothing: no test machine has 64 TiB.
    ...['-cpu', accelerator.name === 'tcg' ? 'max,la57=off' : 'host'],
    ...['-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci', '-device', `virtserialport,chardev=agent,name=${AGENT_PORT}`],
    // A terminal of the guest (/dev/hvc0) and a slot for one device that is plugged in later: for people, not for cells. They cost
    // no measurable time, and one template serves both.
    ...['-device', 'virtconsole,chardev=shell', '-device', 'pcie-root-port,id=spare,chassis=1'],
  ];
}

/**
 * The whole of QEMU's arguments.
 * @param directory holds the machine's sockets
 * @param start `boot` starts the kernel; `restore` waits for a saved state, which brings the kernel with it
 */
export function qemuArguments(
  options: HardwareOptions & { readonly memory: MemoryFile | undefined },
  directory: string,
  start: 'boot' | 'restore',
): string[] {
  const { prepared, memory } = options;
  const socket = (name: string): string => `path=${optionValue(join(directory, name))},server=on,wait=off`;
  return [
    ...(memory === undefined
      ? []
      : [
          ...['-machine', 'memory-backend=ram', '-object'],
          `memory-backend-file,id=ram,size=${prepared.memoryMiB}M,mem-path=${optionValue(memory.path)},share=${memory.share ? 'on' : 'off'}`,
        ]),
    ...['-chardev', 'stdio,id=console,signal=off'],
    ...['-chardev', `socket,id=agent,${socket(SOCKETS.agent)}`],
    ...['-chardev', `socket,id=shell,${socket(SOCKETS.shell)}`],
    ...hardwareArguments(options),
    ...['-qmp', `unix:${optionValue(join(directory, SOCKETS.qmp))},server=on,wait=off`],
    ...(start === 'boot'
      ? ['-kernel', prepared.image, '-initrd', prepared.initrd, '-append', kernelCommandLine(options)]
      : // Without -kernel QEMU need not read megabytes that the state replaces; -S keeps the guest still until the agent's socket is open.
        ['-S', '-incoming', 'defer']),
  ];
}

/** A value inside one of QEMU's comma-separated options. */
function optionValue(text: string): string {
  return text.replaceAll(',', ',,');
}
