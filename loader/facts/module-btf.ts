import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { Btf } from '../btf/btf.ts';
import type { KernelFacts, ModuleBtf } from '../resolve/outcome.ts';
import { AttrWriter, output } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';

/** The BTF of each module that is loaded, and why some may be missing. */
export type ModuleBtfs = Pick<KernelFacts, 'moduleBtfs' | 'moduleBtfsUnavailable'>;

/** A BTF object of the kernel itself, with a descriptor that the caller closes. */
interface KernelBtfObject {
  readonly id: number;
  readonly name: string;
  readonly fd: number;
}

/**
 * Reads the split BTF of every module, in order of BTF object id. Needs CAP_SYS_ADMIN for the ids (BPF_BTF_GET_NEXT_ID in kernel/bpf/syscall.c)
 * and Linux 5.11 for the names; without vmlinux BTF there is none. A module that goes meanwhile is left out.
 */
export async function readModuleBtfs(agent: AgentConnection, vmlinuxBtf: Btf | null): Promise<ModuleBtfs> {
  if (vmlinuxBtf === null) return { moduleBtfs: [], moduleBtfsUnavailable: null };
  const names: string[] = [];
  const unavailable = await eachKernelBtf(agent, async ({ name, fd }) => {
    names.push(name);
    await closeAll(agent, [fd]);
    return true;
  });
  const moduleBtfs: ModuleBtf[] = [];
  for (const name of names.filter((one) => one !== VMLINUX)) {
    const bytes = await readModule(agent, name);
    if (bytes !== null) moduleBtfs.push({ name, btf: Btf.parse(bytes, { base: vmlinuxBtf, name }) });
  }
  // From 5.11 on vmlinux itself is listed: where it is not, modules would not be either.
  const listed = names.includes(VMLINUX);
  return { moduleBtfs, moduleBtfsUnavailable: unavailable ?? (listed ? null : 'not-supported') };
}

/** A descriptor for a module's BTF, which BPF_PROG_LOAD wants beside ids in it; null if the module has gone. The caller closes it. */
export async function openModuleBtf(agent: AgentConnection, module: string): Promise<number | null> {
  let found: number | null = null;
  await eachKernelBtf(agent, async ({ name, fd }) => {
    if (name === module) found = fd;
    else await closeAll(agent, [fd]);
    return name !== module;
  });
  return found;
}

/** The names of the BTF objects that the kernel made for itself (`vmlinux`) and its modules, by id. Empty where they cannot be listed. Throws AgentError. */
export async function readKernelBtfNames(agent: AgentConnection): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>();
  await eachKernelBtf(agent, async ({ id, name, fd }) => {
    names.set(id, name);
    await closeAll(agent, [fd]);
    return true;
  });
  return names;
}

const VMLINUX = 'vmlinux';
const INFO_SIZE = 32;
const NAME_SIZE = 64;

/** Visits the BTF objects that the kernel made for itself and its modules, until `visit` returns false. Returns why it could not. */
async function eachKernelBtf(
  agent: AgentConnection,
  visit: (object: KernelBtfObject) => Promise<boolean>,
): Promise<ModuleBtfs['moduleBtfsUnavailable']> {
  for (let id = 0; ; ) {
    const next = new AttrWriter().u32(id).u32(0).u32(0).finish({ whole: true });
    const listing = await bpf(agent, BpfCommand.btfGetNextId, next);
    if (listing.errno !== 0) return unavailable(listing.errno);
    id = new DataView(next.bytes.buffer).getUint32(4, true);
    const opened = await bpf(agent, BpfCommand.btfGetFdById, new AttrWriter().u32(id).finish());
    if (errnoName(opened.errno) === 'ENOENT') continue;
    if (opened.errno !== 0) return unavailable(opened.errno);
    const info = await readInfo(agent, opened.value);
    if (info === 'not-supported' || !info.kernel) {
      await closeAll(agent, [opened.value]);
      if (info === 'not-supported') return info;
    } else if (!(await visit({ id, name: info.name, fd: opened.value }))) {
      return null;
    }
  }
}

/** The end of the list is ENOENT; EPERM and the like say that there is a list, but not for this agent. */
function unavailable(errno: number): ModuleBtfs['moduleBtfsUnavailable'] {
  const name = errnoName(errno);
  if (name === 'ENOENT') return null;
  return name === 'EPERM' || name === 'EACCES' ? 'permission' : 'not-supported';
}

/** `struct bpf_btf_info`: BTF pointer, size, id, name pointer and length, whether it is the kernel's own. 5.10 knows the first three only. */
async function readInfo(
  agent: AgentConnection,
  fd: number,
): Promise<{ name: string; kernel: boolean } | 'not-supported'> {
  const name = output(NAME_SIZE);
  const info = new AttrWriter().u64(0n).u32(0).u32(0).pointer(name).u32(NAME_SIZE).u32(0).finish({ whole: true });
  const attr = new AttrWriter().u32(fd).u32(INFO_SIZE).pointer(info).finish();
  const { errno } = await bpf(agent, BpfCommand.getInfoByFd, attr);
  if (errno !== 0) return 'not-supported';
  const end = name.bytes.indexOf(0);
  return {
    name: new TextDecoder().decode(name.bytes.subarray(0, Math.max(end, 0))),
    kernel: new DataView(info.bytes.buffer).getUint32(28, true) !== 0,
  };
}

async function readModule(agent: AgentConnection, name: string): Promise<Uint8Array | null> {
  try {
    return await agent.readFile(`/sys/kernel/btf/${name}`);
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return null;
    throw error;
  }
}
