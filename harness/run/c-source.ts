/** A C file as far as its lines have to be found: not parsed, but told apart into comments, strings, macros, bodies and what stands at file scope. */
export class CSource {
  /** The lines as they are written. */
  readonly lines: readonly string[];
  /** Files that it includes with quotes, as they are written there. */
  readonly includes: readonly { readonly file: string; readonly line: number }[];
  /** The text with comments, the content of strings and preprocessor lines blanked, so that every character keeps its place. */
  readonly #code: string;
  readonly #statements: readonly Statement[];

  constructor(text: string) {
    this.lines = text.split('\n');
    const plain = blank(text, COMMENTS_AND_STRINGS);
    this.#code = blank(plain, PREPROCESSOR);
    this.#statements = statementsAtFileScope(this.#code);
    this.includes = this.lines.flatMap((line, index) => {
      const [, file] = /^\s*#\s*include\s*"([^"]+)"/.exec(line) ?? [];
      return file === undefined ? [] : [{ file, line: index + 1 }];
    });
  }

  /** The line that declares an extern: its name in a declaration with `extern` or `__ksym`; null if there is none. */
  findExtern(name: string): number | null {
    return this.#find(name, ({ text }) => /\b(extern|__ksym)\b/.test(text));
  }

  /** The line that defines a variable at file scope, where a macro may do it. */
  findVariable(name: string): number | null {
    return this.#find(name, ({ text, end }) => end === ';' || text.includes('='));
  }

  /** The line on which a function's definition has its name, also as the argument of a macro such as BPF_PROG. */
  findFunction(name: string): number | null {
    const called = new RegExp(`\\b${literally(name)}\\s*[(,)]`);
    return this.#find(name, ({ text, end }) => end === '{' && !text.includes('=') && called.test(text));
  }

  /** The first line outside of comments and strings that has the name as a word: inside of a macro, say. */
  findWord(name: string): number | null {
    const word = wordOf(name);
    const code = blank(this.lines.join('\n'), COMMENTS_AND_STRINGS).split('\n');
    const index = code.findIndex((line) => word.test(line));
    return index === -1 ? null : index + 1;
  }

  /** The only line that reads so, apart from white space around it; null if several do. */
  findText(text: string): number | null {
    const wanted = text.trim();
    const found = this.lines.flatMap((line, index) => (line.trim() === wanted ? [index + 1] : []));
    return found.length === 1 ? (found[0] ?? null) : null;
  }

  #find(name: string, fits: (statement: Statement) => boolean): number | null {
    const word = wordOf(name);
    for (const statement of this.#statements) {
      const at = statement.text.search(word);
      if (at !== -1 && fits(statement)) return this.#lineAt(statement.start + at);
    }
    return null;
  }

  #lineAt(offset: number): number {
    return this.#code.slice(0, offset).split('\n').length;
  }
}

/** What stands between two semicolons or braces outside of every body. */
interface Statement {
  readonly text: string;
  /** Offset in the file. */
  readonly start: number;
  readonly end: ';' | '{';
}

const COMMENTS_AND_STRINGS =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/(?:\\\n|[^\n])*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'/g;

/** With the lines that a backslash at the end adds. */
const PREPROCESSOR = /^[ \t]*#(?:\\\n|[^\n])*/gm;

/** Spaces for what matches, so that offsets and lines stay. */
function blank(text: string, pattern: RegExp): string {
  return text.replace(pattern, (found) => found.replace(/[^\n]/g, ' '));
}

function statementsAtFileScope(code: string): Statement[] {
  const statements: Statement[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: mark, index } of code.matchAll(/[{};]/g)) {
    if (depth === 0 && mark !== '}')
      statements.push({ text: code.slice(start, index), start, end: mark === ';' ? ';' : '{' });
    if (mark === '{') depth += 1;
    else if (mark === '}') depth = Math.max(0, depth - 1);
    if (depth === 0) start = index + 1;
  }
  return statements;
}

/** A name as a word of its own. */
function wordOf(name: string): RegExp {
  return new RegExp(`(?<![\\w$])${literally(name)}(?![\\w$])`);
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
