import { setTimeout as sleep } from 'node:timers/promises';
import { loadObject } from '../../../loader/load/load.ts';
import type { Verdict } from '../../results/verdicts.ts';
import { output, shell, VICTIM, writeTo } from '../../vm/test/guest.ts';
import { type AddressOf, INVALID, panickingCode, sleepingCode, warningCode } from '../../vm/test/kernel-code.ts';
import { patchKernel } from '../../vm/test/kernel-patch.ts';
import type { Outcome } from '../outcome.ts';
import type { CellMachine } from '../run-stint.ts';
import { SPEC } from './fake-machine.ts';

/** Something that is done to a machine right before a cell, from outside the engine, and what is to become of that cell. */
export interface Injection {
  readonly name: string;
  readonly inject: (machine: CellMachine) => Promise<unknown>;
  readonly verdict: Verdict;
  readonly class: Outcome['class'];
  readonly fault?: Outcome['fault'];
  /** What the machine's console log must hold. */
  readonly console?: RegExp;
  readonly leftovers?: RegExp;
  /** False if the next cell is to use the same machine. */
  readonly replaced: boolean;
}

/** Puts code in the place of what the cell's check reads. */
async function patch(
  { machine, state }: CellMachine,
  code: (at: bigint, addressOf: AddressOf) => Promise<Uint8Array>,
): Promise<void> {
  const addressOf: AddressOf = async (name) => {
    const address = state.kernel.kallsyms?.find(name)[0]?.address;
    if (address === undefined) throw new Error(`the kernel has no ${name}`);
    return address;
  };
  const at = await addressOf(VICTIM);
  await patchKernel(machine.pid, at, await code(at, addressOf));
}

/** mov r0, 0; exit */
const RETURNS_0 = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
const OBJECT = { ...SPEC, programs: SPEC.programs.map((program) => ({ ...program, code: RETURNS_0 })) };

export const INJECTIONS: readonly (readonly Injection[])[] = [
  [
    {
      name: 'panic',
      inject: (machine) => patch(machine, (at, addressOf) => panickingCode(at, addressOf, 'a test did this')),
      ...{ verdict: 'panic', class: 'kernel-panic', replaced: true },
      console: /Kernel panic - not syncing: a test did this/,
    },
    {
      name: 'oops',
      inject: (machine) => patch(machine, async () => INVALID),
      ...{ verdict: 'panic', class: 'kernel-oops', replaced: true },
      console: /invalid opcode.*RIP: 0010:version_proc_show/s,
    },
    {
      name: 'warning',
      inject: (machine) => patch(machine, warningCode),
      ...{ verdict: 'fail', class: 'kernel-splat', replaced: true },
      console: /WARNING: .*ktest\.c:42/,
      leftovers: /^the kernel is tainted: 512 was 0$/,
    },
  ],
  [
    {
      name: 'hung-task',
      inject: async (machine) => {
        await shell(machine.machine, 'echo 1 >/proc/sys/kernel/hung_task_timeout_secs');
        await patch(machine, sleepingCode);
      },
      ...{ verdict: 'timeout', class: 'kernel-hung-task', replaced: true },
      console: /INFO: task agent:\d+ blocked for more than 1 seconds/,
    },
    {
      name: 'killed-qemu',
      inject: async ({ machine }) => {
        // Stopped first, so that it is in the middle of the cell when it is killed.
        process.kill(machine.pid, 'SIGSTOP');
        void sleep(300).then(() => process.kill(machine.pid, 'SIGKILL'));
      },
      ...{ verdict: 'infra', class: 'infra', fault: 'qemu-exited', replaced: true },
    },
    {
      name: 'stopped-qemu',
      inject: async ({ machine }) => process.kill(machine.pid, 'SIGSTOP'),
      ...{ verdict: 'infra', class: 'infra', fault: 'qemu-stopped', replaced: true },
    },
  ],
  [
    {
      name: 'garbage',
      inject: async ({ machine }) => {
        const list = 'cd /proc/$PPID/fd; for f in *; do readlink $f | grep -q vport && echo $f; done';
        const descriptor = Number(await output(machine, list));
        await writeTo(machine.agent, descriptor, Buffer.from('garbage that is no frame')).catch(() => undefined);
      },
      ...{ verdict: 'infra', class: 'infra', fault: 'channel-garbled', replaced: true },
    },
    {
      name: 'leak',
      inject: ({ machine, state }) => loadObject(OBJECT, { agent: machine.agent, facts: state.kernel }),
      ...{ verdict: 'pass', class: 'ok', replaced: true },
      leftovers: /^program \d+ is still there/,
    },
    {
      name: 'paused-guest',
      inject: async ({ machine }) => {
        const qmp = await machine.connectQmp();
        await qmp.execute('stop');
        qmp.close();
      },
      ...{ verdict: 'infra', class: 'infra', fault: 'guest-paused', replaced: true },
    },
    {
      name: 'flood',
      inject: ({ machine }) =>
        shell(machine, '(while :; do echo again and again and again; done) </dev/null >/dev/kmsg 2>&1 &'),
      ...{ verdict: 'pass', class: 'ok', replaced: false },
      console: /(?:again and again and again\r?\n.*){20}/s,
    },
  ],
];
