import type { AgentConnection } from '../agent/connection.ts';
import { Btf } from '../btf/btf.ts';
import { ExplainedError } from '../errors.ts';
import { IteratorLink } from '../links/iterator.ts';
import { Link } from '../links/link.ts';
import { LoadedMap } from '../maps/loaded-map.ts';
import { readMapInfo } from '../maps/map-info.ts';
import { PROGRAM_TYPES } from '../object/program-types.ts';
import type { ProgramSpec, ProgramType } from '../object/spec.ts';
import { programInfo } from '../programs/info.ts';
import { LoadedProgram } from '../programs/loaded-program.ts';
import { closeAll } from '../syscall/bpf.ts';
import { btfInfo } from '../syscall/btf-info.ts';
import { linkInfo } from '../syscall/link-info.ts';
import { openObject } from '../syscall/object-ids.ts';
import { openPinned, type PinKind } from '../syscall/pin.ts';

/** Where something is that is in the kernel already: pinned at a path of a BPF file system, or known by its id. */
export type Whereabouts = { readonly path: string } | { readonly id: number };

/**
 * Opens a map that is in the kernel already. Its types are those of its BTF, if that can be read (CAP_SYS_ADMIN).
 * Throws ExplainedError `pin-missing`, `pin-kind`, `pin-failed`, `no-such-object`, `object-open-failed`, `map-info`; AgentError.
 */
export async function openMap(agent: AgentConnection, where: Whereabouts): Promise<LoadedMap> {
  const fd = await open(agent, 'map', where);
  return closeOnError(agent, fd, async () => {
    const info = await readMapInfo(agent, fd);
    const btf = await readBtf(agent, info.btfId);
    const spec = {
      name: info.name,
      type: info.type,
      keySize: info.keySize,
      valueSize: info.valueSize,
      maxEntries: info.maxEntries,
      flags: info.flags,
      keyTypeId: info.keyTypeId === 0 ? null : info.keyTypeId,
      valueTypeId: info.valueTypeId === 0 ? null : info.valueTypeId,
      data: null,
      frozen: false,
      mapExtra: info.mapExtra,
    };
    return new LoadedMap(agent, spec, fd, btf);
  });
}

/**
 * Opens a program that is in the kernel already. Its section is not known any more: `attach` needs to be told what to attach to.
 * Throws ExplainedError `pin-missing`, `pin-kind`, `pin-failed`, `no-such-object`, `object-open-failed`, `object-info-failed`; AgentError.
 */
export async function openProgram(agent: AgentConnection, where: Whereabouts): Promise<LoadedProgram> {
  const fd = await open(agent, 'program', where);
  return closeOnError(agent, fd, async () => {
    const info = await programInfo(agent, fd);
    const [type] = Object.entries(PROGRAM_TYPES).find(([, number]) => number === info.type) ?? [];
    if (type === undefined) {
      throw new ExplainedError('no-such-object', `program ${info.id} is of a type that is not known here`, {
        why: `number ${info.type}`,
      });
    }
    const spec: ProgramSpec = {
      name: info.name,
      section: '',
      type: type as ProgramType,
      attachType: null,
      attachTarget: null,
      sleepable: false,
      autoload: true,
      code: new Uint8Array(),
      references: [],
      functions: [],
      lines: [],
      coreRelocations: [],
    };
    return new LoadedProgram(agent, spec, fd, '');
  });
}

/**
 * Opens a link that is in the kernel already. Throws ExplainedError `pin-missing`, `pin-kind`, `pin-failed`, `no-such-object`, `object-open-failed`, `object-info-failed`; AgentError.
 */
export async function openLink(agent: AgentConnection, where: Whereabouts): Promise<Link> {
  const fd = await open(agent, 'link', where);
  return closeOnError(agent, fd, async () => {
    const { details, id } = await linkInfo(agent, fd);
    const target = 'name' in details && details.name !== '' ? details.name : `link ${id}`;
    return details.kind === 'iterator'
      ? new IteratorLink(agent, target, fd)
      : new Link({ agent, kind: details.kind, target, fd });
  });
}

async function open(agent: AgentConnection, kind: PinKind, where: Whereabouts): Promise<number> {
  if ('path' in where) return openPinned(agent, where.path, kind);
  const fd = await openObject(agent, kind, where.id);
  if (fd !== null) return fd;
  throw new ExplainedError('no-such-object', `there is no ${kind} ${where.id}`, { why: 'it may be gone meanwhile' });
}

async function closeOnError<T>(agent: AgentConnection, fd: number, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    await closeAll(agent, [fd]);
    throw error;
  }
}

/** A map's BTF, or null if it has none or it may not be opened. */
async function readBtf(agent: AgentConnection, id: number): Promise<Btf | null> {
  if (id === 0) return null;
  try {
    const fd = await openObject(agent, 'btf', id);
    if (fd === null) return null;
    try {
      const { bytes } = await btfInfo(agent, fd);
      return Btf.parse(bytes, { name: `BTF ${id}` });
    } finally {
      await closeAll(agent, [fd]);
    }
  } catch (error) {
    if (error instanceof ExplainedError && error.code === 'object-open-failed') return null;
    throw error;
  }
}
