import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import { ConsoleFile, MAX_CONSOLE_FILE_BYTES } from './console-file.ts';
import { type ConsoleSplat, type SplatOptions, SplatScanner, splatExcerpt } from './splats.ts';

export type { ConsoleSplat } from './splats.ts';

/** A crash that the kernel reported on its console, after which nothing more is asked of the machine. */
export interface ConsoleCrash {
  /** Any spoiling splat that is no panic counts as `oops` here. */
  readonly kind: 'panic' | 'oops';
  /** Index into {@link ConsoleLog.lines}; 0 when the line has been dropped. */
  readonly line: number;
  /** The line, without time stamp. */
  readonly text: string;
}

/** What a console printed since a mark. */
export interface ConsolePart {
  /** Those lines that are still in memory; an unfinished line is the last one. */
  readonly lines: readonly string[];
  readonly splats: readonly ConsoleSplat[];
  /** Lines since the mark that are no longer in memory. */
  readonly dropped: number;
}

export interface ConsoleOptions extends SplatOptions {
  /** Bytes of the log file before the rest is left out. Default: 64 MiB. */
  readonly maxFileBytes?: number;
}

/** Bounds of what is kept in memory; the file has more. A console flood must not fill the host's memory. */
const MAX_LINES = 5000;
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** A longer line is cut into several. */
const MAX_LINE_LENGTH = 4000;
/** A kernel's announcement of trouble is shorter than this, stamp included. */
const LONGEST_ANNOUNCEMENT = 500;
/** Bytes that are looked at in one go. */
const SLICE_BYTES = 64 * 1024;

/**
 * One machine's console: written to a file as it comes, and searched for signs of life and of trouble.
 * Measured on one core: 150 MB/s of a kernel's usual output, 120 MB/s without a line's end, 30 MB/s where every line is a
 * splat; 64 KiB, which is what a pipe gives at once, take 0.5 to 2 ms.
 */
export class ConsoleLog {
  readonly path: string;
  /** Whole lines so far, without terminal control characters; the oldest are dropped beyond 5,000 lines or 4 MiB. */
  readonly lines: string[] = [];
  /** Bytes received. */
  size = 0;
  readonly firstOutput: Promise<void>;
  #firstOutput: (() => void) | undefined;
  #partial = '';
  /** Number of `lines[0]` since the machine's start. */
  #first = 0;
  #characters = 0;
  /** Number of the first line that is not whole in the file. */
  #leftOutFrom: number | undefined;
  #closed = false;
  readonly #decoder = new StringDecoder('utf8');
  readonly #file: ConsoleFile;
  readonly #scanner: SplatScanner;

  constructor(path: string, options: ConsoleOptions = {}) {
    this.path = path;
    this.#file = new ConsoleFile(path, options.maxFileBytes ?? MAX_CONSOLE_FILE_BYTES);
    this.#scanner = new SplatScanner(options);
    this.firstOutput = new Promise((resolve) => {
      this.#firstOutput = resolve;
    });
  }

