import { errnoName } from '../agent/errno.ts';

/**
 * What a probe found out. `inconclusive`: the kernel's answer says neither, for example because the agent's user may not ask (EPERM); asking again,
 * with other rights, may give another answer.
 */
export interface FeatureSupport {
  readonly support: 'supported' | 'not-supported' | 'inconclusive';
  /** What the kernel said that tells, for people. */
  readonly reason: string;
}

/** The kernel has it. */
export function supported(reason: string): FeatureSupport {
  return { support: 'supported', reason };
}

/** The kernel does not have it, or was built without. */
export function notSupported(reason: string): FeatureSupport {
  return { support: 'not-supported', reason };
}

/** The answer says neither. */
export function inconclusive(reason: string): FeatureSupport {
  return { support: 'inconclusive', reason };
}

/** The answer to an error that says nothing about the feature. */
export function inconclusiveErrno(errno: number): FeatureSupport {
  const name = errnoName(errno);
  if (name !== 'EPERM') return inconclusive(`the kernel answered ${name}`);
  return inconclusive(
    'the kernel answered EPERM: the agent needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, or root, to ask; if it has them, a security module or the like forbids it',
  );
}
