/**
 * The loader: reads BPF objects, resolves their externs against a kernel, and loads them through an agent that makes the system calls.
 *
 * ```ts
 * const agent = await startLocalAgent(await buildAgent({ outputDirectory: 'build/agent' }));
 * const spec = parseObject(await readFile('program.bpf.o'), 'program.bpf.o');
 * const object = await loadObject(spec, { agent, facts: await readKernelFacts(agent) });
 * const { retval } = await object.program('main').testRun();
 * ```
 */
export { AgentError, type AgentErrorCode } from './agent/agent-error.ts';
export { type BuildAgentOptions, buildAgent } from './agent/build.ts';
export { type LocalAgentOptions, startLocalAgent } from './agent/child.ts';
export { type AgentStream, type ConnectOptions, connectAgent } from './agent/client.ts';
export type {
  AgentConnection,
  AgentHello,
  ExecuteRequest,
  ExecuteResult,
  SyscallBuffer,
  SyscallRequest,
  SyscallResult,
} from './agent/connection.ts';
export { describeErrno, errnoName, errnoNumber } from './agent/errno.ts';
export { Btf, type BtfOfKind } from './btf/btf.ts';
export { formatType } from './btf/format.ts';
export { type PrintOptions, printDeclaration, printDefinition, printWithDefinition } from './btf/print-c.ts';
export type * from './btf/types.ts';
export { type ErrorDetails, ExplainedError, FormatError, ObjectError } from './errors.ts';
export type { LoadedProgram, LoadedVariable } from './load/collection.ts';
export { possibleCpus, runOnCpu } from './load/cpus.ts';
export { type KnownFacts, readKallsyms, readKernelFacts, readVmlinuxBtf } from './load/kernel-facts.ts';
export { LoadedObject, type LoadOptions, loadObject } from './load/load.ts';
export { LoadError, type LoadPhase } from './load/load-error.ts';
export type { LoadedMap } from './load/maps.ts';
export { type ModuleBtfs, readModuleBtfs } from './load/module-btf.ts';
export type { TestRunOptions, TestRunResult } from './load/test-run.ts';
export { summarizeVerifierLog } from './load/verifier-log.ts';
export { parseObject } from './object/parse.ts';
export type * from './object/spec.ts';
export { applyCoreRelocations, type CoreResult } from './resolve/core.ts';
export { resolveExterns } from './resolve/externs.ts';
export { Kallsyms, type KallsymsEntry } from './resolve/kallsyms.ts';
export type * from './resolve/outcome.ts';
