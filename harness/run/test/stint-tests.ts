import t, { type Test } from 'tap';
import { MachineError } from '../../vm/errors.ts';
import { LeftoverWatch } from '../leftovers.ts';
import type { Outcome } from '../outcome.ts';
import { type Attempt, type CellMachine, runStint, type StintHost } from '../run-stint.ts';
import type { BootGroup, Cell } from '../select.ts';
import { planGroups } from '../select.ts';
import { FakeMachine, LISTS, type Script, SPEC, STATE } from './fake-machine.ts';
import { compiled, OURS_ALONE, sampleMatrix, sampleProgram, selected } from './samples.ts';
import { failure } from './verdict-table.ts';

// One of them waits for two seconds.
t.jobs = 8;

/** A kernel with these programs, each of which test-runs `main` once. */
export function groupOf(names: readonly string[], kernel = '6.12'): BootGroup {
  const programs = names.map((name) => ({ ...sampleProgram(name), run: [{ program: 'main' }] }));
  const [group] = planGroups([selected(kernel)], programs, sampleMatrix(programs));
  if (group === undefined) throw new TypeError('no cells');
  return group;
}

interface Play {
  /** "NAME CLASS" of each cell, in the order they ended, with all attempts' classes. */
  readonly seen: string[];
  readonly attempts: Map<string, readonly Attempt[]>;
  readonly machines: FakeMachine[];
  readonly warnings: string[];
  readonly red: string[];
  /** Most machines that were there at a time. */
  most: number;
}

interface PlayOptions extends Partial<Pick<StintHost, 'isolation' | 'retries' | 'open' | 'signal' | 'onRed'>> {
  readonly failures?: Readonly<Record<string, Outcome>>;
  readonly withoutObject?: readonly string[];
  readonly console?: string;
}

/** Runs a stint on machines that follow a script, and tells what came of it. */
export async function play(
  t: Test,
  names: readonly string[],
  script: Script,
  options: PlayOptions = {},
): Promise<Play> {
  const group = groupOf(names);
  const result: Play = { seen: [], attempts: new Map(), machines: [], warnings: [], red: [], most: 0 };
  const open = async (): Promise<CellMachine> => {
    const machine = new FakeMachine(script, options.console);
    result.machines.push(machine);
    result.most = Math.max(result.most, result.machines.filter(({ closed }) => closed === 0).length);
    return machine.opened();
  };
  const spec = (cell: Cell) => (options.withoutObject?.includes(cell.program.name) === true ? null : SPEC);
  await runStint(
    { group, cells: group.cells },
    {
      isolation: 'kernel',
      retries: 0,
      loaders: OURS_ALONE,
      signal: new AbortController().signal,
      open,
      compiled: new Map(
        group.cells.map((cell) => {
          const { program } = cell;
          return [program.name, { ...compiled(program, options.failures?.[program.name]), spec: spec(cell) }];
        }),
      ),
      isRed: (_cell, attempt) => attempt.outcome.class !== 'ok',
      onCell: async (cell, attempts) => {
        result.attempts.set(cell.program.name, attempts);
        result.seen.push([cell.program.name, ...attempts.map(({ outcome }) => outcome.class)].join(' '));
      },
      onRed: async (cell) => {
        result.red.push(cell.program.name);
        return false;
      },
      onMachineEnd: async () => undefined,
      onWarning: (text) => void result.warnings.push(text),
      ...options,
    },
  );
  for (const { closed } of result.machines) t.equal(closed, 1, 'each machine is closed once');
  return result;
}

const fine: Script = () => undefined;

t.test(
  'cells of a stint share a machine that stays clean, and each has its own if they are not to share',
  async (t) => {
    const names = ['a', 'b', 'c', 'd'];
    const seen = names.map((name) => `${name} ok`);
    const shared = await play(t, names, fine);
    t.same([shared.machines.length, shared.seen], [1, seen]);
    const alone = await play(t, names, fine, { isolation: 'cell' });
    t.same([alone.machines.length, alone.seen], [4, seen]);
    t.same(
      names.map((name) => shared.attempts.get(name)?.[0]?.consoleLines),
      [[], [], [], []],
      'our own lines on the console are nobody’s',
    );
  },
);

