import type { AgentConnection } from '../../../loader/agent/connection.ts';
import { describeErrno } from '../../../loader/agent/errno.ts';
import { type SyscallName, syscallNumber } from '../../../loader/agent/syscall-numbers.ts';
import { formatType } from '../../../loader/btf/format.ts';
import { ExplainedError, ObjectError } from '../../../loader/errors.ts';
import type { Kernel } from '../../../loader/kernel.ts';
import { loadObject } from '../../../loader/load/load.ts';
import { LoadError } from '../../../loader/load-error.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { cstring, output } from '../../../loader/syscall/attr.ts';
import type { CoreCase } from './case-table.ts';

/** Where the programs' variable `data` has its parts: input and output take 256 bytes each, then there may be these. */
const OUTPUT = 256;
const SKIP = 512;
const PROCESS = 520;
/** `comm` in struct core_reloc_kernel_output, and in struct core_reloc_module_output (progs/core_reloc_types.h). */
const NAME = 40;
const NAME_AFTER_MODULE = 24;
const AT_FDCWD = -100;

/**
 * Loads and runs one case. `object` and `btf` are the files that it names, `btf` null for the running kernel's types.
 * @throws ExplainedError for everything that keeps a case from being run which should not
 */
export async function runCase(
  one: CoreCase,
  object: Uint8Array,
  btf: Uint8Array | null,
  kernel: Kernel,
): Promise<{ verdict: 'agrees' | 'disagrees' | 'not-run'; detail: string }> {
  const spec = ObjectSpec.parse(object, one.object);
  const types = btf === null ? null : ObjectSpec.parse(btf, one.btf ?? '').btf;
  const program = spec.program(one.program);
  if (!one.needsTestModule) {
    // A test run reaches raw tracepoints only, and none of these programs that are loaded here looks at its context.
    program.type = 'raw_tracepoint';
    program.attachType = null;
  }
  const data = spec.variable('data').bytes;
  data.set(one.input);
  const caller = await describeCaller(kernel);
  if (data.length >= PROCESS + 8) new DataView(data.buffer, data.byteOffset).setBigUint64(PROCESS, caller.id, true);

  const facts = await kernel.facts();
  const options = { agent: kernel.agent, facts: types === null ? facts : { ...facts, coreBtf: types } };
  let loaded: Awaited<ReturnType<typeof loadObject>>;
  try {
    loaded = await loadObject(spec, { ...options, programs: [one.program] });
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    return { verdict: one.fails && isNamed(error, spec) ? 'agrees' : 'disagrees', detail: error.explain() };
  }
  try {
    if (one.needsTestModule) {
      await using _ = await loaded.program(one.program).attach();
      await readTestModule(
        kernel.agent,
        Number(new DataView(one.output.buffer, one.output.byteOffset).getBigInt64(0, true)),
      );
    } else await loaded.program(one.program).testRun();
    const after = await loaded.variable('data').read();
    if ((after[SKIP] ?? 0) !== 0) return { verdict: 'not-run', detail: 'its source asks for clang 15 or later' };
    if (one.fails) return { verdict: 'disagrees', detail: 'it was loaded, and should not be' };
    const wanted =
      one.name === 'kernel' || one.needsTestModule
        ? withCaller(one.output, caller.name, one.needsTestModule ? NAME_AFTER_MODULE : NAME)
        : one.output;
    const found = after.subarray(OUTPUT, OUTPUT + wanted.length);
    if (Buffer.compare(found, wanted) === 0) return { verdict: 'agrees', detail: '' };
    return { verdict: 'disagrees', detail: `it wrote ${hex(found)}, expected ${hex(wanted)}` };
  } finally {
    await loaded.close();
  }
}

/** Whether an error says of itself that it is about CO-RE: ours, or the verifier's with the poisoned field in its summary. */
function isNamed(error: ExplainedError, { btf }: ObjectSpec): boolean {
  if (error instanceof ObjectError) return error.code.startsWith('core-');
  if (!(error instanceof LoadError) || error.phase !== 'load' || btf === null) return false;
  const roots = [...btf.types()].filter(({ kind }) => ['struct', 'union', 'enum', 'enum64'].includes(kind));
  return roots.some(({ id, name }) => name !== '' && error.explain().includes(formatType(btf, id)));
}

/** The process that a test run happens in: the agent's. */
async function describeCaller(kernel: Kernel): Promise<{ readonly id: bigint; readonly name: string }> {
  const stat = new TextDecoder().decode(await kernel.agent.readFile('/proc/self/stat'));
  const [, pid = '0', name = ''] = /^(\d+) \((.*)\) /s.exec(stat) ?? [];
  // Process and thread id, as bpf_get_current_pid_tgid has them; the agent has one thread.
  return { id: (BigInt(pid) << 32n) | BigInt(pid), name };
}

/**
 * Reads bpf_testmod's file in sysfs as the kernel's own test does: its tracepoint tells the length of the buffer, and the read fails
 * (bpf_testmod_test_read in bpf_testmod.c returns -EIO).
 */
async function readTestModule(agent: AgentConnection, length: number): Promise<void> {
  const number = (name: SyscallName): number => syscallNumber(agent.hello.machine, name);
  const path = '/sys/kernel/bpf_testmod';
  const opened = await agent.syscall({ number: number('openat'), args: [AT_FDCWD, cstring(path), 0] });
  if (opened.errno !== 0) {
    throw new ExplainedError('core-cases-module', 'bpf_testmod cannot be read', {
      where: path,
      why: describeErrno(opened.errno),
    });
  }
  await agent.syscall({ number: number('read'), args: [opened.value, output(length), length] });
  await agent.syscall({ number: number('close'), args: [opened.value] });
}

/**
 * Cases for the running kernel expect the name of the kernel's own test program in their output, from byte `at`, and behind it, aligned, its length with
 * the NUL byte.
 */
function withCaller(expected: Uint8Array, name: string, at: number): Uint8Array {
  const copy = expected.slice();
  const size = 'test_progs'.length + 1;
  const bytes = new TextEncoder().encode(name).subarray(0, size - 1);
  copy.fill(0, at, at + size);
  copy.set(bytes, at);
  new DataView(copy.buffer).setUint32(Math.ceil((at + size) / 4) * 4, bytes.length + 1, true);
  return copy;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
