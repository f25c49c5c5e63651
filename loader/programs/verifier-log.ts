/** What the verifier prints about itself and its states, rather than about what it objects to. */
const NOISE = [
  /^processed \d+ insns/,
  /^verification time/,
  /^stack depth/,
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
  /^(frame\d+: )?R\d+(_\w+)?=/,
  /^fp-?\d+/,
  /^\s*$/,
];
const MOST_LINES = 3;

/**
 * The lines that say why the verifier refused a program, joined by `; `. They stand at the end of the log's classic part, which on
 * 7.3 a report of some thirty lines follows (`Verification failed: …`). Empty for a log without such lines.
 */
export function summarizeVerifierLog(log: string): string {
  const lines = log.split('\n').map((line) => line.trimEnd());
  const report = lines.findIndex((line) => line.startsWith('Verification failed:'));
  const classic = report === -1 ? lines : lines.slice(0, report);
  const last = classic.findLastIndex((line) => !isNoise(line));
  // A report without a classic line before it has its own first line to offer.
  if (last === -1) return report === -1 ? '' : (lines[report] ?? '');
  let first = last;
  while (first > 0 && last - first + 1 < MOST_LINES && !isNoise(classic[first - 1] ?? '')) first--;
  return classic.slice(first, last + 1).join('; ');
}

/** The text in a log buffer: up to the first zero byte. */
export function verifierLogText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return new TextDecoder().decode(end === -1 ? buffer : buffer.subarray(0, end));
}

function isNoise(line: string): boolean {
  return NOISE.some((pattern) => pattern.test(line));
}
