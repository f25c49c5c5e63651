import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { AttrWriter } from './attr.ts';
import { BpfCommand, bpf } from './bpf.ts';

/** What the kernel numbers. */
export type ObjectKind = 'program' | 'map' | 'btf' | 'link';

const COMMANDS: Readonly<Record<ObjectKind, { readonly next: number; readonly open: number }>> = {
  program: { next: BpfCommand.programGetNextId, open: BpfCommand.programGetFdById },
  map: { next: BpfCommand.mapGetNextId, open: BpfCommand.mapGetFdById },
  btf: { next: BpfCommand.btfGetNextId, open: BpfCommand.btfGetFdById },
  link: { next: BpfCommand.linkGetNextId, open: BpfCommand.linkGetFdById },
};

/**
 * The ids of all programs, maps, BTF objects or links of the kernel, ascending (BPF_…_GET_NEXT_ID); what comes or goes meanwhile may be missed.
 * Needs CAP_SYS_ADMIN; links need Linux 5.8.
 * @throws ExplainedError `object-ids-failed`; AgentError.
 */
export async function* objectIds(agent: AgentConnection, kind: ObjectKind): AsyncGenerator<number, void, undefined> {
  for (let id = 0; ; ) {
    const attr = new AttrWriter().u32(id).u32(0).u32(0).finish({ whole: true });
    const { errno } = await bpf(agent, COMMANDS[kind].next, attr);
    if (errnoName(errno) === 'ENOENT') return;
    if (errno !== 0) {
      throw new ExplainedError('object-ids-failed', `the kernel does not list ${kind} ids`, {
        why: describeErrno(errno),
        ...(errnoName(errno) === 'EPERM' ? { fix: 'give the agent CAP_SYS_ADMIN, or root' } : {}),
      });
    }
    id = new DataView(attr.bytes.buffer).getUint32(4, true);
    yield id;
  }
}

/**
 * Opens an object by its id; null if it is gone. The caller closes it.
 * @throws ExplainedError `object-open-failed`, with `EPERM` in `why` without CAP_SYS_ADMIN; AgentError.
 */
export async function openObject(agent: AgentConnection, kind: ObjectKind, id: number): Promise<number | null> {
  const { value, errno } = await bpf(agent, COMMANDS[kind].open, new AttrWriter().u32(id).finish());
  if (errno === 0) return value;
  if (errnoName(errno) === 'ENOENT') return null;
  throw new ExplainedError('object-open-failed', `${kind} ${id} cannot be opened`, {
    why: describeErrno(errno),
    ...(errnoName(errno) === 'EPERM' ? { fix: 'give the agent CAP_SYS_ADMIN, or root' } : {}),
  });
}
