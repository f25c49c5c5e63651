import type { AgentConnection } from '../agent/connection.ts';
import { output } from './attr.ts';
import { objectInfo, textOf } from './object-info.ts';

/** A BTF object as the kernel describes it (`struct bpf_btf_info`). */
export interface BtfInfo {
  readonly id: number;
  /** `vmlinux`, a module's name, or empty for what a program brought along; null before Linux 5.11. */
  readonly name: string | null;
  /** Whether it describes the kernel or a module; null before Linux 5.11. */
  readonly kernel: boolean | null;
  /** The BTF itself; a module's is split, with vmlinux as its base. */
  readonly bytes: Uint8Array;
}

const BTF_INFO_SIZE = 32;

/** What a BTF object is, and its content. Throws ExplainedError `object-info-failed`, AgentError. */
export async function btfInfo(agent: AgentConnection, fd: number): Promise<BtfInfo> {
  const sizes = await objectInfo(agent, fd, BTF_INFO_SIZE);
  const named = sizes.has(28);
  const btf = output(sizes.u32(8));
  // With the final zero byte, which the length leaves out.
  const name = output(named ? sizes.u32(24) + 1 : 0);
  const pointers = [{ offset: 0, to: btf }, ...(named ? [{ offset: 16, to: name }] : [])];
  const info = await objectInfo(agent, fd, BTF_INFO_SIZE, pointers, (view) => {
    view.setUint32(8, btf.bytes.length, true);
    if (named) view.setUint32(24, name.bytes.length, true);
  });
  return {
    id: info.u32(12),
    name: named ? textOf(name.bytes) : null,
    kernel: named ? info.u32(28) !== 0 : null,
    bytes: btf.bytes,
  };
}
