import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import type { SourceLocation } from '../results/results.ts';
import { CSource } from './c-source.ts';
import { toPosix } from './describe-cell.ts';

/** A C file that was read, under its absolute path. */
export interface SourceFile {
  readonly path: string;
  readonly source: CSource;
}

/** The C files of a run, each read once. Paths are told relative to the root of their repository. */
export class SourceFiles {
  readonly #root: string;
  readonly #files = new Map<string, Promise<SourceFile | null>>();

  constructor(root: string) {
    this.#root = resolve(root);
  }

  /** A file; null if it cannot be read. */
  read(path: string): Promise<SourceFile | null> {
    let file = this.#files.get(path);
    if (file === undefined) {
      file = readFile(path, 'utf8').then(
        (text) => ({ path, source: new CSource(text) }),
        () => null,
      );
      this.#files.set(path, file);
    }
    return file;
  }

  /** A file, then those that it includes with quotes and that lie in the repository, each once. */
  async withIncludes(path: string): Promise<SourceFile[]> {
    const found = new Map<string, SourceFile>();
    const waiting = [path];
    for (let next = waiting.shift(); next !== undefined && found.size < MOST_FILES; next = waiting.shift()) {
      if (found.has(next)) continue;
      const file = await this.read(next);
      if (file === null) continue;
      found.set(next, file);
      const folder = dirname(next);
      waiting.push(
        ...file.source.includes.map((include) => resolve(folder, include.file)).filter((one) => this.has(one)),
      );
    }
    return [...found.values()];
  }

  /** Whether a path lies in the repository. */
  has(path: string): boolean {
    const told = relative(this.#root, path);
    return told !== '' && !told.startsWith('..') && !isAbsolute(told);
  }

  /** A line of a file as the results tell it; null if the file has no such line. */
  locate({ path, source }: SourceFile, line: number, about: string): SourceLocation | null {
    const text = source.lines[line - 1];
    if (text === undefined) return null;
    return {
      path: toPosix(relative(this.#root, path)),
      line,
      text: [...text.trim()].slice(0, MOST_CHARACTERS).join(''),
      about,
    };
  }
}

/** Beyond that many includes nobody would find the line either. */
const MOST_FILES = 20;

const MOST_CHARACTERS = 200;
