import { formatType } from '../../../loader/btf/format.ts';
import { ExplainedError, ObjectError } from '../../../loader/errors.ts';
import type { Kernel } from '../../../loader/kernel.ts';
import { loadObject } from '../../../loader/load/load.ts';
import { LoadError } from '../../../loader/load-error.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import type { CoreCase } from './case-table.ts';

/** Where the programs' variable `data` has its parts: input and output take 256 bytes each, then there may be these. */
const OUTPUT = 256;
const SKIP = 512;
const PROCESS = 520;

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
  // A test run reaches raw tracepoints only, and none of these programs that are loaded here looks at its context.
  program.type = 'raw_tracepoint';
  program.attachType = null;
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
    await loaded.program(one.program).testRun();
    const after = await loaded.variable('data').read();
    if ((after[SKIP] ?? 0) !== 0) return { verdict: 'not-run', detail: 'its source asks for clang 15 or later' };
    if (one.fails) return { verdict: 'disagrees', detail: 'it was loaded, and should not be' };
    const wanted = one.name === 'kernel' ? withCaller(one.output, caller.name) : one.output;
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

/** The case `kernel` expects the name of the kernel's own test program in its output, at byte 40, and behind it its length with the NUL byte. */
function withCaller(output: Uint8Array, name: string): Uint8Array {
  const copy = output.slice();
  const size = 'test_progs'.length + 1;
  const bytes = new TextEncoder().encode(name).subarray(0, size - 1);
  copy.fill(0, 40, 40 + size);
  copy.set(bytes, 40);
  new DataView(copy.buffer).setUint32(52, bytes.length + 1, true);
  return copy;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
