import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { ObjectError } from '../errors.ts';
import { LD_IMM64, SLOT_SIZE } from '../insn/opcodes.ts';
import type { UploadedBtf } from '../load/object-btf.ts';
import { LoadError } from '../load-error.ts';
import { PROGRAM_TYPES } from '../object/program-types.ts';
import type { ObjectContent, ProgramSpec } from '../object/spec.ts';
import { applyCoreRelocations, type CoreResult } from '../resolve/core.ts';
import type { CoreCandidates } from '../resolve/core-candidates.ts';
import type { ExternResolution, KernelFacts } from '../resolve/outcome.ts';
import { cstring, output } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import { findAttachTarget } from './attach-target.ts';
import { functionInfo, lineInfo, type ProgramLoad, programLoadAttr, trueLogSize } from './attr-program.ts';
import { describeProgramInstruction } from './describe-program.ts';
import { annotateVerifierLog, explainPoisons, isPoisonObjection } from './poison.ts';
import type { ProgramTarget } from './program-target.ts';
import { adviseOnRefusal } from './refusal-advice.ts';
import { relocateProgram } from './relocate.ts';
import { kernelSuggestion, refusedSlot, summarizeVerifierLog, verifierLogText } from './verifier-log.ts';

const BPF_F_SLEEPABLE = 1 << 4;
const FIRST_LOG_SIZE = 64 * 1024;
/** bpf_verifier_log_attr_valid of the kernel refused shorter ones before Linux 6.4, by an EINVAL that looks like the program's. */
const SMALLEST_LOG_SIZE = 128;
/** bpf_check refused longer logs before Linux 5.2 (kernel/bpf/verifier.c: UINT_MAX >> 8), and none that a person reads is longer. */
const LARGEST_LOG_SIZE = 0xff_ffff;
const LOG_GROWTH = 4;
/** As libbpf (sys_bpf_prog_load in its `src/bpf.c`). */
const MOST_ATTEMPTS = 5;

/** What programs need beside their specification. */
export interface ProgramContext {
  readonly agent: AgentConnection;
  readonly object: ObjectContent;
  readonly facts: KernelFacts;
  /** The kernel's types by name, for CO-RE; null if there are none. */
  readonly coreCandidates: CoreCandidates | null;
  readonly btf: UploadedBtf;
  /** Map fds by name. */
  readonly maps: ReadonlyMap<string, number>;
  /** BTF fds by module, for every module that resolutions and attach targets name. */
  readonly moduleBtfs: ReadonlyMap<string, number>;
  readonly resolutions: readonly ExternResolution[];
  /** Functions of other programs that programs attach to, by the name of the program that does. */
  readonly programTargets: ReadonlyMap<string, ProgramTarget>;
  /** Verifier log level of the first attempt; 0: no log unless it fails. */
  readonly logLevel: number;
  /** First size of the log in bytes. */
  readonly logSize: number | undefined;
}

/** What the kernel made of a program. */
export interface LoadResult {
  readonly fd: number;
  /** Empty if no log was asked for. */
  readonly verifierLog: string;
}

/** Relocates a program and loads it. Throws LoadError of phase `load` with the verifier's log; ObjectError for what no kernel would load; AgentError. */
export async function loadProgram(program: ProgramSpec, context: ProgramContext): Promise<LoadResult> {
  const core = applyCoreRelocations(context.object, program, context.facts, context.coreCandidates);
  const { code, fdArray } = relocateProgram({ ...program, code: core.code }, context);
  const inProgram = context.programTargets.get(program.name);
  const target = inProgram === undefined ? findAttachTarget(program, context.facts, context.object.name) : null;
  const load: ProgramLoad = {
    type: PROGRAM_TYPES[program.type],
    code,
    license: cstring(context.object.license),
    name: program.name,
    flags: (program.sleepable ? BPF_F_SLEEPABLE : 0) | (program.flags ?? 0),
    fdArray,
    ...(program.attachType === null ? {} : { attachType: program.attachType }),
    ...(target === null ? {} : { attachBtfId: target.id }),
    ...(target === null || target.module === null ? {} : { attachBtfFd: moduleFd(target.module, program, context) }),
    // attach_prog_fd and attach_btf_obj_fd share a place.
    ...(inProgram === undefined ? {} : { attachBtfId: inProgram.id, attachBtfFd: inProgram.fd }),
    ...btfRecords(program, context),
  };
  const { logLevel, logSize = FIRST_LOG_SIZE } = context;
  const first = await attempt(context.agent, load, logLevel, logSize);
  if (first.fd !== null) return { fd: first.fd, verifierLog: first.log };
  const again = logLevel === 0 ? await attempt(context.agent, load, 1, logSize) : first;
  // It may have been refused for want of memory or the like, and not the second time.
  if (again.fd !== null) return { fd: again.fd, verifierLog: again.log };
  const errno = errnoName(again.errno) === 'ENOSPC' ? first.errno : again.errno;
  throw refused(program, context, errno, again.log, core);
}

