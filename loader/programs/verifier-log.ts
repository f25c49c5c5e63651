/** What the verifier prints about itself and its states, rather than about what it objects to. */
const NOISE = [
  /^processed \d+ insns/,
  /^verification time/,
  /^stack depth/,
  /^subprog \d+ \(/,
  /^insns processed/,
  /^func#\d+ @\d+$/,
  /^Validating \S+ func#\d+/,
  /^Func#\d+ .*is safe/,
  /^mark_precise:/,
  /^parent .*regs=/,
  /^last_idx \d+/,
  /^regs=/,
  /^caller:$/,
  /^callee:$/,
  /^;/,
  /^\d+: \(/,
  /^\d+: (R\d|frame|safe)/,
  /^(from )?\d+ to \d+/,
  // With a space before it up to 5.17.
  /^ ?(frame\d+: )?R\d+(_\w+)?=/,
  /^fp-?\d+/,
  /^(cur|old) state:/,
  /^\s*$/,
];
const MOST_LINES = 3;

/**
 * The lines that say why the verifier refused a program, joined by `; `. They stand at the end of the log's classic part, which on
 * 7.3 a report of some thirty lines follows (`Verification failed: …`). Empty for a log without such lines.
 */
export function summarizeVerifierLog(log: string): string {
  const { lines, report } = classicPart(log);
  const last = lines.findLastIndex((line) => !isNoise(line));
  // A report without a classic line before it has its own first line to offer.
  if (last === -1) return report ?? '';
  return lines.slice(firstTelling(lines, last), last + 1).join('; ');
}

/**
 * The instruction that the verifier refused, by its slot in the code that was loaded; null if the log does not tell. It is the last one that was walked through before
 * the objection (`12: (85) call …`), unless a path was found safe in between, or the one that the objection names (`unreachable insn 5`).
 */
export function refusedSlot(log: string): number | null {
  const { lines } = classicPart(log);
  const last = lines.findLastIndex((line) => !isNoise(line));
  const end = last === -1 ? lines.length : firstTelling(lines, last);
  const named = NAMED_SLOT.exec(lines.slice(end).join('\n'))?.[1];
  if (named !== undefined) return Number(named);
  for (let index = end - 1; index >= 0; index--) {
    const line = lines[index] ?? '';
    if (OTHER_PATH.test(line)) return null;
    const slot = /^(\d+): \([0-9a-f]{2}\) /.exec(line)?.[1];
    if (slot !== undefined) return Number(slot);
  }
  return null;
}

/** check_cfg and check_subprogs in kernel/bpf/verifier.c look at all instructions before any is walked through. */
const NAMED_SLOT = /(?:unreachable insn|jump out of range from insn|back-edge from insn|loop detected at insn) (\d+)/;
/** What follows belongs to no instruction before. */
const OTHER_PATH = /^(Func#\d+ .*is safe|Validating )|(^|: )safe$/;

/** What the verifier counted, from the last lines of a log; fields are null where the kernel does not print them. */
export interface VerifierStatistics {
  /** Instructions that were walked through, on all paths. */
  readonly processed: number;
  /** How many may be. */
  readonly limit: number | null;
  readonly maxStatesPerInstruction: number | null;
  readonly totalStates: number | null;
  readonly peakStates: number | null;
  /** With the flag 4 in the log level. */
  readonly timeUs: number | null;
  /** Bytes of stack of each function, with the same flag. */
  readonly stackDepths: readonly number[] | null;
}

/** Reads `processed 12 insns (limit 1000000) max_states_per_insn 0 …` (print_verification_stats, kernel/bpf/verifier.c); null if the log has no such line. */
export function verifierStatistics(log: string): VerifierStatistics | null {
  const line = /^processed (\d+) insns.*$/m.exec(log);
  if (line === null) return null;
  const number = (pattern: RegExp, text: string): number | null => {
    const found = pattern.exec(text)?.[1];
    return found === undefined ? null : Number(found);
  };
  const stack = /^stack depth ([\d+]+)/m.exec(log)?.[1];
  // Since 7.3 each function has a line of its own.
  const stacks = [...log.matchAll(/^subprog \d+ \(.* stack (\d+)$/gm)].map((found) => Number(found[1]));
  return {
    processed: Number(line[1]),
    limit: number(/\(limit (\d+)\)/, line[0]),
    maxStatesPerInstruction: number(/max_states_per_insn (\d+)/, line[0]),
    totalStates: number(/total_states (\d+)/, line[0]),
    peakStates: number(/peak_states (\d+)/, line[0]),
    timeUs: number(/^verification time (\d+) usec/m, log),
    stackDepths: stacks.length > 0 ? stacks : (stack?.split('+').map(Number) ?? null),
  };
}

/** What the report that Linux 7.3 appends suggests, on one line; null if there is none. */
export function kernelSuggestion(log: string): string | null {
  const text = /^Suggestion:\n((?: +\S.*\n?)+)/m.exec(log)?.[1];
  return text === undefined ? null : text.trim().replaceAll(/\s+/g, ' ');
}

/** The text in a log buffer: up to the first zero byte. */
export function verifierLogText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return new TextDecoder().decode(end === -1 ? buffer : buffer.subarray(0, end));
}

/** The log's lines before the report that Linux 7.3 appends, and the report's first line. */
function classicPart(log: string): { readonly lines: readonly string[]; readonly report: string | undefined } {
  // The one objection that newer kernels append to the line of an instruction.
  const separated = log.replaceAll(/ (infinite loop detected at insn \d+)$/gm, '\n$1');
  const lines = separated.split('\n').map((line) => line.trimEnd());
  const report = lines.findIndex((line) => line.startsWith('Verification failed:'));
  return report === -1 ? { lines, report: undefined } : { lines: lines.slice(0, report), report: lines[report] };
}

function firstTelling(lines: readonly string[], last: number): number {
  let first = last;
  while (first > 0 && last - first + 1 < MOST_LINES && !isNoise(lines[first - 1] ?? '')) first--;
  return first;
}

function isNoise(line: string): boolean {
  return NOISE.some((pattern) => pattern.test(line));
}
