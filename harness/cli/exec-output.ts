import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { LinePrefix } from '../guest/line-prefix.ts';

/** Where a program's output goes. */
export interface OutputPlan {
  /** Before each line; null passes bytes through as they are. */
  readonly prefix: string | null;
  /** Where the files `stdout` and `stderr` are written instead. */
  readonly folder: string | null;
  /** Whether stdout belongs to the results: the program's own then goes to stderr. */
  readonly stdoutTaken: boolean;
}

type Sink = (bytes: Buffer) => void;

/** Takes the output of a program in a guest. */
export class ExecOutput {
  readonly #sinks: Readonly<Record<'stdout' | 'stderr', Sink>>;
  readonly #say: Sink;
  readonly #prefixes: LinePrefix[];
  readonly #files: WriteStream[];

  private constructor(plan: OutputPlan, files: readonly [WriteStream, WriteStream] | null) {
    const stderr: Sink = (bytes) => void process.stderr.write(bytes);
    const stdout: Sink = plan.stdoutTaken ? stderr : (bytes) => void process.stdout.write(bytes);
    this.#prefixes = [];
    this.#files = [...(files ?? [])];
    const throughPrefix = (sink: Sink): Sink => {
      if (plan.prefix === null) return sink;
      const prefix = new LinePrefix(plan.prefix, sink);
      this.#prefixes.push(prefix);
      return (bytes) => prefix.add(bytes);
    };
    this.#sinks =
      files === null
        ? { stdout: throughPrefix(stdout), stderr: throughPrefix(stderr) }
        : { stdout: (bytes) => void files[0].write(bytes), stderr: (bytes) => void files[1].write(bytes) };
    this.#say = stderr;
    this.#prefix = plan.prefix ?? '';
  }

  readonly #prefix: string;

  /** Opens the files, if there are to be any. Throws Node's error if they cannot be written. */
  static async open(plan: OutputPlan): Promise<ExecOutput> {
    if (plan.folder === null) return new ExecOutput(plan, null);
    await mkdir(plan.folder, { recursive: true });
    const open = (name: string): WriteStream => createWriteStream(join(plan.folder ?? '', name));
    return new ExecOutput(plan, [open('stdout'), open('stderr')]);
  }

  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.#sinks[stream](Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  /** Says something that is not the program's, on stderr. */
  say(text: string): void {
    this.#say(Buffer.from(`${this.#prefix}ksym-matrix: ${text}\n`));
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    for (const prefix of this.#prefixes) prefix.end();
    for (const file of this.#files) {
      file.end();
      await finished(file);
    }
  }
}