// Each: what a cell leaves in the kernel, and what is said of it.
const LEFTOVERS: readonly (readonly [string, (machine: FakeMachine) => void, RegExp])[] = [
  ['a taint', (machine) => machine.change({ tainted: '512' }), /tainted: 512 was 0/],
  [
    'a module',
    (machine) => machine.change({ modules: 'virtio_net 1 0 - Live 0x0\ndummy 1 0 - Live 0x0\n' }),
    /modules were loaded/,
  ],
  ['a module that is gone', (machine) => machine.change({ modules: '' }), /modules were loaded or removed/],
  ['a program', (machine) => machine.ids.get(LISTS.program)?.push(77), /program 77 is still there/],
  ['a link', (machine) => machine.ids.get(LISTS.link)?.push(3), /link 3 is still there/],
];

for (const [what, leave, said] of LEFTOVERS) {
  t.test(`after a cell that leaves ${what}, the rest go on with a new machine; its own verdict stays`, async (t) => {
    const script: Script = (cell, machine) => {
      if (cell === 'b' || cell === 'd') leave(machine);
    };
    const { seen, machines, attempts } = await play(t, ['a', 'b', 'c', 'd'], script);
    t.same(seen, ['a ok', 'b ok', 'c ok', 'd ok']);
    t.equal(machines.length, 2);
    t.match(attempts.get('b')?.[0]?.leftovers, [said]);
    t.same(attempts.get('c')?.[0]?.leftovers, []);
    t.same(attempts.get('d')?.[0]?.leftovers, [], 'nobody comes after the last cell: nobody looks');
  });
}

t.test('what the kernel frees late is no leftover, and what was there before the first cell is none', async (t) => {
  const script: Script = (_cell, machine) => {
    machine.ids.set(LISTS.map, [10, 11]);
    machine.ids.set(LISTS.btf, [1, 5, 6]);
  };
  t.equal((await play(t, ['a', 'b', 'c'], script)).machines.length, 1);
});

t.test('what should have been freed long since is a leftover of the cell after which it was first there', async (t) => {
  const machine = new FakeMachine();
  let now = 0;
  const watch = new LeftoverWatch(machine.agent, STATE.baseline, () => now);
  machine.ids.set(LISTS.map, [10, 11]);
  t.same(await watch.find('a'), []);
  now = 900;
  t.same(await watch.find('b'), [], 'a grace period and a worker may take that long');
  now = 1100;
  t.same(await watch.find('c'), ['map 11 is still there, since a']);
  machine.ids.set(LISTS.map, [10, 12]);
  t.same(await watch.find('d'), [], 'another one has its own time');
});

// Each: how a machine ends, and the class that the cell gets.
const ENDS: readonly (readonly [string, (machine: FakeMachine) => void, string])[] = [
  ['panics', (machine) => machine.print('Kernel panic - not syncing: sysrq'), 'kernel-panic'],
  [
    'faults',
    (machine) => machine.print('BUG: unable to handle page fault for address: 0000000000000000'),
    'kernel-oops',
  ],
  ['falls silent', (machine) => machine.fall('agent-timeout'), 'vm-silent'],
  ['loses its agent', (machine) => machine.fall('agent-lost'), 'vm-silent'],
];

for (const [what, end, kind] of ENDS) {
  t.test(`a machine that ${what} is charged to the one cell, and the rest go on with a new machine`, async (t) => {
    const { seen, machines, red, attempts } = await play(t, ['a', 'b', 'c'], (cell, machine) => {
      if (cell === 'b') end(machine);
    });
    t.same(seen, ['a ok', `b ${kind}`, 'c ok']);
    t.equal(machines.length, 2);
    t.same(red, ['b'], 'whoever wants to look at the machine is asked');
    t.equal(attempts.get('b')?.[0]?.outcome.phase, 'run');
  });
}

