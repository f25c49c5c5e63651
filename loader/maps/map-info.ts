import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { AttrWriter, output } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';

/** What the kernel says of a map (`struct bpf_map_info`, include/uapi/linux/bpf.h). */
export interface MapInfo {
  /** `enum bpf_map_type`. */
  readonly type: number;
  readonly id: number;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_… of creation. */
  readonly flags: number;
  /** As cut to 15 bytes at creation. */
  readonly name: string;
  /** Id of the BTF that types of key and value are in; 0 if there is none. */
  readonly btfId: number;
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  /** Since Linux 5.16; 0 before. */
  readonly mapExtra: bigint;
}

/** `map_extra` ends there; older kernels fill in less. */
const INFO_SIZE = 88;

/** Asks the kernel about a map (BPF_OBJ_GET_INFO_BY_FD, Linux 4.13). Throws ExplainedError `map-info`, AgentError. */
export async function readMapInfo(agent: AgentConnection, fd: number): Promise<MapInfo> {
  const info = output(INFO_SIZE);
  const attr = new AttrWriter().u32(fd).u32(INFO_SIZE).pointer(info).finish({ whole: true });
  const { errno } = await bpf(agent, BpfCommand.getInfoByFd, attr);
  if (errno !== 0)
    throw new ExplainedError('map-info', 'the kernel tells nothing of the map', { why: describeErrno(errno) });
  const view = new DataView(info.bytes.buffer, info.bytes.byteOffset, INFO_SIZE);
  const word = (offset: number): number => view.getUint32(offset, true);
  return {
    type: word(0),
    id: word(4),
    keySize: word(8),
    valueSize: word(12),
    maxEntries: word(16),
    flags: word(20),
    name: new TextDecoder().decode(info.bytes.subarray(24, 40)).replace(/\0.*$/s, ''),
    btfId: word(64),
    keyTypeId: word(68),
    valueTypeId: word(72),
    mapExtra: view.getBigUint64(80, true),
  };
}
