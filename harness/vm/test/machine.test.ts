import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import { pad, writeCpio } from '../cpio.ts';
import { MachineError } from '../errors.ts';
import type { Machine } from '../machine.ts';
import { diagnosed, text } from './guest.ts';
import { commandLine, createTestHost, eventually, type StartOptions } from './host.ts';

// Two kernels that differ in what matters here: 5.10 has virtio as modules, 6.12 has it built in.
const OLD = '5.10';
const NEW = '6.12';
const host = await createTestHost([OLD, NEW]);
t.teardown(async () => {
  await host.closeAll();
  host.end();
});

/** The error that a start ends with; the machine must not come up. */
async function failedStart(t: Test, line: string, options: StartOptions): Promise<MachineError> {
  const started = await host.start(line, options).then(
    (machine) => machine.close().then(() => undefined),
    (error: unknown) => error,
  );
  t.type(started, MachineError);
  if (!(started instanceof MachineError)) throw new Error('the machine came up, and should not');
  t.equal(started.phase, 'boot');
  return started;
}

/** That QEMU is gone and nothing lies about. */
async function clean(t: Test, machine: Machine): Promise<void> {
  await machine.close();
  t.equal(commandLine(machine.pid), '', `QEMU (${machine.pid}) has ended`);
  t.notOk(existsSync(`/proc/${machine.pid}`), 'and was waited for');
  t.equal(machine.spoilt, true);
}

// What disturbs nobody runs side by side.
t.jobs = 4;
const tests: Promise<unknown>[] = [];
function test(title: string, run: (t: Test) => Promise<void>): void {
  tests.push(t.test(title, { buffered: true }, run).then(() => undefined));
}

await t.test('two kernels boot side by side and answer through their agents', async (t) => {
  const machines = await Promise.all([host.start(OLD), host.start(NEW)]);
  t.equal(host.leftovers().length, 2, 'each has a folder for its sockets');
  for (const [index, machine] of machines.entries()) {
    const line = [OLD, NEW][index] ?? '';
    const { agent } = machine;
    t.ok(agent.hello.release.startsWith(`${line}.`), agent.hello.release);
    t.equal(agent.hello.cpus, 2);
    // uname(2) says the same in /proc/version.
    t.match(text(await agent.readFile('/proc/version')), `Linux version ${agent.hello.release} `);
    const kallsyms = Kallsyms.parse(await agent.readFile('/proc/kallsyms'));
    t.equal(kallsyms.find('start_kernel').length, 1);
    t.ok((kallsyms.find('start_kernel')[0]?.address ?? 0n) > 0xffffffff80000000n, 'kernel text of x86-64');
    t.equal(kallsyms.restricted, false);
    t.ok((await agent.readFile('/sys/kernel/btf/vmlinux')).length > 1_000_000);
    const mounts = text(await agent.readFile('/proc/mounts'));
    t.match(mounts, / \/sys\/fs\/bpf bpf /);
    t.notMatch(mounts, /9p|virtiofs|\/dev\/[sv]d/, 'no file system of the host is mounted');
    t.match(readFileSync(machine.console.path, 'utf8'), `Linux version ${agent.hello.release}`);
    t.equal(machine.spoilt, false);
    t.ok(machine.readyMs > 100 && machine.readyMs < 180_000);
  }
  const parameters = text((await machines[0]?.agent.readFile('/proc/cmdline')) ?? new Uint8Array());
  t.match(parameters, 'console=ttyS0');
  t.match(parameters, 'panic=-1');
  await Promise.all(machines.map((machine) => clean(t, machine)));
  await Promise.all(machines.map((machine) => machine.close()));
  t.pass('closing twice does no harm');
});