  /** The splat that spoils the machine: the first panic, else the first oops or lockup. */
  get crash(): ConsoleCrash | undefined {
    const worst = this.#scanner.worst;
    if (worst === undefined) return undefined;
    const kind = worst.kind === 'panic' ? 'panic' : 'oops';
    return { kind, line: Math.max(0, worst.line - this.#first), text: worst.text };
  }

  /** Every splat so far; of one rule, at most twenty between two marks. */
  get splats(): readonly ConsoleSplat[] {
    return this.#scanner.splats;
  }

  /** Splats beyond those twenty. */
  get omittedSplats(): number {
    return this.#scanner.omitted;
  }

  /** Why the log file is incomplete (a full disk, say); undefined if it is not. */
  get fileError(): Error | undefined {
    return this.#file.error;
  }

  /** Takes what the console printed. */
  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.size += chunk.length;
    this.#firstOutput?.();
    this.#firstOutput = undefined;
    const before = this.#first + this.lines.length;
    this.#file.write(chunk);
    if (this.#file.leftOut > 0) this.#leftOutFrom ??= before;
    for (let start = 0; start < chunk.length; start += SLICE_BYTES) {
      this.#read(this.#decoder.write(Buffer.from(chunk.subarray(start, start + SLICE_BYTES))));
    }
  }

  /** A place in the console: what comes from now on is given by {@link since}. */
  mark(): number {
    this.#scanner.nextPeriod();
    return this.#first + this.lines.length;
  }

  /**
   * What came since a mark. The console may lag behind the agent: what the kernel prints during a request can arrive
   * shortly after the answer.
   */
  since(mark: number): ConsolePart {
    const lines = this.lines.slice(Math.max(0, mark - this.#first));
    if (this.#partial !== '') lines.push(clean(this.#partial));
    return {
      lines,
      splats: this.splats.filter(({ line }) => line >= mark),
      dropped: Math.max(0, this.#first - mark),
    };
  }

  /** The last `count` lines that are not empty. */
  tail(count: number): string[] {
    const all = this.#partial === '' ? this.lines : [...this.lines, clean(this.#partial)];
    return all.filter((line) => line.trim() !== '').slice(-count);
  }

  /** The announcement of the crash and what follows, at most `count` lines. */
  crashExcerpt(count: number): string[] {
    const { worst } = this.#scanner;
    if (worst === undefined) return [];
    const excerpt = splatExcerpt(worst);
    return excerpt
      .slice(
        Math.max(
          0,
          excerpt.findIndex((line) => line.endsWith(worst.text)),
        ),
      )
      .slice(0, count);
  }

  /** Searches the unfinished line, says in the file what was left out of it, flushes and closes it. */
  async close(): Promise<void> {
    if (!this.#closed) this.#scanner.take(clean(this.#partial), this.#first + this.lines.length, this.lines);
    this.#closed = true;
    await this.#file.close(this.#lastWords());
  }

  #read(decoded: string): void {
    const text = this.#partial + decoded;
    const end = text.lastIndexOf('\n');
    this.#partial = text.slice(end + 1);
    if (end !== -1) {
      const whole = text.slice(0, end);
      const suspected = this.#scanner.suspects(whole);
      const plain = !CONTROL.test(whole);
      for (const raw of whole.split('\n')) {
        if (raw.length > MAX_LINE_LENGTH) this.#takeLong(raw);
        else this.#take(plain ? withoutReturn(raw) : clean(raw), suspected || !plain);
      }
    }
    if (this.#partial.length > MAX_LINE_LENGTH) this.#partial = this.#takeStart(this.#partial);
    this.#drop();
  }

  #takeLong(raw: string): void {
    this.#take(clean(this.#takeStart(raw)));
  }

  /** Takes pieces of a line that is too long, and gives what remains. */
  #takeStart(raw: string): string {
    let rest = raw;
    while (rest.length > MAX_LINE_LENGTH) {
      const length = cutPoint(rest);
      // A copy: a slice would keep all of the text it was cut from.
      this.#take(clean(Buffer.from(rest.slice(0, length)).toString()));
      rest = rest.slice(length);
    }
    return Buffer.from(rest).toString();
  }

  #take(line: string, suspected = true): void {
    this.#scanner.take(line, this.#first + this.lines.length, this.lines, suspected);
    this.lines.push(line);
    this.#characters += line.length;
  }

  #drop(): void {
    let count = Math.max(0, this.lines.length - MAX_LINES);
    let characters = this.#characters;
    for (const line of this.lines.slice(0, count)) characters -= line.length;
    while (characters > MAX_CHARACTERS) characters -= this.lines[count++]?.length ?? 0;
    this.lines.splice(0, count);
    this.#first += count;
    this.#characters = characters;
  }

  #lastWords(): string {
    if (this.#leftOutFrom === undefined) return '';
    const from = this.#leftOutFrom;
    const lost = this.splats.filter(({ line }) => line >= from && line < this.#first);
    const { lines } = this.since(Math.max(from, this.#first));
    const parts = [
      `[ksym-matrix: ${this.#file.leftOut} bytes are left out here]`,
      ...(lost.length === 0 ? [] : ['[ksym-matrix: what the kernel reported among them:]']),
      ...lost.flatMap((splat) => splatExcerpt(splat)),
      `[ksym-matrix: the last ${lines.length} lines:]`,
      ...lines,
    ];
    return `\n${parts.join('\n')}\n`;
  }
}

/** What a terminal acts upon, apart from the ends of lines and tabs. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\r(?!\n|$)/;

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function clean(line: string): string {
  return stripVTControlCharacters(line).replace(/[\r\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}

/** Where to cut a long line: before the last thing that looks like a kernel's stamp, so that no announcement is cut in two. */
function cutPoint(raw: string): number {
  const stamp = raw.slice(0, MAX_LINE_LENGTH).lastIndexOf('[');
  return stamp > MAX_LINE_LENGTH - LONGEST_ANNOUNCEMENT ? stamp : MAX_LINE_LENGTH;
}
