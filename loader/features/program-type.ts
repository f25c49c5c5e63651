import type { AgentConnection } from '../agent/connection.ts';
import type { ProgramType } from '../object/spec.ts';
import { tryProgram } from './probe-program.ts';
import { type FeatureSupport, inconclusiveErrno, notSupported, supported } from './support.ts';

/** Types that attach by BTF id want one before the verifier looks at them; that of no function will do. */
const BY_BTF_ID: readonly ProgramType[] = ['tracing', 'lsm', 'ext'];

/**
 * Whether the kernel has a program type: by loading a program of two instructions. A kernel that knows the type loads it, or has its verifier
 * complain of what it attaches to; one that does not, or was built without it, answers EINVAL before that (find_prog_type, kernel/bpf/syscall.c).
 * Throws AgentError.
 */
export async function probeProgramType(agent: AgentConnection, type: ProgramType): Promise<FeatureSupport> {
  const answer = await tryProgram(agent, { type, ...(BY_BTF_ID.includes(type) ? { attachBtfId: 1 } : {}) });
  if (answer.fd !== null) return supported('a program of this type was loaded');
  if (answer.log !== '') return supported(`the verifier looked at it: ${answer.log.trim().split('\n')[0] ?? ''}`);
  if (answer.errnoName === 'EINVAL' || answer.errnoName === 'E2BIG') {
    return notSupported(`the kernel answered ${answer.errnoName} before its verifier looked at the program`);
  }
  // check_struct_ops_btf_id of some versions says ENOTSUPP (524) without a word.
  if (type === 'struct_ops' && answer.errno === ENOTSUPP) return supported('the kernel misses a struct to attach to');
  return inconclusiveErrno(answer.errno);
}

/** The kernel's own, which no UAPI header has (include/linux/errno.h). */
const ENOTSUPP = 524;
