import type { AgentConnection } from '../agent/connection.ts';
import type { ProgramSpec } from '../object/spec.ts';
import { type TestRunOptions, type TestRunResult, testRun } from './test-run.ts';

/** A program in the kernel. */
export class LoadedProgram {
  readonly spec: ProgramSpec;
  /** The agent's descriptor. */
  readonly fd: number;
  /** The verifier's log, if one was asked for; else empty. */
  readonly verifierLog: string;
  /** Where {@link LoadedProgram.fd} is a descriptor. */
  readonly agent: AgentConnection;

  /** Made by `loadObject`. */
  constructor(agent: AgentConnection, spec: ProgramSpec, fd: number, verifierLog: string) {
    this.agent = agent;
    this.spec = spec;
    this.fd = fd;
    this.verifierLog = verifierLog;
  }

  /** Runs it once or more without attaching it (BPF_PROG_TEST_RUN). Throws ExplainedError `test-run-failed`, AgentError. */
  testRun(options: TestRunOptions = {}): Promise<TestRunResult> {
    return testRun(this.agent, this.spec, this.fd, options);
  }
}
