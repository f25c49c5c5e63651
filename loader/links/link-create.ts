import type { SyscallResult } from '../agent/connection.ts';
import { AttrWriter } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import type { AttachableProgram } from './attachable.ts';

/** The first fields of BPF_LINK_CREATE; `more` writes those of the attach type. */
export interface LinkRequest {
  /** A descriptor or an interface's index. */
  readonly target: number;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  readonly flags?: number;
  readonly more?: (attr: AttrWriter) => AttrWriter;
}

/** Makes a BPF link of a loaded program (BPF_LINK_CREATE, `union bpf_attr` link_create). Throws AgentError. */
export function createLink(program: AttachableProgram, request: LinkRequest): Promise<SyscallResult> {
  const attr = new AttrWriter()
    .u32(program.fd)
    .u32(request.target)
    .u32(request.attachType)
    .u32(request.flags ?? 0);
  return bpf(program.agent, BpfCommand.linkCreate, (request.more?.(attr) ?? attr).finish());
}
