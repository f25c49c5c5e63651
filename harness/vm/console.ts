import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { stripVTControlCharacters } from 'node:util';

/** A crash that the kernel reported on its console. */
export interface ConsoleCrash {
  readonly kind: 'panic' | 'oops';
  /** Index into {@link ConsoleLog.lines}. */
  readonly line: number;
  readonly text: string;
}

/**
 * The patterns by which a kernel announces that it is broken, with where it prints them.
 * An oops may be followed by a panic; the panic is then what counts.
 */
const CRASH_PATTERNS: readonly { readonly kind: ConsoleCrash['kind']; readonly pattern: RegExp }[] = [
  // kernel/panic.c, panic()
  { kind: 'panic', pattern: /Kernel panic - not syncing/ },
  // arch/x86/mm/fault.c and kernel/watchdog.c, kernel/locking: "BUG: kernel NULL pointer dereference", "BUG: soft lockup"
  { kind: 'oops', pattern: /\bBUG: / },
  // include/asm-generic/bug.h, "kernel BUG at mm/slab.c:123!"
  { kind: 'oops', pattern: /\bkernel BUG at / },
  // arch/x86/kernel/dumpstack.c, __die_header(): "Oops: 0000 [#1] SMP". Older kernels put the exception's name in place of
  // "Oops" if it is no page fault, as in "invalid opcode: 0000 [#1]".
  { kind: 'oops', pattern: /\bOops: |general protection fault|: [0-9a-f]{4} \[#\d+\]/ },
];

/** Lines kept in memory; the file has all of them. A console flood must not fill the host's memory. */
const MAX_LINES = 5000;
const MAX_LINE_LENGTH = 4000;

/**
 * One boot's console: written to a file as it comes, and searched for signs of life and death.
 */
export class ConsoleLog {
  readonly path: string;
  /** Whole lines so far, without terminal control characters; the oldest are dropped beyond 5,000. */
  readonly lines: string[] = [];
  /** Bytes received. */
  size = 0;
  #crash: ConsoleCrash | undefined;
  #partial = '';
  readonly #decoder = new TextDecoder();
  readonly #file: WriteStream;
  #fileError: Error | undefined;
  #firstOutput: (() => void) | undefined;
  readonly firstOutput: Promise<void>;

  constructor(path: string) {
    this.path = path;
    this.#file = createWriteStream(path);
    this.#file.on('error', (error) => {
      this.#fileError = error;
    });
    this.firstOutput = new Promise((resolve) => {
      this.#firstOutput = resolve;
    });
  }

  /** The first crash of the worst kind seen so far. */
  get crash(): ConsoleCrash | undefined {
    return this.#crash;
  }

  /** Why the log file is incomplete (a full disk, say); undefined if it is not. */
  get fileError(): Error | undefined {
    return this.#fileError;
  }

  /** Takes what the console printed. */
  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.size += chunk.length;
    this.#firstOutput?.();
    this.#firstOutput = undefined;
    if (this.#fileError === undefined) this.#file.write(chunk);
    const text = this.#partial + this.#decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    this.#partial = (lines.pop() ?? '').slice(0, MAX_LINE_LENGTH);
    for (const line of lines) this.#take(line);
  }

  /** The last `count` lines that are not empty. */
  tail(count: number): string[] {
    const all = this.#partial === '' ? this.lines : [...this.lines, clean(this.#partial)];
    return all.filter((line) => line.trim() !== '').slice(-count);
  }

  /** The lines around the crash: its announcement and what follows, at most `count`. */
  crashExcerpt(count: number): string[] {
    if (this.#crash === undefined) return [];
    return this.lines.slice(this.#crash.line, this.#crash.line + count).filter((line) => line.trim() !== '');
  }

  /** Flushes and closes the file. */
  async close(): Promise<void> {
    this.#file.end();
    await finished(this.#file).catch(() => undefined);
  }

  #take(raw: string): void {
    const line = clean(raw.slice(0, MAX_LINE_LENGTH));
    this.lines.push(line);
    if (this.lines.length > MAX_LINES) {
      this.lines.shift();
      if (this.#crash !== undefined) this.#crash = { ...this.#crash, line: Math.max(0, this.#crash.line - 1) };
    }
    if (this.#crash?.kind === 'panic') return;
    const found = CRASH_PATTERNS.find(({ pattern }) => pattern.test(line));
    if (found === undefined || this.#crash?.kind === found.kind) return;
    this.#crash = { kind: found.kind, line: this.lines.length - 1, text: line };
  }
}

function clean(line: string): string {
  return stripVTControlCharacters(line).replace(/[\r\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}
