import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineErrorCode } from '../errors.ts';
import type { Machine } from '../machine.ts';
import { SOCKETS } from '../qemu-arguments.ts';
import { connectUnix } from '../qmp.ts';
import { output, runVictim, shell, VICTIM, writeTo } from './guest.ts';
import { eventually, type RestoredMachine } from './host.ts';
import { INVALID, NULL_WRITE, SPIN, sleepingCode } from './kernel-code.ts';
import { patchKernel } from './kernel-patch.ts';

/** 5.10 is locked up by a task that never lets go, 6.12 has other texts and other clocks. */
export const OLD = '5.10';
export const NEW = '6.12';

/** What becomes of a machine on which something is done. */
export interface Fault {
  readonly title: string;
  readonly lines: readonly string[];
  /** Ends with a request that fails. */
  readonly provoke: (machine: Machine, addressOf: RestoredMachine['addressOf']) => Promise<unknown>;
  readonly code: MachineErrorCode;
  readonly why: RegExp;
  /** In the excerpt of the console. */
  readonly console?: RegExp;
}

/** Takes all memory. */
export const DEVOUR = `busybox awk 'BEGIN { s = "xxxxxxxx"; while (1) s = s s }'`;
/** Sets most of the memory aside, so that taking the rest takes less time. */
export const STARVE = 'echo 190 >/proc/sys/vm/nr_hugepages';

