import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { type BtfKernelFeatures, btfForKernel } from '../btf/kernel-btf.ts';
import type { ObjectContent } from '../object/spec.ts';
import { verifierLogText } from '../programs/verifier-log.ts';
import { AttrWriter, input, output, type Pointer } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';

/** An object's BTF in the kernel, or why it is not there. */
export interface UploadedBtf {
  /** Null if the object has none, or the kernel took it in no form. */
  readonly fd: number | null;
  /** False if functions had to be left out: programs then go without function and line information. */
  readonly hasFunctions: boolean;
  /** Why there is no fd although the object has BTF; null otherwise. */
  readonly refusal: string | null;
}

/** What kernels learned of BTF, latest first: each step is for a kernel older than the one before (BTF kinds, Documentation/bpf/btf.rst). */
const AGES: readonly BtfKernelFeatures[] = ((): BtfKernelFeatures[] => {
  const learned = [
    'attributeTags',
    'questionMarkDatasec',
    'enum64',
    'typeTag',
    'declTag',
    'float',
    'funcGlobal',
    'datasec',
    'func',
  ] as const;
  return [
    {},
    ...learned.map((_, count) => Object.fromEntries(learned.slice(0, count + 1).map((feature) => [feature, false]))),
  ];
})();

const LOG_SIZE = 64 * 1024;

/**
 * Uploads an object's BTF in the newest form that the kernel takes. A kernel that takes none is no error: BTF is needed for
 * explanations, not for running. Throws AgentError, and FormatError for damaged BTF.
 */
export async function uploadBtf(agent: AgentConnection, spec: ObjectContent): Promise<UploadedBtf> {
  if (spec.btf === null) return { fd: null, hasFunctions: false, refusal: null };
  const hidden = hiddenFunctions(spec);
  let tried: Uint8Array | null = null;
  let refused = 0;
  for (const features of AGES) {
    const bytes = btfForKernel(spec.btf, spec.datasecLayout, features, hidden);
    if (tried !== null && Buffer.compare(tried, bytes) === 0) continue;
    tried = bytes;
    const { value, errno } = await bpf(agent, BpfCommand.btfLoad, btfLoadAttr(bytes, null));
    if (errno === 0) return { fd: value, hasFunctions: features.func !== false, refusal: null };
    refused = errno;
    // Anything but "invalid" is not about what the BTF holds.
    if (errnoName(errno) !== 'EINVAL' && errnoName(errno) !== 'E2BIG') break;
  }
  return { fd: null, hasFunctions: false, refusal: await explainRefusal(agent, spec, hidden, refused) };
}

/** Asks once more, with a log, for the form that a current kernel is to take. */
async function explainRefusal(
  agent: AgentConnection,
  spec: ObjectContent,
  hidden: ReadonlySet<number>,
  errno: number,
): Promise<string> {
  if (spec.btf === null) return errnoName(errno);
  const log = output(LOG_SIZE);
  await bpf(agent, BpfCommand.btfLoad, btfLoadAttr(btfForKernel(spec.btf, spec.datasecLayout, {}, hidden), log));
  const lines = verifierLogText(log.bytes).trim().split('\n');
  return [errnoName(errno), lines.at(-1)].filter((part) => part !== undefined && part !== '').join(': ');
}

/** BPF_BTF_LOAD. */
function btfLoadAttr(bytes: Uint8Array, log: Pointer) {
  return new AttrWriter()
    .pointer(input(bytes))
    .pointer(log)
    .u32(bytes.length)
    .u32(log?.bytes.length ?? 0)
    .u32(log === null ? 0 : 1)
    .finish();
}

/** Functions that are static for the verifier, though their BTF calls them global: hidden ones. */
function hiddenFunctions(spec: ObjectContent): Set<number> {
  const functions = spec.programs.flatMap((program) => program.functions);
  return new Set(
    functions.flatMap(({ linkage, typeId }) => {
      const type = typeId === null ? undefined : spec.btf?.type(typeId);
      return linkage === 'static' && type?.kind === 'func' && type.linkage === 'global' ? [type.id] : [];
    }),
  );
}
