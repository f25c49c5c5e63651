import { describeErrno, errnoName } from './agent/errno.ts';
import { ExplainedError } from './errors.ts';
import { formatDescription, type InstructionDescription } from './insn/describe.ts';
import type { ExternResolution } from './resolve/outcome.ts';

/** Where loading stopped: an extern without outcome, the BTF, a map, or the program itself. */
export type LoadPhase = 'resolve' | 'btf' | 'map' | 'load';

/** What is known beside the phase. */
export interface LoadErrorDetails {
  readonly object: string;
  readonly program?: string;
  readonly errno?: number;
  readonly verifierLog?: string;
  readonly resolutions: readonly ExternResolution[];
  /** The verifier log's telling lines, or another short reason. */
  readonly summary?: string;
  /** The instruction that the verifier refused. */
  readonly instruction?: InstructionDescription;
  /** The verifier's log with explanations of what the loader put into the program. */
  readonly annotatedLog?: string;
  readonly fix?: string;
}

/** An object that a kernel would not take. Codes: `extern-unresolved`, `btf-rejected`, `map-rejected`, `program-rejected`. */
export class LoadError extends ExplainedError {
  readonly phase: LoadPhase;
  /** The program, in phase `load`. */
  readonly program: string | null;
  /** What the system call answered; null if none was made. */
  readonly errno: number | null;
  readonly errnoName: string | null;
  /** The verifier's whole log as the kernel wrote it; null if there is none. */
  readonly verifierLog: string | null;
  /** The same with lines that begin with `↳` where it shows what the loader put in place of something that this kernel lacks; null if there is none. */
  readonly annotatedLog: string | null;
  /** The instruction that the verifier refused, with its function and source line; null if not known. */
  readonly instruction: InstructionDescription | null;
  /** What became of every extern, whichever the phase. */
  readonly resolutions: readonly ExternResolution[];
  readonly summary: string | null;

  constructor(phase: LoadPhase, what: string, details: LoadErrorDetails) {
    const { object, program, errno, verifierLog, resolutions, summary, instruction, fix } = details;
    const reasons = [errno === undefined ? undefined : describeErrno(errno), summary];
    super(CODES[phase], what, {
      where: program === undefined ? object : `${object}, program ${program}`,
      why: `${reasons.filter((reason) => reason !== undefined && reason !== '').join(': ')}${place(instruction, program)}`,
      ...(fix === undefined ? {} : { fix }),
    });
    this.phase = phase;
    this.program = program ?? null;
    this.errno = errno ?? null;
    this.errnoName = errno === undefined ? null : errnoName(errno);
    this.verifierLog = verifierLog ?? null;
    this.annotatedLog = details.annotatedLog ?? verifierLog ?? null;
    this.instruction = instruction ?? null;
    this.resolutions = resolutions;
    this.summary = summary ?? null;
  }

  /** As {@link ExplainedError.explain}; of several externs, each has its fix beside it. */
  override explain(): string {
    const broken = this.resolutions.flatMap(({ outcome }) => (outcome.result === 'error' ? [outcome] : []));
    if (this.phase !== 'resolve' || broken.length < 2) return super.explain();
    const lines = broken.map(({ reason, explanation, fix }) => `  ${reason}: ${explanation}\n    → ${fix}`);
    return `${this.where}: ${this.message}:\n${lines.join('\n')}`;
  }
}
LoadError.prototype.name = 'LoadError';

const CODES = {
  resolve: 'extern-unresolved',
  btf: 'btf-rejected',
  map: 'map-rejected',
  load: 'program-rejected',
} as const;

/** On a line of its own: source lines are long where macros stand in them. */
function place(instruction: InstructionDescription | undefined, program: string | undefined): string {
  if (instruction === undefined) return '';
  const within = instruction.function === null || instruction.function === program ? '' : ` of ${instruction.function}`;
  return `\n  at instruction ${instruction.slot}${within}, ${formatDescription(instruction)}`;
}
