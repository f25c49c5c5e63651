import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ExplainedError } from '../errors.ts';
import { ATTACH_TYPES } from '../object/attach-types.ts';
import { AttrWriter, input, output } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError, sinceLinux } from './attachable.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';

/** What an iterator goes over, where its kind leaves that open. */
export interface IteratorOptions {
  /** The map, for `iter/bpf_map_elem` and `iter/bpf_sk_storage_map`. */
  readonly map?: { readonly fd: number };
}

const CHUNK = 64 * 1024;

/** Attaches an `iter/…` program (Linux 5.8). Throws ExplainedError `attach-iterator`, AgentError. */
export async function attachIterator(program: AttachableProgram, options: IteratorOptions = {}): Promise<IteratorLink> {
  const { map } = options;
  // union bpf_iter_link_info begins with map.map_fd.
  const info = map === undefined ? null : input(new Uint8Array(Uint32Array.of(map.fd).buffer));
  const { value, errno } = await createLink(program, {
    target: 0,
    attachType: ATTACH_TYPES.trace_iter,
    more: (attr) => attr.pointer(info).u32(info?.bytes.length ?? 0),
  });
  const target = program.spec.attachTarget ?? '';
  if (errno === 0) return new IteratorLink(program.agent, target, value);
  const wantsMap = errnoName(errno) === 'EBADF' && map === undefined;
  throw attachError(program, 'attach-iterator', `the kernel does not attach it to ${target}`, {
    errno,
    fix: wantsMap ? 'say which map: attach({ map })' : sinceLinux(program, 'BPF iterators', '5.8'),
  });
}

/** An iterator that is attached: each reading runs the program over everything that is there at that time. */
export class IteratorLink extends Link {
  /** Made by {@link attachIterator}. */
  constructor(agent: AgentConnection, target: string, fd: number) {
    super({ agent, kind: 'iter', target, fd });
  }

  /** Runs it from beginning to end, and gives what it wrote with `bpf_seq_write` and `bpf_seq_printf`. Throws ExplainedError `iterator-read`, AgentError. */
  async read(): Promise<Uint8Array> {
    const { machine } = this.agent.hello;
    const attr = new AttrWriter().u32(this.required('be read')).u32(0).finish();
    const opened = await bpf(this.agent, BpfCommand.iteratorCreate, attr);
    if (opened.errno !== 0) throw this.#failed('opened', opened.errno);
    const chunks: Uint8Array[] = [];
    try {
      for (;;) {
        const chunk = output(CHUNK);
        const number = syscallNumber(machine, 'read');
        const { value, errno } = await this.agent.syscall({ number, args: [opened.value, chunk, CHUNK] });
        // The kernel gives up the processor now and then, and wants to be asked again (bpf_seq_read, kernel/bpf/bpf_iter.c).
        if (['EAGAIN', 'EINTR'].includes(errnoName(errno))) continue;
        if (errno !== 0) throw this.#failed('read', errno);
        if (value === 0) return new Uint8Array(Buffer.concat(chunks));
        chunks.push(chunk.bytes.subarray(0, value));
      }
    } finally {
      await closeAll(this.agent, [opened.value]);
    }
  }

  /** The same as text. Throws as {@link IteratorLink.read}. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.read());
  }

  #failed(what: string, errno: number): ExplainedError {
    const why = describeErrno(errno);
    return new ExplainedError('iterator-read', `the iterator cannot be ${what}`, { where: `iter ${this.target}`, why });
  }
}
