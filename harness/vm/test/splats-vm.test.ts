import { join } from 'node:path';
import t from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import type { Machine } from '../machine.ts';
import { DEFAULT_DEADLINES } from '../machine-parts.ts';
import { MachineSource } from '../machine-source.ts';
import { splatExcerpt } from '../splats.ts';
import { createTestHost, eventually } from './host.ts';
import { SPIN, warningCode } from './kernel-code.ts';
import { patchKernel } from './kernel-patch.ts';

// 5.10 has the old form of a WARN and can be locked up by a task, 7.3 has the new form and takes the CPU from any task.
const OLD = '5.10';
const NEW = '7.3';
const host = await createTestHost([OLD, NEW]);
const source = new MachineSource({
  cache: cacheDirectory(),
  templates: true,
  observer: {
    version: 'splats-vm-test-1',
    observe: async (agent) => new Map([['kallsyms', await agent.readFile('/proc/kallsyms')]]),
  },
});
const machines: Machine[] = [];
t.teardown(async () => {
  await Promise.all(machines.map((machine) => machine.close('kill')));
  host.end();
});

/** A machine, and the addresses of its kernel's functions. */
async function open(line: string): Promise<{ machine: Machine; addressOf: (name: string) => bigint }> {
  const prepared = host.prepared.get(line);
  if (prepared === undefined) throw new Error(`no machine was prepared for ${line}`);
  const { machine, observations } = await source.open({
    prepared,
    accelerator: host.accelerator,
    // Without page table isolation, kernel code is mapped whatever a CPU is doing when the debugger stops it.
    append: ['nopti'],
    consolePath: join(host.folder, `consoles/${line}.log`),
    deadlines: DEFAULT_DEADLINES,
  });
  machines.push(machine);
  const kallsyms = Kallsyms.parse(await observations.read('kallsyms'));
  return { machine, addressOf: (name) => kallsyms.find(name)[0]?.address ?? 0n };
}

async function shell(machine: Machine, command: string): Promise<void> {
  await machine.agent.execute({ argv: ['/bin/busybox', 'sh', '-c', command] });
}

t.test(
  'a WARN of a real kernel is found, belongs to the cell that provoked it, and leaves a machine that answers',
  async (t) => {
    await Promise.all(
      [OLD, NEW].map(async (line) => {
        const { machine, addressOf } = await open(line);
        const { console, agent } = machine;
        const before = console.mark();
        // Backtraces of all CPUs and a list of blocked tasks, which were asked for and are no trouble.
        await shell(machine, 'for key in l w m; do echo $key >/proc/sysrq-trigger; done');
        t.ok(
          await eventually(() => console.since(before).lines.some((text) => text.includes('sysrq: Show Memory'))),
          line,
        );
        const function_ = addressOf('version_proc_show');
        await patchKernel(machine.pid, function_, await warningCode(function_, async (name) => addressOf(name)));
        const cell = console.mark();
        t.same(
          console.splats.filter(({ allowed }) => allowed === null),
          [],
          `${line}: none so far`,
        );
        t.equal((await agent.readFile('/proc/version')).length, 0, 'the function returned, and printed nothing');
        t.ok(
          await eventually(
            // The console lags behind the agent: there may be nothing yet.
            () =>
              console
                .since(cell)
                .splats.some((splat) => splatExcerpt(splat).at(-1)?.includes('---[ end trace') === true),
          ),
        );
        const { splats } = console.since(cell);
        t.match(splats, [
          { rule: 'warning', kind: 'warning', allowed: null, text: /ktest\.c:42.* version_proc_show\+0x/ },
        ]);
        t.match(splatExcerpt(...first(splats)).join('\n'), /Comm: agent.*Call Trace:.*seq_read/s);
        t.equal(machine.spoilt, false);
        t.equal(
          String(await agent.readFile('/proc/sys/kernel/tainted')).trim(),
          '512',
          'the kernel has warned, and goes on',
        );
      }),
    );
  },
);

t.test('a soft lockup of a real kernel spoils the machine before a request runs into its deadline', async (t) => {
  const { machine, addressOf } = await open(OLD);
  await shell(machine, 'echo 1 >/proc/sys/kernel/watchdog_thresh');
  await patchKernel(machine.pid, addressOf('version_proc_show'), SPIN);
  const cell = machine.console.mark();
  const stuck = machine.agent.readFile('/proc/version', { timeoutMs: 30_000 }).catch(() => undefined);
  t.ok(await eventually(() => machine.spoilt, 20_000));
  t.match(machine.console.since(cell).splats, [{ rule: 'soft-lockup', kind: 'soft-lockup' }]);
  t.match(machine.console.crash, { kind: 'oops', text: /soft lockup - CPU#\d stuck for \d+s! \[agent:\d+\]/ });
  t.ok(
    await eventually(() =>
      machine.console.crashExcerpt(60).some((text) => text.includes('RIP: 0010:version_proc_show')),
    ),
  );
  await machine.close('kill');
  await stuck;
});

/** The first of some splats, as arguments. */
function first<T>(all: readonly T[]): [T] {
  const [one] = all;
  if (one === undefined) throw new Error('the kernel reported nothing');
  return [one];
}
