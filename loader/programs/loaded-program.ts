import type { AgentConnection } from '../agent/connection.ts';
import { type AttachOptions, attachProgram } from '../links/attach.ts';
import type { Link } from '../links/link.ts';
import type { ProgramSpec } from '../object/spec.ts';
import { OwnedDescriptor } from '../syscall/owned-descriptor.ts';
import { pinObject, unpin } from '../syscall/pin.ts';
import { type ProgramInfo, programInfo } from './info.ts';
import { type TestRunOptions, type TestRunResult, testRun } from './test-run.ts';
import { type VerifierStatistics, verifierStatistics } from './verifier-log.ts';

/** A program in the kernel. It stays there until it is closed, and longer where it is pinned or attached. */
export class LoadedProgram implements AsyncDisposable {
  readonly spec: ProgramSpec;
  /** The verifier's log, if one was asked for; else empty. */
  readonly verifierLog: string;
  /** Where {@link LoadedProgram.fd} is a descriptor. */
  readonly agent: AgentConnection;
  readonly #descriptor: OwnedDescriptor;
  readonly #pins: string[] = [];

  /** Made by `loadObject`. */
  constructor(agent: AgentConnection, spec: ProgramSpec, fd: number, verifierLog: string) {
    this.agent = agent;
    this.spec = spec;
    this.#descriptor = new OwnedDescriptor(agent, fd, `program ${spec.name}`);
    this.verifierLog = verifierLog;
  }

  /** The agent's descriptor. Throws ExplainedError `closed` once the program is closed, as every method that needs it does. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /**
   * Attaches it as its section says (`SEC("kprobe/do_unlinkat")`); `options` name what the section does not: an interface, a control group, another target.
   * The link ends the attachment when it is closed. Throws ExplainedError `attach-…`, AgentError.
   */
  async attach(options: AttachOptions = {}): Promise<Link> {
    return attachProgram(this, options);
  }

  /** What the verifier counted; null unless a log was asked for (level 4 asks for the counts alone). */
  get statistics(): VerifierStatistics | null {
    return verifierStatistics(this.verifierLog);
  }

  /** What the kernel says of it, with its instructions as the verifier rewrote them. Throws ExplainedError `object-info-failed`, AgentError. */
  async info(): Promise<ProgramInfo> {
    return programInfo(this.agent, this.fd);
  }

  /** Runs it once or more without attaching it (BPF_PROG_TEST_RUN). Throws ExplainedError `test-run-failed`, AgentError. */
  async testRun(options: TestRunOptions = {}): Promise<TestRunResult> {
    return testRun(this.agent, this.spec, this.fd, options);
  }

  /** Pins it at a path of a BPF file system. Throws ExplainedError `pin-exists`, `pin-failed`; AgentError. */
  async pin(path: string): Promise<void> {
    await pinObject(this.agent, this.fd, path);
    this.#pins.push(path);
  }

  /** Removes the pins that {@link LoadedProgram.pin} made. Throws ExplainedError `pin-failed`; AgentError. */
  async unpin(): Promise<void> {
    for (const path of this.#pins.splice(0)) await unpin(this.agent, path);
  }

  /** Closes its descriptor, as `LoadedObject.close` does; a second call does nothing. Links and pins hold the program further. */
  async close(): Promise<void> {
    await this.#descriptor.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
