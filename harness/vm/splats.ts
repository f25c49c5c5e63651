import {
  ALLOW_RULES,
  type AllowRule,
  DENY_RULES,
  type DenyRule,
  SPOILING_KINDS,
  type SplatKind,
} from './splat-rules.ts';

/** A report of the kernel on its console that something is wrong. */
export interface ConsoleSplat {
  /** Id of the deny rule. */
  readonly rule: string;
  readonly kind: SplatKind;
  /** Line of the console, counted from zero at the machine's start; it stays when old lines are dropped. */
  readonly line: number;
  /** What the line says, without time stamp and caller. */
  readonly text: string;
  /** Why it does no harm (the reason of an allow rule), or null. */
  readonly allowed: string | null;
  /** The lines of the report as they stand on the console. More are added as they come, at most 60. */
  readonly block: readonly string[];
}

/** What is looked for. Give the lists of `splat-rules.ts` joined with more, or others. */
export interface SplatOptions {
  readonly deny?: readonly DenyRule[];
  readonly allow?: readonly AllowRule[];
  /** The kernel's release (`6.12.117+deb13-cloud-amd64`), for allow rules that hold for some kernels; without it they hold for none. */
  readonly release?: string;
}

/** Lines of a report that are kept with it: an oops takes about 45. */
const MAX_BLOCK = 60;
/** An out-of-memory report names its victim after statistics of some 60 lines and all tasks. */
const MAX_DISTANCE_OF_PARTS = 150;
/** Splats of one rule that are kept between two marks; the rest is counted. */
const MAX_PER_RULE = 20;
/** `------------[ cut here ]------------` and the text of a WARN stand before the line that announces it (lib/bug.c). */
const MAX_LINES_BEFORE = 4;

/** kernel/panic.c, print_oops_end_marker() and vpanic(). */
const END_MARKER = '---[ end ';

/** Finds the reports of a kernel in the lines of its console. */
export class SplatScanner {
  /** In the order in which they came. Of each rule, twenty between two calls of {@link nextPeriod}. */
  readonly splats: ConsoleSplat[] = [];
  /** Splats that were found and not kept. */
  omitted = 0;
  #worst: ConsoleSplat | undefined;
  #open: OpenReport | undefined;
  readonly #options: Required<Pick<SplatOptions, 'deny' | 'allow'>> & SplatOptions;
  readonly #hints: RegExp;
  readonly #kept = new Map<string, number>();

  constructor(options: SplatOptions = {}) {
    this.#options = { ...options, deny: options.deny ?? DENY_RULES, allow: options.allow ?? ALLOW_RULES };
    this.#hints = hintsOf(this.#options.deny);
  }

  /**
   * The splat that spoilt the machine (see `SPOILING_KINDS`): the first panic, else the first of the other kinds.
   * It is known even where so many splats came before it that it was not kept.
   */
  get worst(): ConsoleSplat | undefined {
    return this.#worst;
  }

  /** Whether a text may hold a splat: one cheap search for many lines. */
  suspects(text: string): boolean {
    return this.#hints.test(text);
  }

  /**
   * Takes one line.
   * @param line without terminal control characters
   * @param number of the line since the machine's start
   * @param before the lines before it, the last one last
   * @param suspected false if {@link suspects} is known to deny it
   */
  take(line: string, number: number, before: readonly string[], suspected = true): void {
    // The end of a panic repeats its announcement.
    if (suspected && this.#hints.test(line) && !line.includes(END_MARKER)) {
      const rule = this.#options.deny.find(({ pattern }) => pattern.test(line));
      if (rule !== undefined && !this.#isPart(rule, number)) {
        this.#begin(rule, line, number, before);
        return;
      }
      if (rule !== undefined) {
        this.#open?.addPart(rule.id, line);
        return;
      }
    }
    this.#open?.add(line);
  }

  /** Begins a period with its own allowance of splats, as for a new cell. */
  nextPeriod(): void {
    this.#kept.clear();
  }