test('a kernel that finds no init panics at boot, and says so', async (t) => {
  const [init, rdinit] = await Promise.all([
    failedStart(t, OLD, { append: ['init=/nope'] }),
    failedStart(t, NEW, { append: ['rdinit=/nope'] }),
  ]);
  t.equal(init.code, 'kernel-panic');
  t.match(init.why, /Kernel panic - not syncing: Attempted to kill init!/);
  t.match(init.consoleExcerpt[0], 'Kernel panic - not syncing');
  t.match(init.where, /console-\d+\.log/);
  // Without an init in the initramfs the kernel wants a root file system (init/do_mounts.c).
  t.equal(rdinit.code, 'kernel-panic');
  t.match(rdinit.why, /VFS: Unable to mount root fs/);
  t.notMatch(rdinit.why, /^\[/, 'the time stamp is no part of the reason');
});

test('a kernel that has no virtio console is told from an agent that failed, and nobody waits for it', async (t) => {
  const prepared = host.prepared.get(OLD);
  t.ok(prepared);
  if (prepared === undefined) return;
  // Its virtio drivers are modules, which virtme-ng's script loads: here there is none to load.
  const nothing = writeCpio([{ path: 'modules/load_all.sh', mode: 0o755, content: Buffer.from('true\n') }]);
  const initrd = join(host.folder, 'without-modules.cpio');
  writeFileSync(initrd, Buffer.concat([pad(readFileSync(prepared.initrd)), nothing]));
  const lacking = await failedStart(t, OLD, { prepared: { ...prepared, initrd } });
  t.equal(lacking.code, 'kernel-lacks-driver');
  t.match(lacking.message, /^this kernel has no driver virtio_(pci|console)$/);
  t.match(lacking.fix, /modules:/);
  const shown = lacking.consoleExcerpt.join('\n');
  t.match(shown, 'ksym-matrix: this kernel has no driver');
});

test('a machine that prints nothing, or is not ready in time, is given up', async (t) => {
  const prepared = host.prepared.get(OLD);
  t.ok(prepared);
  if (prepared === undefined) return;
  // -S: QEMU starts, and waits for a debugger before the first instruction.
  const frozen = { ...prepared, plan: { ...prepared.plan, arguments: [...prepared.plan.arguments, '-S'] } };
  const [silent, late] = await Promise.all([
    failedStart(t, OLD, { prepared: frozen, deadlines: { firstOutput: 500, shutdown: 1000 } }),
    failedStart(t, OLD, { deadlines: { ready: 2500, shutdown: 1000 }, append: ['rdinit=/bin/sh'] }),
  ]);
  t.equal(silent.code, 'vm-silent');
  t.match(silent.message, 'printed nothing within 0.5 s');
  t.match(silent.why, 'its console is empty');
  t.equal(late.code, 'boot-timeout');
  t.match(late.message, 'not ready within 2.5 s');
  t.match(late.why, 'its console ends with: ');
  t.ok(late.consoleExcerpt.length > 0);
});

test('a QEMU that is missing, or does not understand its arguments, is said in words', async (t) => {
  const prepared = host.prepared.get(OLD);
  t.ok(prepared);
  if (prepared === undefined) return;
  const { plan } = prepared;
  const missing = await failedStart(t, OLD, { prepared: { ...prepared, plan: { ...plan, qemu: '/nowhere/qemu' } } });
  t.equal(missing.code, 'qemu-missing');
  t.match(missing.explain(), '/nowhere/qemu');
  t.match(missing.fix, 'qemu-system-x86');
  const refused = await failedStart(t, OLD, {
    prepared: { ...prepared, plan: { ...plan, arguments: [...plan.arguments, '-no-such-option'] } },
  });
  t.equal(refused.code, 'qemu-failed');
  t.match(refused.why, 'no-such-option', "QEMU's own message");
});

test('a harness that is killed takes its machine with it, and an abort ends a running one', async (t) => {
  const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createTestHost } from ${module('./host.js')};
       const host = await createTestHost([${JSON.stringify(OLD)}]);
       const { machine } = await host.open(${JSON.stringify(OLD)});
       console.log(host.folder + ' ' + machine.pid);
       process.stdin.on('end', () => process.exit()).resume();`,
    ],
    // It ends with its standard input, so that it does not outlive a test that was cut short.
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const controller = new AbortController();
  const [[line], { machine }] = await Promise.all([
    once(child.stdout, 'data'),
    host.open(NEW, { signal: controller.signal }),
  ]);
  const [folder = '', pid = ''] = String(line).trim().split(' ');
  t.match(commandLine(Number(pid)), `${folder}/tmp/ksym-matrix-vm-`, 'its QEMU runs');
  child.kill('SIGKILL');
  t.ok(await eventually(() => commandLine(Number(pid)) === ''), 'and ends with it, although no handler could run');
  // What no handler could remove: the child's folders.
  rmSync(folder, { recursive: true, force: true });

  const pending = machine.agent.execute({ argv: ['/bin/busybox', 'sleep', '60'] });
  controller.abort();
  const error = await diagnosed(machine, pending);
  t.equal(error.code, 'qemu-exited');
  t.equal(error.phase, 'run');
  await clean(t, machine);
});

await Promise.all(tests);
await host.closeAll();
t.same(host.leftovers(), [], 'no socket folder is left');

t.test('an abort ends QEMU at once, however early it comes', async (t) => {
  // Before QEMU is there, with the first thing that is made for it, and while the kernel boots.
  const moments = [async () => {}, () => eventually(() => host.leftovers().length === 1), () => sleep(500)];
  for (const moment of moments) {
    const controller = new AbortController();
    const booting = failedStart(t, OLD, { signal: controller.signal });
    await moment();
    controller.abort();
    const aborted = performance.now();
    t.equal((await booting).code, 'qemu-exited');
    t.ok(performance.now() - aborted < 3000);
    t.same(host.leftovers(), []);
  }
});