export const FAULTS: readonly Fault[] = [
  {
    title: 'a panic is told with what the kernel said',
    lines: [OLD, NEW],
    provoke: (machine) => shell(machine, 'echo c >/proc/sysrq-trigger'),
    code: 'kernel-panic',
    why: /^Kernel panic - not syncing: sysrq triggered crash$/,
    console: /^\[.*Kernel panic.*Call Trace/s,
  },
  {
    title: 'an instruction that is none, in the kernel, is an oops and no panic',
    lines: [OLD],
    provoke: async (machine, addressOf) => {
      await patchKernel(machine.pid, await addressOf(VICTIM), INVALID);
      await runVictim(machine, 10_000);
    },
    code: 'kernel-oops',
    why: /^invalid opcode: 0000 \[#1\]/,
    console: /RIP: 0010:version_proc_show/,
  },
  {
    title: 'a null pointer in the kernel is an oops and no panic',
    lines: [NEW],
    provoke: async (machine, addressOf) => {
      await patchKernel(machine.pid, await addressOf(VICTIM), NULL_WRITE);
      await runVictim(machine, 10_000);
    },
    code: 'kernel-oops',
    why: /^BUG: kernel NULL pointer dereference, address: 0000000000000000$/,
    console: /RIP: 0010:version_proc_show/,
  },
  {
    title: 'a CPU that is stuck in the kernel is a lockup as soon as the kernel says so',
    lines: [OLD],
    provoke: async (machine, addressOf) => {
      await shell(machine, 'echo 1 >/proc/sys/kernel/watchdog_thresh');
      await patchKernel(machine.pid, await addressOf(VICTIM), SPIN);
      // Nobody waits for the end of this: a spoilt machine is enough.
      void runVictim(machine, 60_000).catch(() => undefined);
      await eventually(() => machine.spoilt, 20_000);
    },
    code: 'kernel-lockup',
    why: /soft lockup - CPU#\d stuck for \d+s! \[agent:\d+\]$/,
    console: /RIP: 0010:version_proc_show/,
  },
  {
    title:
      'a CPU that is stuck in the kernel, of which the kernel says nothing, is silence, told with where it is stuck',
    lines: [NEW],
    provoke: async (machine, addressOf) => {
      await patchKernel(machine.pid, await addressOf(VICTIM), SPIN);
      await runVictim(machine, 1000);
    },
    code: 'vm-silent',
    why: /^no answer to reading \/proc\/version within 1 s, .* most often at 0xf{8}[0-9a-f]{8} on CPU \d, in the kernel$/,
  },
  {
    title: 'a system call that never returns is a hung task, as the kernel says',
    lines: [OLD, NEW],
    provoke: async (machine, addressOf) => {
      await shell(machine, 'echo 1 >/proc/sys/kernel/hung_task_timeout_secs');
      await patchKernel(machine.pid, await addressOf(VICTIM), await sleepingCode(await addressOf(VICTIM), addressOf));
      await runVictim(machine, 4000);
    },
    code: 'kernel-hung-task',
    why: /^INFO: task agent:\d+ blocked for more than 1 seconds\.; no answer to reading \/proc\/version/,
  },
  {
    title: 'an agent that is stopped is told from a kernel that hangs',
    lines: [OLD, NEW],
    provoke: async (machine) => {
      await shell(machine, '(sleep 0.1; kill -STOP $PPID) &');
      await sleep(300);
      await machine.agent.readFile('/proc/version');
    },
    code: 'agent-hung',
    why: /^no answer to reading \/proc\/version within 2 s, though the kernel runs: its CPUs are halted/,
  },
  {
    title: 'an agent that a signal ends was killed by something in the guest',
    lines: [OLD],
    provoke: (machine) => shell(machine, 'kill -KILL $PPID'),
    code: 'agent-killed',
    why: /^signal 9 ended it/,
    console: /ksym-matrix: agent ended with status 137/,
  },
  {
    title: 'an agent that the kernel kills because memory has run out is no murder',
    lines: [NEW],
    provoke: (machine) => shell(machine, `echo 1000 >/proc/$PPID/oom_score_adj; ${STARVE}; ${DEVOUR}`),
    code: 'guest-out-of-memory',
    why: /^Out of memory: Killed process \d+ \(agent\) .*; the agent was killed$/,
  },
  {
    title: 'a machine that restarts without a word has ended, and was not killed',
    lines: [OLD],
    provoke: (machine) => shell(machine, 'echo b >/proc/sysrq-trigger'),
    code: 'machine-ended',
    why: /^QEMU ended as if asked to, and the console tells of no crash$/,
  },
  {
    title: 'a QEMU that is killed is not taken for a crash',
    lines: [OLD],
    provoke: async (machine) => {
      const pending = shell(machine, 'sleep 10');
      process.kill(machine.pid, 'SIGKILL');
      await pending;
    },
    code: 'qemu-exited',
    why: /^it said nothing$/,
  },
  {
    title: 'a QEMU that is asked to end, which it does with status 0, is not taken for a guest that ended',
    lines: [OLD],
    provoke: async (machine) => {
      const pending = shell(machine, 'sleep 10');
      process.kill(machine.pid, 'SIGTERM');
      await pending;
    },
    code: 'qemu-exited',
    why: /terminating on signal 15 from pid \d+/,
  },
  {
    title: 'a QEMU that is stopped is not taken for a silent guest',
    lines: [OLD],
    provoke: async (machine) => {
      process.kill(machine.pid, 'SIGSTOP');
      await machine.agent.readFile('/proc/version');
    },
    code: 'qemu-stopped',
    why: /^process \d+ is stopped/,
  },
  {
    title: 'a guest that QEMU has paused is not taken for a silent one',
    lines: [OLD],
    provoke: async (machine) => {
      const qmp = await machine.connectQmp();
      await qmp.execute('stop');
      qmp.close();
      await machine.agent.readFile('/proc/version');
    },
    code: 'guest-paused',
    why: /"paused"/,
  },
  {
    title: 'bytes from the guest that are no frame are garbage on the channel',
    lines: [OLD, NEW],
    provoke: async (machine) => {
      // The port can be opened once, so no program of the guest can write to it: the agent itself is asked to.
      const descriptor = await output(
        machine,
        'cd /proc/$PPID/fd; for f in *; do readlink $f | grep -q vport && echo $f; done',
      );
      await writeTo(machine.agent, Number(descriptor), Buffer.from('this is not what an agent says\n'));
    },
    code: 'channel-garbled',
    why: /^the agent sent nonsense: bytes that are no frame while waiting for system call 1$/,
  },
  {
    title: 'bytes to the guest that are no frame end the agent, which is no fault of the guest',
    lines: [OLD],
    provoke: async (machine) => {
      await machine.agent.close();
      const socket = await connectUnix(join(machine.directory, SOCKETS.agent));
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await eventually(() => machine.spoilt);
      socket.destroy();
    },
    code: 'channel-garbled',
    why: /^the agent met bytes that are no frame, and gave up$/,
    console: /agent ended with status 2/,
  },
];
