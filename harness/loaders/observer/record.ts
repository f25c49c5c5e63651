import { ByteReader, decodeUtf8 } from '../../../loader/bytes.ts';
import { ExplainedError, FormatError } from '../../../loader/errors.ts';
import type { Observation, ObservedLoad, ObservedMap } from '../observation.ts';

/** Exit code of the observer if the command never ran; it has said why on its standard error then. Any other code is the command's. */
export const NOT_OBSERVED = 120;

/** Who the observed command is to be; absent: whoever the observer is. */
export interface ObservedCredentials {
  /** User id, real and effective. */
  readonly user?: number | undefined;
  /** Its capabilities, a bit each by number: those that it has already and that are not among them are taken away. */
  readonly capabilities?: bigint | undefined;
}

/** The command line that runs a command under the observer. `record`: the file that it writes; `command`: a path and its arguments. */
export function observedCommand(
  observer: string,
  record: string,
  credentials: ObservedCredentials,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  const { user, capabilities } = credentials;
  return [
    observer,
    ...['--record', record],
    ...(user === undefined ? [] : ['--user', `${user}`]),
    ...(capabilities === undefined ? [] : ['--capabilities', capabilities.toString(16)]),
    '--',
    ...command,
  ];
}

/**
 * What the observer wrote down (record.c). A record without its end is one of a command that was killed together with its observer: `complete` is false then.
 * @throws ExplainedError `observer-record` if the bytes are no such record, or stop in the middle of an entry
 */
export function parseRecord(bytes: Uint8Array): Observation {
  try {
    return readObservation(new ByteReader(bytes, 'little', 'record'));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ExplainedError('observer-record', "the observer's record cannot be read", {
      where: error.where ?? 'record',
      why: error.why ?? error.message,
      cause: error,
    });
  }
}

/** Numbers of record.c, which is the other half of this file. */
const [MAGIC, VERSION] = [0x534f_534b, 1];
const Type = { load: 1, map: 2, btfLoad: 3, btfById: 4, end: 5 } as const;
/** BPF_OBJ_NAME_LEN, with its zero byte. */
const NAME_BYTES = 16;

function readObservation(reader: ByteReader): Observation {
  if (reader.u32() !== MAGIC || reader.u32() !== VERSION) {
    throw new FormatError('observer-record', 'no such record', reader.at(0), {
      why: `it does not begin as one of version ${VERSION} does`,
    });
  }
  const loads: ObservedLoad[] = [];
  const maps: ObservedMap[] = [];
  // Loads between which nothing was opened share a map: a loader may make any number.
  let btfIds: ReadonlyMap<number, number> = new Map();
  const opened = new Map<number, number>();
  const btfLoads: number[] = [];
  let left = 0;
  let complete = false;
  while (reader.remaining > 0) {
    const type = reader.u32();
    const length = reader.u32();
    const entry = reader.sub(reader.position, length);
    reader.skip(length);
    if (type === Type.load) {
      if (opened.size > 0) btfIds = new Map([...btfIds, ...opened]);
      opened.clear();
      loads.push(readLoad(entry, btfIds));
    } else if (type === Type.map) {
      const errno = errnoOf(entry.i32());
      const mapType = entry.u32();
      maps.push({ name: readName(entry), type: mapType, errno });
    } else if (type === Type.btfLoad) btfLoads.push(errnoOf(entry.i32()));
    else if (type === Type.btfById) {
      const descriptor = entry.i32();
      if (descriptor >= 0) opened.set(descriptor, entry.u32());
    } else if (type === Type.end) {
      left = entry.u32();
      complete = true;
    }
  }
  return { loads, maps, btfIds: new Map([...btfIds, ...opened]), btfLoads, left, complete };
}

function readLoad(entry: ByteReader, btfIds: ReadonlyMap<number, number>): ObservedLoad {
  const errno = errnoOf(entry.i32());
  const programType = entry.u32();
  const slots = entry.u32();
  const instructionBytes = entry.u32();
  const descriptorCount = entry.u32();
  const logBytes = entry.u32();
  const logLeft = entry.u32();
  const name = readName(entry);
  const instructions = entry.bytes(instructionBytes).slice();
  const descriptors = Array.from({ length: descriptorCount }, () => entry.i32());
  const log = decodeUtf8(entry.bytes(logBytes));
  const verifierLog = logLeft === 0 ? log : `(${logLeft} bytes of the log are left out here)\n${log}`;
  return { name, programType, slots, instructions, errno, verifierLog, descriptors, btfIds };
}

/** A descriptor, or an errno below zero. */
function errnoOf(result: number): number {
  return result < 0 ? -result : 0;
}

function readName(entry: ByteReader): string {
  const bytes = entry.bytes(NAME_BYTES);
  const end = bytes.indexOf(0);
  return decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end));
}