t.test('a machine is not used any more after a fault of ours: nobody knows what state it is in', async (t) => {
  const { seen, machines } = await play(t, ['a', 'b', 'c'], fine, { withoutObject: ['b'] });
  t.same([seen, machines.length], [['a ok', 'b infra', 'c ok'], 2]);
});

t.test('a complaint on the console belongs to the cell that it came with, however late the console is', async (t) => {
  const script: Script = (cell, machine) => {
    machine.lag = 40;
    if (cell === 'b') machine.print('WARNING: CPU: 0 PID: 1 at kernel/bpf/core.c:99 bpf_thing+0x1/0x2');
    if (cell === 'c') machine.print('INFO: NMI handler (nmi_cpu_backtrace_handler) took too long to run: 2.5 msecs');
  };
  const { seen, attempts, machines } = await play(t, ['a', 'b', 'c'], script);
  t.same(seen, ['a ok', 'b kernel-splat', 'c ok']);
  t.equal(machines.length, 2, 'lockdep and its like report once only: the next cell gets a new machine');
  const [warned] = attempts.get('b') ?? [];
  t.match(warned?.outcome.message, /kernel\/bpf\/core\.c:99.*without that: 0 values are as they should be/);
  t.match(warned?.consoleLines, [/WARNING: CPU: 0/], 'its lines, and only its');
  t.equal(warned?.consoleLines.length, 1);
  t.match(attempts.get('c')?.[0]?.splats, [{ allowed: /emulated/ }], 'one that is allowed is kept and does no harm');
});

t.test('a console that does not catch up gets no further cell', async (t) => {
  const script: Script = (cell, machine) => {
    if (cell === 'a') machine.lag = undefined;
  };
  const { seen, machines, attempts } = await play(t, ['a', 'b'], script);
  t.same([seen, machines.length], [['a ok', 'b ok'], 2]);
  t.match(attempts.get('a')?.[0]?.leftovers, ['the console is still printing']);
});

t.test(
  'a red cell is run again, each time on a new machine, until it is not red or was tried often enough',
  async (t) => {
    let runs = 0;
    const script: Script = (cell, machine) => {
      if (cell === 'always' || (cell === 'once' && runs++ === 0)) machine.testRun = 'EINVAL';
    };
    const { seen, machines, red, attempts, most } = await play(t, ['fine', 'always', 'once', 'last'], script, {
      retries: 2,
    });
    t.same(seen, [
      'fine ok',
      'always test-run-failed test-run-failed test-run-failed',
      'once test-run-failed ok',
      'last ok',
    ]);
    t.equal(machines.length, 3 + 2 + 1, 'each of its runs has a machine, and the next cell another');
    t.equal(most, 1, 'the machine before makes room for the next');
    t.same(red, ['always', 'once'], 'once for each cell');
    t.equal(attempts.get('once')?.[1]?.state?.values['btf.vars'], 0);
  },
);

t.test(
  'the machine of a red cell is there while somebody looks at it, and is given up if it was touched',
  async (t) => {
    for (const touched of [false, true]) {
      const looked: string[] = [];
      const script: Script = (cell, machine) => machine.change({ testRun: cell === 'a' ? 'EPERM' : undefined });
      const { seen, machines } = await play(t, ['a', 'b'], script, {
        onRed: async (cell, attempt, { machine }) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          const { closed } = machine as unknown as FakeMachine;
          looked.push(`${cell.program.name} ${attempt.outcome.class} ${closed}`);
          return touched;
        },
      });
      t.same(seen, ['a test-run-failed', 'b ok']);
      t.same(looked, ['a test-run-failed 0'], 'it is not closed meanwhile');
      t.equal(machines.length, touched ? 2 : 1);
    }
  },
);

