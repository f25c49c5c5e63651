import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { AttrWriter } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { type LinkInfo, linkInfo } from '../syscall/link-info.ts';
import { OwnedDescriptor } from '../syscall/owned-descriptor.ts';
import { pinObject, unpin } from '../syscall/pin.ts';

/** What a {@link Link} is made of. */
export interface LinkParts {
  readonly agent: AgentConnection;
  /** For messages: `kprobe`, `xdp` … */
  readonly kind: string;
  /** For messages: what it is attached to. */
  readonly target: string;
  /** The BPF link's descriptor; null where the kernel attaches without one. */
  readonly fd: number | null;
  /** Further descriptors of the agent that keep the attachment. */
  readonly descriptors?: readonly number[];
  /** Ends an attachment that no descriptor holds. */
  readonly undo?: () => Promise<void>;
}

/**
 * A program that is attached. It stays so until {@link Link.close} (or the end of an `await using` block), until the agent's connection
 * ends, or, if it was pinned, until the pin is removed. The program may be closed meanwhile: the kernel holds it for as long as it is attached.
 */
export class Link implements AsyncDisposable {
  /** What sort of attachment it is: `kprobe`, `xdp` … */
  readonly kind: string;
  /** What it is attached to. */
  readonly target: string;
  protected readonly agent: AgentConnection;
  readonly #descriptor: OwnedDescriptor | null;
  readonly #others: readonly number[];
  readonly #undo: (() => Promise<void>) | undefined;
  readonly #pins: string[] = [];
  #closed = false;

  /** Made by `LoadedProgram.attach` and the functions behind it. */
  constructor(parts: LinkParts) {
    this.agent = parts.agent;
    this.kind = parts.kind;
    this.target = parts.target;
    const name = `${parts.kind} ${parts.target}`;
    this.#descriptor = parts.fd === null ? null : new OwnedDescriptor(parts.agent, parts.fd, name);
    this.#others = parts.descriptors ?? [];
    this.#undo = parts.undo;
  }

  /**
   * The agent's descriptor of the BPF link; null where this kernel attaches programs of the kind without one. Throws ExplainedError `closed` once the
   * link is closed, as every method that needs it does.
   */
  get fd(): number | null {
    return this.#descriptor?.fd ?? null;
  }

  /** What the kernel says of it. Throws ExplainedError `link-without-descriptor`, `object-info-failed`; AgentError. */
  async info(): Promise<LinkInfo> {
    return linkInfo(this.agent, this.required('be looked at'));
  }

  /**
   * Pins it at a path of a BPF file system: it then stays when it is closed and when the agent's connection ends.
   * Throws ExplainedError `link-without-descriptor`, `pin-exists`, `pin-failed`; AgentError.
   */
  async pin(path: string): Promise<void> {
    await pinObject(this.agent, this.required('be pinned'), path);
    this.#pins.push(path);
  }

  /** Removes the pins that {@link Link.pin} made. Throws ExplainedError `pin-failed`; AgentError. */
  async unpin(): Promise<void> {
    for (const path of this.#pins.splice(0)) await unpin(this.agent, path);
  }

  /**
   * Puts another program in the place of the one that is attached, without a moment in which none is (BPF_LINK_UPDATE). cgroup, XDP, tcx, netns, netkit and
   * iterator links can; others keep their program. Throws ExplainedError `link-without-descriptor`, `link-update`; AgentError.
   */
  async update(program: { readonly fd: number }): Promise<void> {
    const attr = new AttrWriter().u32(this.required('be updated')).u32(program.fd).finish();
    const { errno } = await bpf(this.agent, BpfCommand.linkUpdate, attr);
    if (errno === 0) return;
    throw this.#failed('link-update', 'takes no other program', errno, 'close it and attach the other program');
  }

  /**
   * Detaches the program and leaves the link in place, without effect (BPF_LINK_DETACH, Linux 5.9; for cgroup, XDP, tcx, netns and netkit links). Attachments without a
   * BPF link end with this. Throws ExplainedError `link-detach`; AgentError.
   */
  async detach(): Promise<void> {
    const { fd } = this;
    if (fd === null) return this.close();
    const { errno } = await bpf(this.agent, BpfCommand.linkDetach, new AttrWriter().u32(fd).finish());
    if (errno === 0) return;
    throw this.#failed('link-detach', 'cannot be detached', errno, 'close it, and remove its pins');
  }

  /**
   * Ends the attachment, unless the link is pinned. A second call does nothing. Throws AgentError if the agent is gone and the attachment is one that
   * no descriptor holds, such as a tc filter: it is still there then.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#undo?.();
    await this.#descriptor?.close();
    await closeAll(this.agent, this.#others);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The descriptor, for what cannot be done without. Throws ExplainedError `link-without-descriptor`, `closed`. */
  protected required(what: string): number {
    const { fd } = this;
    if (fd !== null) return fd;
    throw new ExplainedError('link-without-descriptor', `the attachment cannot ${what}`, {
      where: `${this.kind} ${this.target}`,
      why: `Linux ${this.agent.hello.release} attaches it without a BPF link, so it lasts as long as this connection`,
      fix: 'BPF links came with Linux 5.7 for cgroups, 5.9 for XDP, 5.15 for perf events (tracepoint, kprobe), 6.6 for tc (tcx)',
    });
  }

  #failed(code: string, what: string, errno: number, fix: string): ExplainedError {
    const unsupported = ['EINVAL', 'EOPNOTSUPP', 'ENOTSUPP'].includes(errnoName(errno));
    return new ExplainedError(code, `the link ${what}`, {
      where: `${this.kind} ${this.target}`,
      why: unsupported ? `links of this kind cannot on Linux ${this.agent.hello.release}` : describeErrno(errno),
      ...(unsupported ? { fix } : {}),
    });
  }
}
