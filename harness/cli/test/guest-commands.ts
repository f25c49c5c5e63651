import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shareCache, WITHOUT_TAP } from './command.ts';

/** What a command left behind; stdout as it came. */
export interface GuestEnd {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A folder with programs to run in guests, and a way to run `ksym-matrix` in it. */
export interface GuestCommands {
  readonly folder: string;
  readonly run: (
    args: readonly string[],
    options?: { input?: Uint8Array; environment?: Record<string, string> },
  ) => Promise<GuestEnd>;
  /** Runs a shell script on a terminal of its own; in it, `$KSYM` is the command. */
  readonly onTerminal: (script: string) => TerminalSession;
  readonly end: () => void;
}

/** A terminal, seen from the other end. */
export interface TerminalSession {
  readonly child: ChildProcess;
  readonly write: (text: string) => void;
  /** Waits until something not seen yet matches, and takes all up to its end. Rejects when the terminal closes before. */
  readonly until: (pattern: RegExp) => Promise<string>;
  readonly ended: Promise<number | null>;
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** A program that says where it is, and does what its arguments say; it is linked dynamically, against a library of its own. */
const PROGRAM = `
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
int answer(void);
int main(int argc, char **argv) {
  struct utsname name;
  const char *what = argc > 1 ? argv[1] : "";
  uname(&name);
  if (!strcmp(what, "exit")) return atoi(argv[2]);
  if (!strcmp(what, "raise")) return raise(atoi(argv[2]));
  if (!strcmp(what, "sleep")) return sleep(atoi(argv[2]));
  if (!strcmp(what, "panic")) {
    FILE *trigger = fopen("/proc/sysrq-trigger", "w");
    fputs("c", trigger);
    return fclose(trigger);
  }
  if (!strcmp(what, "copy")) {
    static char bytes[70000];
    ssize_t count;
    while ((count = read(0, bytes, sizeof bytes)) > 0)
      if (write(1, bytes, count) != count) return 1;
    return 0;
  }
  printf("%s %d %s\\n", name.release, answer(), getenv("COLOUR") ? getenv("COLOUR") : "");
  fflush(stdout);
  fprintf(stderr, "problem\\n");
  return 0;
}
`;

/** Makes the folder, and in it \`probe\` with its library in \`libs\`, \`orphan\` whose library is gone, and \`foreign\` for another machine. */
export function createGuestCommands(): GuestCommands {
  const folder = mkdtempSync('/tmp/ksym-test-');
  const cache = join(folder, 'cache');
  const temporary = join(folder, 'tmp');
  shareCache(cache);
  mkdirSync(temporary);
  mkdirSync(join(folder, 'libs'));
  writeFileSync(join(folder, 'answer.c'), 'int answer(void) { return 42; }\n');
  writeFileSync(join(folder, 'probe.c'), PROGRAM);
  compile(folder, ['-shared', '-fPIC', 'answer.c', '-o', 'libs/libanswer.so']);
  compile(folder, ['probe.c', '-Llibs', '-lanswer', '-Wl,-rpath,$ORIGIN/libs', '-o', 'probe']);
  compile(folder, ['probe.c', '-Llibs', '-lanswer', '-Wl,-rpath,$ORIGIN/nowhere', '-o', 'orphan']);
  compile(folder, [
    '-target',
    'aarch64-linux-gnu',
    '-nostdlib',
    '-shared',
    '-fuse-ld=lld',
    'answer.c',
    '-o',
    'foreign',
  ]);
  const inherited = { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, TERM: 'xterm' };
  const environment = { ...inherited, KSYM_MATRIX_CACHE: cache, TMPDIR: temporary };
  const begin = `import(${JSON.stringify(MAIN)}).then(async (m) => { process.exitCode = await m.main(process.argv.slice(1)); })`;
  const command = [...WITHOUT_TAP, process.execPath, '-e', begin, '--'];
  writeFileSync(join(folder, 'ksym'), `#!/bin/sh\nexec ${command.map(quoted).join(' ')} "$@"\n`, { mode: 0o755 });
  return {
    folder,
    run: (args, { input, environment: more = {} } = {}) => {
      const child = spawn(join(folder, 'ksym'), args, { cwd: folder, env: { ...environment, ...more } });
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
      return collect(child);
    },
    onTerminal: (script) => {
      const env = { ...environment, KSYM: join(folder, 'ksym') };
      return follow(spawn('script', ['-qec', script, '/dev/null'], { cwd: folder, env }));
    },
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** To compare bytes without printing them. */
export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function compile(folder: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync('clang', args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`clang ${args.join(' ')}: ${stderr}`);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function collect(child: ChildProcess): Promise<GuestEnd> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') }),
    );
  });
}

function follow(child: ChildProcess): TerminalSession {
  let seen = '';
  let waiting: (() => void)[] = [];
  let closed = false;
  const wake = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  child.stdout?.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1');
    wake();
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      closed = true;
      resolve(code);
      wake();
    });
  });
  const until = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const match = pattern.exec(seen);
      if (match !== null) {
        const taken = seen.slice(0, match.index + match[0].length);
        seen = seen.slice(taken.length);
        return taken;
      }
      if (closed) throw new Error(`the terminal closed before ${pattern}: ${JSON.stringify(seen)}`);
      await new Promise<void>((resolve) => {
        waiting = [...waiting, resolve];
      });
    }
  };
  return { child, write: (text) => void child.stdin?.write(text), until, ended };
}
