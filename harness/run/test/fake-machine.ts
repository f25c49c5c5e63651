import { AgentError } from '../../../loader/agent/agent-error.ts';
import type { ObjectContent } from '../../../loader/object/spec.ts';
import { FakeAgent, type SeenCall } from '../../../loader/syscall/test/fake-agent.ts';
import { ConsoleLog } from '../../vm/console.ts';
import { MachineError } from '../../vm/errors.ts';
import type { Beginning, Machine } from '../../vm/machine.ts';
import type { GuestState } from '../guest-observer.ts';
import type { CellMachine } from '../run-stint.ts';

/** What a fake machine's boot was like. */
export const STATE: GuestState = {
  values: { 'btf.vars': 0 },
  kernel: { kallsyms: null, vmlinuxBtf: null, moduleBtfs: [], moduleBtfsUnavailable: null, btfIdLoads: null },
  baseline: { tainted: '0', modules: 'virtio_net', ids: { program: 10, map: 10, link: 0, btf: 5 } },
};

/** An object with one program, `main`, that does nothing. */
export const SPEC: ObjectContent = {
  name: 'fake.bpf.o',
  byteOrder: 'little',
  license: 'GPL',
  btf: null,
  datasecLayout: new Map(),
  maps: [],
  variables: [],
  externs: [],
  programs: [
    {
      name: 'main',
      section: 'socket',
      type: 'socket_filter',
      attachType: null,
      attachTarget: null,
      sleepable: false,
      autoload: true,
      code: Uint8Array.of(0x95, 0, 0, 0, 0, 0, 0, 0),
      references: [],
      functions: [{ name: 'main', slot: 0, typeId: null, linkage: 'global', origin: { section: 'socket', slot: 0 } }],
      lines: [],
      coreRelocations: [],
    },
  ],
};

/** What happens in a machine when a cell begins. */
export type Script = (cell: string, machine: FakeMachine) => void;

const [WRITE, PROGRAM_NEXT, MAP_NEXT, BTF_NEXT, LINK_NEXT, TEST_RUN] = [1, 11, 12, 23, 31, 10];

/** A machine whose kernel is a script: a real console and a fake agent, and no QEMU. */
export class FakeMachine {
  readonly agent: FakeAgent;
  readonly console: ConsoleLog;
  readonly beginning: Beginning = 'restored';
  readonly readyMs = 90;
  closed = 0;
  /** Ids of BPF objects in the kernel, by the command that lists them. */
  readonly ids = new Map<number, number[]>([
    [PROGRAM_NEXT, [10]],
    [MAP_NEXT, [10]],
    [BTF_NEXT, [5]],
    [LINK_NEXT, []],
  ]);
  tainted = '0';
  modules = 'virtio_net 1 0 - Live 0x0\n';
  /** An errno's name, which the cell's test run ends with. */
  testRun: string | undefined;
  /** With what the agent fails from now on. */
  agentFault: AgentError | undefined;
  /** Milliseconds that the console is behind; undefined if it prints nothing any more. */
  lag: number | undefined = 0;
  readonly #script: Script;

  constructor(script: Script = () => undefined, consolePath = '/dev/null') {
    this.#script = script;
    this.console = new ConsoleLog(consolePath);
    this.agent = new FakeAgent((call) => this.#answer(call));
    const read = (text: () => string): string => {
      if (this.agentFault !== undefined) throw this.agentFault;
      return text();
    };
    this.agent.files = Object.defineProperties({} as Record<string, string>, {
      '/proc/sys/kernel/tainted': { get: () => read(() => `${this.tainted}\n`) },
      '/proc/modules': { get: () => read(() => this.modules) },
    });
  }

  get spoilt(): boolean {
    return this.console.crash !== undefined;
  }

  /** For scripts: the kernel is different from now on. */
  change(state: Partial<Pick<FakeMachine, 'tainted' | 'modules' | 'testRun' | 'lag'>>): void {
    Object.assign(this, state);
  }

  /** Prints a line on the console, as the kernel does. */
  print(line: string): void {
    const write = (): void => this.console.write(new TextEncoder().encode(`[    1.234567] ${line}\r\n`));
    if (this.lag === undefined) return;
    if (this.lag === 0) write();
    else setTimeout(write, this.lag);
  }

  /** The agent does not answer any more. */
  fall(code: 'agent-timeout' | 'agent-lost' = 'agent-timeout'): void {
    this.agentFault = new AgentError(code, 'no answer');
  }

  async diagnose(cause: unknown): Promise<MachineError> {
    const { crash } = this.console;
    const code = crash === undefined ? 'vm-silent' : (`kernel-${crash.kind}` as const);
    return new MachineError(code, crash?.text ?? 'no answer', 'run', { cause });
  }

  async close(): Promise<void> {
    this.closed++;
    await this.console.close();
  }

  /** As the run layer sees it. */
  opened(state: GuestState = STATE): CellMachine {
    return {
      machine: this as unknown as Machine,
      observations: { key: 'fake', read: () => Promise.reject(new TypeError('nothing was observed')) },
      boot: { milliseconds: 4000, log: '/dev/null', when: 'earlier' },
      state,
      refusal: null,
    };
  }

  #answer(call: SeenCall): string | number | undefined {
    this.agent.calls.length = 0;
    if (call.number === WRITE && typeof call.args[1] === 'object') {
      const text = new TextDecoder().decode(call.args[1].bytes).replace(/^<6>|\n$/g, '');
      this.print(text);
      const cell = /^ksym-matrix: (\S+) begins$/.exec(text)?.[1];
      if (cell !== undefined) {
        this.testRun = undefined;
        this.#script(cell, this);
      }
    }
    if (this.agentFault !== undefined) throw this.agentFault;
    if (call.command === TEST_RUN) return this.testRun;
    const ids = this.ids.get(call.command);
    if (ids === undefined) return undefined;
    const next = ids.filter((id) => id > call.attr.getUint32(0, true)).sort((left, right) => left - right)[0];
    if (next === undefined) return 'ENOENT';
    call.attr.setUint32(4, next, true);
    return 0;
  }
}

/** The ids of each kind of object, for scripts that leave something behind. */
export const LISTS = { program: PROGRAM_NEXT, map: MAP_NEXT, link: LINK_NEXT, btf: BTF_NEXT } as const;
