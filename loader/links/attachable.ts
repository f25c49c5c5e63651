import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import type { ProgramSpec } from '../object/spec.ts';
import { kernelVersionCode } from '../resolve/kernel-version.ts';

/** A loaded program, as far as attaching needs it. */
export interface AttachableProgram {
  readonly agent: AgentConnection;
  readonly spec: ProgramSpec;
  /** The agent's descriptor. */
  readonly fd: number;
}

/** Why a program was not attached. */
export interface AttachFailure {
  readonly why?: string;
  readonly fix?: string;
  readonly errno?: number;
}

const RIGHTS =
  'run the agent as root, or with CAP_BPF and what the kind of program asks for: CAP_PERFMON for tracing, CAP_NET_ADMIN for the network';

/** An error about attaching `program`; its errno, where there is one, is told first. Codes begin with `attach-`. */
export function attachError(
  program: AttachableProgram,
  code: string,
  what: string,
  failure: AttachFailure = {},
): ExplainedError {
  const errno = failure.errno === undefined ? undefined : describeErrno(failure.errno);
  const why = [errno, failure.why].filter((part) => part !== undefined).join(': ');
  const forbidden = failure.errno !== undefined && ['EPERM', 'EACCES'].includes(errnoName(failure.errno));
  const fix = failure.fix ?? (forbidden ? RIGHTS : undefined);
  return new ExplainedError(code, what, {
    where: `program ${program.spec.name}`,
    ...(why === '' ? {} : { why }),
    ...(fix === undefined ? {} : { fix }),
  });
}

/** What to say where the kernel may be older than the feature, `version` its first Linux as in `5.9`, perhaps with words behind: its release beside that one. */
export function sinceLinux(program: AttachableProgram, feature: string, version: string): string {
  const { release } = program.agent.hello;
  const [since, here] = [kernelVersionCode({ release: version }), kernelVersionCode({ release })];
  const old = since === null || here === null || here < since;
  return old
    ? `${feature} came with Linux ${version}; this kernel is ${release}`
    : `this kernel, ${release}, is new enough for ${feature} (Linux ${version}): check the options, and whether its configuration has them`;
}