  #isPart(rule: DenyRule, number: number): boolean {
    const open = this.#open;
    if (open === undefined || open.splat.allowed !== null || number - open.splat.line > MAX_DISTANCE_OF_PARTS)
      return false;
    return rule.partOf?.includes(open.splat.rule) === true && !open.parts.has(rule.id);
  }

  #begin(rule: DenyRule, line: string, number: number, before: readonly string[]): void {
    const block = [...preamble(before), line];
    const text = withoutStamp(line);
    const splat = { rule: rule.id, kind: rule.kind, line: number, text, allowed: this.#allows(line), block };
    this.#open = new OpenReport(splat, block, rule.ends ?? 'trace');
    if (splat.allowed === null && SPOILING_KINDS.has(rule.kind)) {
      if (this.#worst === undefined || (rule.kind === 'panic' && this.#worst.kind !== 'panic')) this.#worst = splat;
    }
    const kept = this.#kept.get(rule.id) ?? 0;
    this.#kept.set(rule.id, kept + 1);
    if (kept < MAX_PER_RULE) this.splats.push(splat);
    else this.omitted++;
  }

  #allows(line: string): string | null {
    const { allow, release } = this.#options;
    const rule = allow.find(
      ({ pattern, kernels }) =>
        pattern.test(line) && (kernels === undefined || kernels.some((kernel) => release?.startsWith(`${kernel}.`))),
    );
    return rule?.reason ?? null;
  }
}

/** The report that belongs to a splat, without empty lines, at most `count` lines. */
export function splatExcerpt(splat: ConsoleSplat, count: number = MAX_BLOCK): string[] {
  return splat.block.filter((line) => withoutStamp(line).trim() !== '').slice(0, count);
}

/** A line without the kernel's time stamp (CONFIG_PRINTK_TIME) and caller (CONFIG_PRINTK_CALLER), as in `[   12.345678][   T97] `. */
export function withoutStamp(line: string): string {
  return line.replace(/^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?(?:\[ *[TC]\d+\] ?)?/, '');
}

/** A report whose lines are still coming. */
class OpenReport {
  readonly splat: ConsoleSplat;
  readonly parts = new Set<string>();
  readonly #block: string[];
  readonly #ends: DenyRule['ends'];
  #inTrace = false;
  #complete: boolean;

  constructor(splat: ConsoleSplat, block: string[], ends: DenyRule['ends']) {
    this.splat = splat;
    this.#block = block;
    this.#ends = ends;
    this.#complete = ends === 'line';
  }

  add(line: string): void {
    if (this.#complete) return;
    const text = withoutStamp(line);
    if (this.#ends === 'trace' && this.#inTrace && !TRACE_LINE.test(text)) {
      this.#complete = true;
      return;
    }
    this.#block.push(line);
    this.#inTrace ||= /^\s*Call Trace:/i.test(text);
    this.#complete = text.startsWith(END_MARKER) || this.#block.length >= MAX_BLOCK;
  }

  /** A part is kept even beyond the bound: it names the victim, or the code of the exception. */
  addPart(rule: string, line: string): void {
    this.parts.add(rule);
    this.#block.push(line);
  }
}

/** A stack trace is indented, and holds the registers of the exceptions and system calls on the stack. */
const TRACE_LINE =
  /^(?:\s|<\/?(?:TASK|IRQ|NMI|SOFTIRQ|#\w+)>|Call Trace:|(?:RIP|Code|RSP|EFLAGS|ORIG_RAX|R\w\w|CR2|FS|CS): ?|$)/;

/** The lines before an announcement that belong to it: from the last "cut here", or the last double rule of lockdep. */
function preamble(before: readonly string[]): string[] {
  const last = before.slice(-MAX_LINES_BEFORE);
  const start = last.findLastIndex((line) => line.includes('[ cut here ]') || /={20}$/.test(line));
  return start === -1 ? [] : last.slice(start);
}

/** One expression that matches whatever any of the rules can match. */
function hintsOf(rules: readonly DenyRule[]): RegExp {
  const alternatives = rules.flatMap(({ hints, pattern }) => hints?.map(escapeRegExp) ?? [`(?:${pattern.source})`]);
  return alternatives.length === 0 ? /^(?!)/ : new RegExp([...new Set(alternatives)].join('|'));
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
