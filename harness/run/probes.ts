import type { AgentConnection } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { setImm, writeInstruction } from '../../loader/insn/instruction.ts';
import { CALL, CallSource, LD_IMM64, LoadSource, SLOT_SIZE } from '../../loader/insn/opcodes.ts';
import { PROGRAM_TYPES } from '../../loader/object/program-types.ts';
import type { ProgramSpec, ProgramType } from '../../loader/object/spec.ts';
import { programLoadAttr } from '../../loader/programs/attr-program.ts';
import { testRun } from '../../loader/programs/test-run.ts';
import { verifierLogText } from '../../loader/programs/verifier-log.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import { cstring, output } from '../../loader/syscall/attr.ts';
import { BpfCommand, bpf, closeAll, liftMemoryLimit } from '../../loader/syscall/bpf.ts';
import type { ProbeName } from '../config/fact-registry.ts';

/** No BTF has so many types. */
const NO_SUCH_ID = 0x7fff_fff0;
const LOG_SIZE = 16 * 1024;
/** enum bpf_func_id, include/uapi/linux/bpf.h. */
const HELPERS = { 'per-cpu-ptr': 153, 'this-cpu-ptr': 154 } as const;
/** enum bpf_attach_type: BPF_TRACE_FENTRY. */
const FENTRY = 24;
/** The kernel's own function for test runs of fentry programs, net/bpf/test_run.c. */
const FENTRY_TARGET = 'bpf_fentry_test1';
/** Functions that every kernel has, whatever it is compiled for, and that are no macro or inline. */
const FUNCTIONS = ['bpf_prog_put', 'vfs_read', 'schedule'];

/** Whether a kernel has what programs need, from loading and running a small program for each; null where its answer says neither. */
export type Probes = Readonly<Record<ProbeName, boolean | null>>;

/**
 * Tries what {@link Probes} has.
 * @param kernel as it was read on this boot: it says which ids to ask for
 * @throws AgentError if the machine does not answer
 */
export async function probeKernel(agent: AgentConnection, kernel: KernelFacts): Promise<Probes> {
  await liftMemoryLimit(agent);
  const { vmlinuxBtf } = kernel;
  // The first one has the address 0 on x86-64 before 6.15, which the kernel takes for none.
  const variable = vmlinuxBtf?.find('.data..percpu', 'datasec', { own: true })?.entries.at(-1)?.type;
  const func = FUNCTIONS.map((name) => vmlinuxBtf?.find(name, 'func')?.id).find((id) => id !== undefined);
  const fentry = vmlinuxBtf?.find(FENTRY_TARGET, 'func')?.id;
  return {
    'btf-id-loads': kernel.btfIdLoads,
    'variable-loads': variable === undefined ? false : await loads(agent, { code: loadOf(variable) }),
    'this-cpu-ptr': await hasHelper(agent, HELPERS['this-cpu-ptr']),
    'per-cpu-ptr': await hasHelper(agent, HELPERS['per-cpu-ptr']),
    'kfunc-calls': await takesKfuncCalls(agent),
    'kfunc-addresses': func === undefined ? null : await takesFunctionIds(agent, func),
    'fd-array': await takesFdArray(agent),
    'module-btf': vmlinuxBtf === null ? false : moduleBtf(kernel),
    'run-sched-cls': await runs(agent, 'sched_cls'),
    'run-xdp': await runs(agent, 'xdp'),
    'run-raw-tp': await runs(agent, 'raw_tracepoint'),
    'run-syscall': await runs(agent, 'syscall', { sleepable: true }),
    'run-fentry': fentry === undefined ? false : await runs(agent, 'tracing', { attachBtfId: fentry }),
  };
}

interface Attempt {
  readonly type?: ProgramType;
  readonly code?: Uint8Array;
  readonly sleepable?: boolean;
  readonly attachBtfId?: number;
  readonly fdArray?: readonly number[];
}

interface Answer {
  /** Null unless it was loaded. */
  readonly fd: number | null;
  readonly errno: string;
  readonly log: string;
}

/** BPF_F_SLEEPABLE, which syscall programs must have. */
const SLEEPABLE = 1 << 4;

async function load(agent: AgentConnection, attempt: Attempt): Promise<Answer> {
  const { type = 'socket_filter', code = NOTHING, sleepable = false, attachBtfId, fdArray } = attempt;
  const log = output(LOG_SIZE);
  const attr = programLoadAttr({
    type: PROGRAM_TYPES[type],
    code,
    license: cstring('GPL'),
    name: 'probe',
    flags: sleepable ? SLEEPABLE : 0,
    ...(attachBtfId === undefined ? {} : { attachBtfId, attachType: FENTRY }),
    ...(fdArray === undefined ? {} : { fdArray }),
    log: { level: 1, buffer: log },
  });
  const { value, errno } = await bpf(agent, BpfCommand.programLoad, attr);
  if (errno === 0) return { fd: value, errno: '', log: '' };
  return { fd: null, errno: errnoName(errno), log: verifierLogText(log.bytes) };
}