type Attempt =
  | { readonly fd: number; readonly log: string }
  | { readonly fd: null; readonly errno: number; readonly log: string };

/**
 * Loads with a log that grows for as long as the kernel says that it is too short (ENOSPC): to the size that the kernel tells (Linux 6.4), else step by step.
 * And again where a signal came in between (EAGAIN: bpf_check, kernel/bpf/verifier.c).
 */
async function attempt(agent: AgentConnection, load: ProgramLoad, level: number, logSize: number): Promise<Attempt> {
  let interruptions = 0;
  for (let size = firstSize(logSize); ; ) {
    const buffer: SyscallBuffer | null = level === 0 ? null : output(size);
    const attr = programLoadAttr(buffer === null ? load : { ...load, log: { level, buffer } });
    const { value, errno } = await bpf(agent, BpfCommand.programLoad, attr);
    const log = buffer === null ? '' : verifierLogText(buffer.bytes);
    if (errno === 0) return { fd: value, log };
    if (errnoName(errno) === 'EAGAIN' && ++interruptions < MOST_ATTEMPTS) continue;
    if (errnoName(errno) !== 'ENOSPC' || buffer === null || size === LARGEST_LOG_SIZE) return { fd: null, errno, log };
    const wanted = trueLogSize(attr);
    size = Math.min(wanted > size ? wanted : size * LOG_GROWTH, LARGEST_LOG_SIZE);
  }
}

function firstSize(wanted: number): number {
  const whole = Number.isNaN(wanted) ? FIRST_LOG_SIZE : Math.trunc(wanted);
  return Math.min(Math.max(whole, SMALLEST_LOG_SIZE), LARGEST_LOG_SIZE);
}

function btfRecords(program: ProgramSpec, { btf }: ProgramContext): Pick<ProgramLoad, 'btf'> {
  if (btf.fd === null || !btf.hasFunctions) return {};
  const functions = functionInfo(program.functions);
  // Line information without function information is refused where there are subprograms.
  return functions.length === 0 ? {} : { btf: { fd: btf.fd, functions, lines: lineInfo(program) } };
}

function moduleFd(module: string, program: ProgramSpec, context: ProgramContext): number {
  const fd = context.moduleBtfs.get(module);
  if (fd !== undefined) return fd;
  const position = { file: context.object.name, section: program.section, symbol: program.name };
  throw new ObjectError('module-btf-gone', `the BTF of module ${module} is not open`, position, {
    why: 'the module was removed after its BTF was read',
  });
}

function refused(
  program: ProgramSpec,
  context: ProgramContext,
  errno: number,
  log: string,
  core: CoreResult,
): LoadError {
  const poison = { resolutions: context.resolutions, core, maps: context.object.maps };
  const objection = summarizeVerifierLog(log);
  const poisons = explainPoisons(log, poison);
  const own = poisons.length > 0 && isPoisonObjection(objection) ? '' : objection;
  const summary = [own, ...poisons.map(({ explanation }) => explanation)].filter((line) => line !== '').join('; ');
  const fixes = new Set(poisons.map(({ fix }) => fix));
  const advice =
    fixes.size > 0
      ? [...fixes].join('\n  → ')
      : (adviseOnRefusal(objection, context.resolutions) ?? kernelSuggestion(log));
  const slot = refusedSlot(log);
  const shown = { ...program, code: withoutPoison(program, core) };
  const instruction = slot === null ? null : describeProgramInstruction(shown, slot, context.object.byteOrder);
  return new LoadError('load', 'the kernel refuses the program', {
    object: context.object.name,
    program: program.name,
    errno,
    verifierLog: log,
    annotatedLog: annotateVerifierLog(log, poison),
    resolutions: context.resolutions,
    summary,
    ...(instruction === null ? {} : { instruction }),
    ...(summary === '' ? fixWithoutLog(program, errno) : advice === null ? {} : { fix: advice }),
  });
}

/** The code as the kernel sees it, with the object's own instructions where poison stands. */
function withoutPoison(program: ProgramSpec, core: CoreResult): Uint8Array {
  const code = Uint8Array.from(core.code);
  for (const { slot } of core.poisoned) {
    const start = slot * SLOT_SIZE;
    const slots = program.code[start] === LD_IMM64 ? 2 : 1;
    code.set(program.code.subarray(start, start + slots * SLOT_SIZE), start);
  }
  return code;
}

/** The verifier was not even reached: what a person can do then. */
function fixWithoutLog(program: ProgramSpec, errno: number): { fix?: string } {
  if (errnoName(errno) === 'EPERM') return { fix: 'give the agent CAP_BPF and CAP_PERFMON, or root' };
  if (errnoName(errno) !== 'EINVAL') return {};
  return { fix: `this kernel may be too old for what section ${program.section} asks for` };
}
