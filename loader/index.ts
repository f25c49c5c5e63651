/**
 * The loader: reads BPF objects, resolves their externs against a kernel, and loads them through an agent that makes the system calls.
 *
 * ```ts
 * const spec = await ObjectSpec.open('program.bpf.o');
 * await using kernel = await Kernel.local();
 * await using object = await kernel.load(spec);
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
export { buildPackagedAgents, findAgent } from './agent/find.ts';
export { type SshOptions, startSshAgent } from './agent/ssh.ts';
export { Btf, type BtfOfKind } from './btf/btf.ts';
export { BtfBuilder, type BtfBuilderOptions } from './btf/builder.ts';
export { type DumpOptions, dumpC } from './btf/dump-c.ts';
export { formatType } from './btf/format.ts';
export { type PrintOptions, printDeclaration, printDefinition, printWithDefinition } from './btf/print-c.ts';
export type * from './btf/types.ts';
export { type BtfValue, decodeValue, encodeValue } from './btf/values.ts';
export { PerfBuffer, type PerfBufferOptions, type PerfRecord } from './buffers/perf-buffer.ts';
export type { ReadOptions, WaitOptions } from './buffers/record-queue.ts';
export { RingBuffer } from './buffers/ring-buffer.ts';
export { UserRingBuffer } from './buffers/user-ring-buffer.ts';
export { type ErrorDetails, ExplainedError, FormatError, ObjectError } from './errors.ts';
export { FactReader } from './facts/fact-reader.ts';
export { kernelConfigPaths, readKernelConfig } from './facts/kernel-config.ts';
export { type KnownFacts, readFactsFor, readKallsyms, readKernelFacts, readVmlinuxBtf } from './facts/kernel-facts.ts';
export { type ModuleBtfs, readModuleBtfs } from './facts/module-btf.ts';
export { Features } from './features/features.ts';
export type { InstructionSet } from './features/instructions.ts';
export type { LinkKind } from './features/links.ts';
export type { FeatureSupport } from './features/support.ts';
export { assemble } from './insn/assemble.ts';
export * as asm from './insn/build.ts';
export { decodeInstruction, decodeInstructions } from './insn/decode.ts';
export type { DecodedInstruction, ValidInstruction } from './insn/decoded.ts';
export { formatDescription, type InstructionDescription } from './insn/describe.ts';
export { encodeInstruction } from './insn/encode.ts';
export { formatInstruction, formatInstructions, type InstructionNames } from './insn/format.ts';
export { helperName, helperNumber } from './insn/helpers.ts';
export type { ListingOptions } from './insn/listing.ts';
export { Kernel, type LocalKernelOptions } from './kernel.ts';
export { type AttachOptions, attachProgram } from './links/attach.ts';
export { attachCgroup, type CgroupOptions } from './links/cgroup.ts';
export { attachIterator, IteratorLink, type IteratorOptions } from './links/iterator.ts';
export { attachKprobe, attachUprobe, type KprobeOptions, type UprobeOptions } from './links/kprobe.ts';
export { Link } from './links/link.ts';
export {
  attachNetfilter,
  attachNetkit,
  attachNetns,
  attachTcx,
  attachXdp,
  type NetfilterOptions,
  type NetnsOptions,
  type TcxOptions,
  type XdpOptions,
} from './links/network.ts';
export { attachPerfEvent, type PerfEventOptions } from './links/perf-event.ts';
export { attachKprobeMulti, type KprobeMultiOptions } from './links/probe-multi.ts';
export { attachReuseport, attachSocketFilter, attachSockmap, type SockmapOptions } from './links/sockets.ts';
export { attachTc, type TcOptions } from './links/tc.ts';
export { attachTracepoint, type TracepointOptions } from './links/tracepoint.ts';
export { attachRawTracepoint, attachTracing, type RawTracepointOptions, type TracingOptions } from './links/tracing.ts';
export { LoadedObject, type LoadOptions, loadObject } from './load/load.ts';
export { LoadedVariable } from './load/loaded-variable.ts';
export { openLink, openMap, openProgram, type Whereabouts } from './load/open-existing.ts';
export { LoadError, type LoadPhase } from './load-error.ts';
export { LoadedMap } from './maps/loaded-map.ts';
export { type MapInfo, readMapInfo } from './maps/map-info.ts';
export { ATTACH_TYPES, type AttachType } from './object/attach-types.ts';
export { type MapType, mapTypeName, mapTypeNumber } from './object/map-types.ts';
export { InitialVariable, ObjectSpec } from './object/object-spec.ts';
export { parseObject } from './object/parse.ts';
export { PROGRAM_TYPES } from './object/program-types.ts';
export type * from './object/spec.ts';
export { describeProgramInstruction, disassembleProgram } from './programs/describe-program.ts';
export { type ProgramInfo, programInfo } from './programs/info.ts';
export { formatProgram, type ProgramListingSources, readProgramBtf } from './programs/listing.ts';
export { LoadedProgram } from './programs/loaded-program.ts';
export { TestRunFlag, type TestRunOptions, type TestRunResult } from './programs/test-run.ts';
export {
  refusedSlot,
  summarizeVerifierLog,
  type VerifierStatistics,
  verifierStatistics,
} from './programs/verifier-log.ts';
export { applyCoreRelocations, CORE_POISON, type CoreResult, type Poisoned } from './resolve/core.ts';
export { CoreCandidates, needsModuleTypes } from './resolve/core-candidates.ts';
export { resolveExterns } from './resolve/externs.ts';
export { Kallsyms, type KallsymsEntry } from './resolve/kallsyms.ts';
export { type KconfigFacts, type KconfigReason, type KconfigResolution, resolveKconfig } from './resolve/kconfig.ts';
export { KernelConfig } from './resolve/kernel-config.ts';
export type * from './resolve/outcome.ts';
export { type BtfInfo, btfInfo } from './syscall/btf-info.ts';
export { possibleCpus, runOnCpu } from './syscall/cpus.ts';
export { type LinkDetails, type LinkInfo, linkInfo } from './syscall/link-info.ts';
export { type ObjectKind, objectIds, openObject } from './syscall/object-ids.ts';
export { DEFAULT_PIN_FOLDER, openPinned, pinObject, unpin } from './syscall/pin.ts';