/** Loads a program and lets go of it. */
async function tryLoad(agent: AgentConnection, attempt: Attempt): Promise<Answer> {
  const answer = await load(agent, attempt);
  if (answer.fd !== null) await closeAll(agent, [answer.fd]);
  return answer;
}

async function loads(agent: AgentConnection, attempt: Attempt): Promise<boolean | null> {
  const { fd, errno } = await tryLoad(agent, attempt);
  return fd !== null ? true : errno === 'EPERM' ? null : false;
}

/** The program's context is no per-CPU pointer, which only a kernel that knows the helper says (check_reg_type, kernel/bpf/verifier.c). */
async function hasHelper(agent: AgentConnection, helper: number): Promise<boolean | null> {
  const { log } = await tryLoad(agent, { code: assemble([{ opcode: CALL, src: CallSource.HELPER, imm: helper }]) });
  if (log.includes('expected=')) return true;
  return /unknown func|invalid func/.test(log) ? false : null;
}

/** A kernel that knows such calls complains of the function (add_kfunc_call), an older one of the instruction (BPF_CALL uses reserved fields). */
async function takesKfuncCalls(agent: AgentConnection): Promise<boolean | null> {
  const { log } = await tryLoad(agent, {
    code: assemble([{ opcode: CALL, src: CallSource.KFUNC, imm: NO_SUCH_ID }]),
  });
  if (log.includes('is not a function')) return true;
  return /reserved fields|JIT|DEBUG_INFO_BTF/.test(log) ? false : null;
}

/** Before 6.4 the id must be that of a variable (check_pseudo_btf_id). */
async function takesFunctionIds(agent: AgentConnection, id: number): Promise<boolean | null> {
  const { fd, log } = await tryLoad(agent, { code: loadOf(id) });
  if (fd !== null) return true;
  return /isn't KIND_VAR\.?$|unrecognized bpf_ld_imm64/m.test(log) ? false : null;
}

/** An attribute that is longer than the kernel's is E2BIG (bpf_check_uarg_tail_zero). */
async function takesFdArray(agent: AgentConnection): Promise<boolean | null> {
  const { fd, errno } = await tryLoad(agent, { fdArray: [0] });
  return fd !== null ? true : errno === 'E2BIG' ? false : null;
}

function moduleBtf({ moduleBtfsUnavailable }: KernelFacts): boolean | null {
  return moduleBtfsUnavailable === null ? true : moduleBtfsUnavailable === 'not-supported' ? false : null;
}

/** Whether a program that does nothing can be loaded and test-run. */
async function runs(
  agent: AgentConnection,
  type: ProgramType,
  how: Omit<Attempt, 'type' | 'code'> = {},
): Promise<boolean | null> {
  const { fd, errno } = await load(agent, { ...how, type });
  if (fd === null) return errno === 'EPERM' ? null : false;
  try {
    await testRun(agent, program(type, how), fd);
    return true;
  } catch (error) {
    if (error instanceof ExplainedError && error.code === 'test-run-failed') return false;
    throw error;
  } finally {
    await closeAll(agent, [fd]);
  }
}

function program(type: ProgramType, { sleepable = false, attachBtfId }: Attempt): ProgramSpec {
  return {
    name: 'probe',
    section: type,
    type,
    attachType: attachBtfId === undefined ? null : FENTRY,
    attachTarget: null,
    sleepable,
    autoload: true,
    code: NOTHING,
    references: [],
    functions: [],
    lines: [],
    coreRelocations: [],
  };
}

interface Step {
  readonly opcode: number;
  readonly dst?: number;
  readonly src?: number;
  readonly imm?: number;
}

/** The instructions, then `r0 = 0; exit`. */
function assemble(steps: readonly Step[]): Uint8Array {
  const all: readonly Step[] = [...steps, { opcode: 0xb7 }, { opcode: 0x95 }];
  const slots = all.flatMap((step) => (step.opcode === LD_IMM64 ? [step, null] : [step]));
  const code = new Uint8Array(slots.length * SLOT_SIZE);
  slots.forEach((step, slot) => {
    if (step === null) return;
    const { opcode, dst = 0, src = 0, imm = 0 } = step;
    if (opcode === LD_IMM64) {
      writeInstruction(code, slot, { opcode, dst, src, offset: 0, imm: 0 });
      setImm(code, slot, imm);
    } else writeInstruction(code, slot, { opcode, dst, src, offset: 0, imm });
  });
  return code;
}

const NOTHING = assemble([]);

/** r1 = what the BTF id stands for. */
function loadOf(id: number): Uint8Array {
  return assemble([{ opcode: LD_IMM64, dst: 1, src: LoadSource.BTF_ID, imm: id }]);
}