t.test('a run that is stopped says nothing of the cell that it interrupts, nor of any after it', async (t) => {
  const abort = new AbortController();
  const { signal } = abort;
  const stopped = await play(
    t,
    ['a', 'b', 'c'],
    (cell, machine) => {
      if (cell !== 'b') return;
      // As in a run: the signal ends QEMU, and the agent with it.
      abort.abort();
      machine.fall('agent-lost');
    },
    { signal, retries: 3 },
  );
  t.same([stopped.seen, stopped.machines.length, stopped.red], [['a ok'], 1, []]);
  const late = new AbortController();
  const duringBoot = await play(t, ['a'], fine, {
    signal: late.signal,
    open: async () => {
      late.abort();
      throw new MachineError('qemu-exited', 'killed', 'boot');
    },
  });
  t.same(duringBoot.seen, []);
  t.same((await play(t, ['a'], fine, { signal: AbortSignal.abort() })).machines, [], 'no machine is started any more');
});

t.test('a program without an object costs no machine, and a boot that fails is tried once for all cells', async (t) => {
  const failures = { broken: failure('compile-failed', 'compile') };
  const boot = async (error: Error, names: string[] = ['broken', 'fine', 'too']) => {
    let opened = 0;
    const open = async (): Promise<never> => {
      opened++;
      throw error;
    };
    const { seen, attempts } = await play(t, names, fine, { failures, open, retries: 5 });
    return { opened, seen, phases: [...attempts.values()].map(([first]) => first?.outcome.phase) };
  };
  const dead = (code: ConstructorParameters<typeof MachineError>[0]): MachineError =>
    new MachineError(code, 'x', 'boot');
  t.same(await boot(dead('kernel-panic')), {
    opened: 1,
    seen: ['broken compile-failed', 'fine kernel-panic', 'too kernel-panic'],
    phases: ['compile', 'boot', 'boot'],
  });
  t.same(await boot(dead('kernel-panic'), ['broken']), {
    opened: 0,
    seen: ['broken compile-failed'],
    phases: ['compile'],
  });
  t.equal((await boot(dead('boot-timeout'))).seen[1], 'fine vm-silent');
  // These are the host's doing: nothing is said about the kernel.
  for (const code of ['qemu-exited', 'qemu-missing', 'qemu-failed', 'plan-failed'] as const) {
    t.match(
      await boot(dead(code)),
      { seen: [/./, 'fine infra', 'too infra'], phases: ['compile', 'boot', 'boot'] },
      code,
    );
  }
  await t.rejects(boot(new TypeError('a defect')), TypeError, 'a defect of ours is no verdict');
});

t.test('a boot that fails in the middle is charged to the cells that still wait', async (t) => {
  let opened = 0;
  const open = async (): Promise<CellMachine> => {
    if (opened++ > 0) throw new MachineError('boot-timeout', 'too late', 'boot');
    return new FakeMachine((cell, machine) => void (cell === 'b' && machine.fall())).opened();
  };
  const { seen } = await play(t, ['a', 'b', 'c', 'd'], fine, { open });
  t.same([seen, opened], [['a ok', 'b vm-silent', 'c vm-silent', 'd vm-silent'], 2]);
});

t.test('a defect of ours in the middle of a cell ends the stint, and the machine is closed', async (t) => {
  const machine = new FakeMachine();
  const broken = async (): Promise<CellMachine> =>
    machine.opened({ ...machine.opened().state, baseline: null as never });
  await t.rejects(play(t, ['a', 'b'], fine, { open: broken }), TypeError);
  t.equal(machine.closed, 1);
});

t.test('a console log that cannot be written whole is mentioned', async (t) => {
  const { seen, warnings } = await play(t, ['a'], fine, { console: '/dev/full' });
  t.same(seen, ['a ok']);
  t.match(warnings, [/^\/dev\/full is incomplete: ENOSPC/]);
});
