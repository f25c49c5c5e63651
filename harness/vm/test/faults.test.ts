import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { connectAgent } from '../../../loader/agent/client.ts';
import { ConsoleMarker } from '../console-marker.ts';
import { probeMachine } from '../probe.ts';
import { SOCKETS } from '../qemu-arguments.ts';
import { connectUnix } from '../qmp.ts';
import { DEVOUR, FAULTS, NEW, OLD, STARVE } from './fault-table.ts';
import { diagnosed, output, shell, text } from './guest.ts';
import { createTestHost, eventually, type RestoredMachine } from './host.ts';

const host = await createTestHost([OLD, NEW]);
t.teardown(async () => {
  await host.closeAll();
  host.end();
});
// Most of the time these tests wait for a deadline.
t.jobs = 5;
const tests: Promise<unknown>[] = [];

function test(title: string, line: string, run: (t: Test, restored: RestoredMachine) => Promise<void>): void {
  const one = t.test(`${title} (${line})`, { buffered: true }, async (t) => {
    const restored = await host.open(line, { deadlines: { request: 2000, shutdown: 500 } });
    await run(t, restored);
    await restored.machine.close();
  });
  tests.push(one);
}

for (const { title, lines, provoke, code, why, console } of FAULTS) {
  for (const line of lines) {
    test(title, line, async (t, { machine, addressOf }) => {
      const error = await diagnosed(machine, provoke(machine, addressOf));
      t.equal(error.code, code, error.explain());
      t.equal(error.phase, 'run');
      t.match(error.why, why);
      t.equal(error.where, `console log ${machine.console.path}`, 'it says where the evidence is');
      t.ok(error.fix, 'and what to do');
      if (console !== undefined) t.match(error.consoleExcerpt.join('\n'), console);
      const closing = performance.now();
      await machine.close();
      t.ok(performance.now() - closing < 400, 'nobody waits for such a machine to end politely');
      t.equal(machine.spoilt, true);
    });
  }
}

test('memory that runs out is told, and who was killed; the agent is not the first', OLD, async (t, { machine }) => {
  await shell(machine, STARVE);
  const { signal } = await shell(machine, DEVOUR);
  t.equal(signal, 9);
  t.ok(await eventually(() => machine.console.splats.some(({ block }) => /Killed process/.test(block.join()))));
  t.match(machine.console.splats[0], { kind: 'out-of-memory', rule: 'oom-killer' });
  t.match(machine.console.splats[0]?.block.join('\n'), /Killed process \d+ \(busybox\)/);
  t.match(await output(machine, 'echo alive'), 'alive');
  t.equal(machine.spoilt, false);
});

for (const [target, command] of [
  ['the log', 'while :; do echo "a line that says nothing, again and again"; done >/dev/kmsg'],
  ['the console', 'busybox yes "a line that says nothing, again and again" >/dev/console'],
] as const) {
  test(`a flood of ${target} costs no answer`, OLD, async (t, { machine }) => {
    const marker = new ConsoleMarker(machine.agent, machine.console);
    const flood = await shell(machine, command, 1000);
    t.equal(flood.timedOut, true, 'it went on until it was ended');
    t.equal(text(await machine.agent.readFile('/proc/sys/kernel/ostype')), 'Linux\n', 'the agent answers at once');
    const caughtUp = await marker.writeEnd('after the flood');
    t.ok(await caughtUp(), 'the console catches up');
    t.ok(machine.console.lines.length > 500 && machine.console.lines.length <= 5000, 'memory is bounded');
    t.equal(machine.spoilt, false);
    await machine.close();
    t.equal(readFileSync(machine.console.path).length, machine.console.size, 'the file has every byte');
  });
}

test('a channel that nobody reads makes the guest wait, and loses nothing', NEW, async (t, { machine }) => {
  const whole = await machine.agent.readFile('/sys/kernel/btf/vmlinux', { timeoutMs: 20_000 });
  await machine.agent.close();
  // The guest learns of it a moment later, and must not take it for the end of the next connection.
  await sleep(200);
  const socket = await connectUnix(join(machine.directory, SOCKETS.agent));
  const agent = await connectAgent(socket);
  const reading = agent.readFile('/sys/kernel/btf/vmlinux');
  socket.pause();
  await sleep(1000);
  t.match(await probeMachine(machine.pid, machine.directory), { state: 'idle' }, 'it does not spin');
  socket.resume();
  t.equal(Buffer.compare(await reading, whole), 0);
  await agent.close();
});

for (const line of [OLD, NEW]) {
  test('a clock that jumps by decades, and back, hurries nothing and delays nothing', line, async (t, { machine }) => {
    const started = performance.now();
    const jumps = 'date -s @4000000000; sleep 0.2; date -s @100000000; sleep 0.2; date +%s';
    const { exitCode, timedOut, stdout } = await shell(machine, jumps, 10_000);
    const took = performance.now() - started;
    t.equal(exitCode, 0);
    t.equal(timedOut, false);
    t.match(text(stdout), /\n10000000\d\n$/);
    t.ok(took > 400 && took < 5000, `sleeping took its time (${took} ms)`);
    t.same(machine.console.splats, []);
  });

  test('machines from one state have other random numbers, and the host’s time', line, async (t, { machine }) => {
    const { machine: twin } = await host.open(line);
    const uuids = await Promise.all(
      [machine, twin].flatMap((one) => [1, 2].map(() => output(one, 'cat /proc/sys/kernel/random/uuid'))),
    );
    t.equal(new Set(uuids).size, 4, uuids.join(' '));
    const places = await Promise.all([machine, twin].map((one) => output(one, 'head -n 1 /proc/1/maps')));
    t.equal(places[0], places[1], 'they do come from one boot: what was random then is the same');
    for (const one of [machine, twin]) {
      const seconds = Number(await output(one, 'date +%s'));
      t.ok(Math.abs(seconds - Date.now() / 1000) < 5, `${seconds}`);
    }
    await twin.close();
  });
}

await Promise.all(tests);

await t.test('a harness that stood still while a deadline passed does not blame the machine', async (t) => {
  const { machine } = await host.open(OLD);
  const reading = machine.agent.readFile('/proc/kallsyms', { timeoutMs: 300 }).catch((error: unknown) => error);
  await new Promise((resolve) => setImmediate(resolve));
  // Nothing of this process runs, as after Ctrl-Z, while QEMU goes on.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1700);
  const failure = await reading;
  const error = await machine.diagnose(failure);
  t.equal(error.code, 'harness-stalled', error.explain());
  t.match(error.message, /did not run for 1\.\d s/);
});

await t.test('a host clock that jumps by years ends no deadline', async (t) => {
  const { now } = Date;
  Date.now = () => now() + 10 * 365 * 86_400_000;
  t.teardown(() => {
    Date.now = now;
  });
  const { machine } = await host.open(NEW);
  const pending = output(machine, 'sleep 0.3; date +%Y');
  Date.now = now;
  t.equal(
    await pending,
    String(new Date(now() + 10 * 365 * 86_400_000).getUTCFullYear()),
    'the guest took the time it was given',
  );
});

await t.test('nothing is left of all these machines', async (t) => {
  await host.closeAll();
  t.same(host.leftovers(), []);
});
