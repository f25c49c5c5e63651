import { AgentError } from '../../agent/agent-error.ts';
import type { AgentConnection, SyscallBuffer, SyscallRequest } from '../../agent/connection.ts';
import { errnoNumber } from '../../agent/errno.ts';

/** A system call that a fake agent saw: bpf(2) with its attribute's bytes, or another one by number. */
export interface SeenCall {
  readonly number: number;
  /** The bpf command; -1 for other calls. */
  readonly command: number;
  readonly attr: DataView;
  readonly length: number;
  /** What the pointer at `offset` in the attribute points to. */
  readonly at: (offset: number) => Uint8Array | undefined;
  readonly args: SyscallRequest['args'];
}

/** What the kernel is to answer: an errno's name, a result, or nothing for the default (a new descriptor, or 0). */
export type Answer = string | number | undefined;

/** An agent whose kernel is the test's own function. It hands out descriptors from 100 and remembers which are open. */
export class FakeAgent implements AgentConnection {
  readonly hello = {
    protocolVersion: 2,
    machine: 'x86_64',
    release: '6.1.0',
    pageSize: 4096,
    cpus: 2,
    maxFrame: 1 << 26,
  };
  readonly calls: SeenCall[] = [];
  readonly open = new Set<number>();
  files: Record<string, string | Uint8Array> = { '/sys/devices/system/cpu/possible': '0-3\n' };
  #answer: (call: SeenCall) => Answer;
  #nextFd = 100;

  constructor(answer: (call: SeenCall) => Answer = () => undefined) {
    this.#answer = answer;
  }

  /** Calls of bpf(2) with this command. */
  bpfCalls(command: number): SeenCall[] {
    return this.calls.filter((call) => call.command === command);
  }

  async syscall({ number, args }: SyscallRequest): Promise<{ value: number; errno: number }> {
    const isBpf = number === 321;
    const buffer = args[1];
    const attr: SyscallBuffer =
      isBpf && typeof buffer === 'object' ? buffer : { bytes: new Uint8Array(), direction: 'in' };
    const { bytes } = attr;
    const call: SeenCall = {
      number,
      command: isBpf ? Number(args[0]) : -1,
      attr: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      length: bytes.length,
      at: (offset) => attr.pointers?.find((pointer) => pointer.offset === offset)?.to.bytes,
      args,
    };
    // What the caller asked, not what the answer wrote over it.
    const asked = bytes.slice();
    this.calls.push({ ...call, attr: new DataView(asked.buffer) });
    if (number === 3) this.open.delete(Number(args[0]));
    const answer = this.#answer(call);
    if (typeof answer === 'string') return { value: -1, errno: errnoNumber(answer) };
    if (answer !== undefined) return { value: answer, errno: 0 };
    if (!isBpf || ![0, 5, 18, 19].includes(call.command)) return { value: 0, errno: 0 };
    const fd = this.#nextFd++;
    this.open.add(fd);
    return { value: fd, errno: 0 };
  }

  async readFile(path: string): Promise<Uint8Array> {
    const content = this.files[path];
    if (content === undefined) throw new AgentError('agent-call-failed', `cannot open ${path}`, { errno: 2 });
    return typeof content === 'string' ? new TextEncoder().encode(content) : content;
  }

  execute(): Promise<never> {
    return Promise.reject(new AgentError('agent-refused', 'not in this test'));
  }

  consume(): Promise<never> {
    return Promise.reject(new AgentError('agent-refused', 'not in this test'));
  }

  produce(): Promise<never> {
    return Promise.reject(new AgentError('agent-refused', 'not in this test'));
  }

  powerOff(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
