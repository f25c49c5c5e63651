import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';

/** What a command left behind. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that is running. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Settles when stderr has matched; rejects if the command ends before. */
  readonly said: (pattern: RegExp) => Promise<void>;
}

/** A place for commands: a cache of its own, and temporary files of its own. */
export interface CommandPlace {
  readonly folder: string;
  readonly cache: string;
  /** Runs `ksym-matrix` and waits for its end. */
  readonly run: (args: readonly string[], options?: CommandOptions) => Promise<Ended>;
  readonly start: (args: readonly string[], options?: CommandOptions) => Running;
  readonly end: () => void;
}

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Program and arguments to put before. */
  readonly prefix?: readonly string[];
  readonly cwd?: string;
}

/** What is costly and never changed by a run: kernels, package lists, virtme-ng, the agent. */
const SHARED = ['kernels', 'debian', 'tools', 'agent', 'machines', 'templates', 'loaders'];

/**
 * What to put before a Node that is no test. tap hands each process a NODE_OPTIONS that follows it and all its children (`@tapjs/processinfo`), for the sake
 * of coverage that nobody asks for here: every start took a tenth of a second more, and one with many modules twice as long.
 */
export const WITHOUT_TAP: readonly string[] = ['/usr/bin/env', '-u', 'NODE_OPTIONS'];

/**
 * Makes a place whose cache shares the real one's kernels, so that nothing is fetched twice, but has its own runs: tests must
 * not push a user's evidence out of the cache.
 */
export function createPlace(): CommandPlace {
  const folder = mkdtempSync('/tmp/ksym-test-');
  const cache = join(folder, 'cache');
  const temporary = join(folder, 'tmp');
  shareCache(cache);
  mkdirSync(temporary);
  const start = (args: readonly string[], { environment = {}, prefix = [], cwd = folder }: CommandOptions = {}) => {
    const words = [...WITHOUT_TAP, ...prefix, process.execPath, join(PACKAGE_ROOT, 'harness', 'launch.mjs'), ...args];
    const [program = '', ...rest] = words;
    const inherited = { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined };
    // A process group of its own, as a shell gives each command, so that a test can send what Ctrl-C sends.
    const child = spawn(program, rest, {
      cwd,
      env: { ...inherited, KSYM_MATRIX_CACHE: cache, TMPDIR: temporary, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    return follow(child);
  };
  return {
    folder,
    cache,
    start,
    run: (args, options) => start(args, options).ended,
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Fills a folder with links to what is costly in the real cache. */
export function shareCache(cache: string): void {
  const real = cacheDirectory();
  mkdirSync(cache);
  for (const name of SHARED) {
    mkdirSync(join(real, name), { recursive: true });
    symlinkSync(join(real, name), join(cache, name));
  }
  const finding = join(real, 'accelerator.json');
  if (existsSync(finding)) cpSync(finding, join(cache, 'accelerator.json'));
}

function follow(child: ChildProcess): Running {
  let stdout = '';
  let stderr = '';
  const waiting: { pattern: RegExp; resolve: () => void; reject: (error: Error) => void }[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const { pattern, resolve } of waiting) if (pattern.test(stderr)) resolve();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const one of waiting) one.reject(new Error(`the command ended before it said ${one.pattern}:\n${stderr}`));
      resolve({ code, signal, stdout, stderr });
    });
  });
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      if (pattern.test(stderr)) resolve();
      else waiting.push({ pattern, resolve, reject });
    });
  return { child, ended, said };
}

const HEAD = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n';
const LICENSE = 'char _license[] SEC("license") = "GPL";\n';
/** `bpf_link_fops` is in the kallsyms of every kernel since 5.7; it is what the ksym tests of the kernel itself use. */
const READS = 'SEC("tc") int read(void *ctx) { address = (__u64)&bpf_link_fops; return 0; }\n';
const SYMBOL = 'extern const void bpf_link_fops __ksym;\n__u64 address;\n';

const NOT_FOUND = '{phase: resolve, class: ksym-not-in-kallsyms, extern: ksym_matrix_nowhere}';
const RUN = 'run: [{program: read, returns: 0}]\n';
const CHECK = 'checks: [{variable: address, equals: {kallsyms: bpf_link_fops}}]\n';
const expectation = (outcome: string): string => `expect: [{outcome: ${outcome}, reason: written for this test}]\n`;

/** Programs by name: the C file and what is expected. Some are wrong, in the one way that their name says. */
const PROGRAMS: Readonly<Record<string, readonly [string, string]>> = {
  works: [`${HEAD}${SYMBOL}${READS}${LICENSE}`, `${RUN}${CHECK}${expectation('works')}`],
  refused: [
    `${HEAD}extern const void ksym_matrix_nowhere __ksym;\n__u64 address;\n${READS.replace('bpf_link_fops', 'ksym_matrix_nowhere')}${LICENSE}`,
    `${RUN}${expectation(NOT_FOUND)}`,
  ],
  hidden: [
    `${HEAD}${SYMBOL}${READS}${LICENSE}`,
    `${RUN}variants: [strict]\n${expectation('{phase: resolve, class: kallsyms-hidden}')}`,
  ],
  crashes: [
    `${HEAD}${SYMBOL}${READS}${LICENSE}`,
    `${RUN}${CHECK}variants: [starved, strict]\nexpect:\n` +
      '  - {when: {variant: strict}, outcome: {phase: resolve, class: kallsyms-hidden}, reason: written for this test}\n' +
      '  - {outcome: works, reason: written for this test}\n',
  ],
  'wrong-expectation': [
    `${HEAD}extern const void ksym_matrix_nowhere __ksym;\n__u64 address;\n${READS.replace('bpf_link_fops', 'ksym_matrix_nowhere')}${LICENSE}`,
    `${RUN}${expectation('works')}`,
  ],
  'unexpected-success': [`${HEAD}${SYMBOL}${READS}${LICENSE}`, `${RUN}${CHECK}${expectation(NOT_FOUND)}`],
  'wrong-value': [
    `${HEAD}${SYMBOL}${READS}${LICENSE}`,
    `${RUN}checks: [{variable: address, equals: 4660}]\n${expectation('works')}`,
  ],
  'wrong-return': [`${HEAD}${SYMBOL}${READS}${LICENSE}`, `run: [{program: read, returns: 7}]\n${expectation('works')}`],
  uncompilable: [
    `${HEAD}${SYMBOL}SEC("tc") int read(void *ctx) { return no_such_thing; }\n${LICENSE}`,
    `${RUN}${expectation('works')}`,
  ],
  unloadable: [
    `${HEAD}int elsewhere(void);\nSEC("tc") int read(void *ctx) { return elsewhere(); }\n${LICENSE}`,
    `${RUN}${expectation('works')}`,
  ],
  misnamed: [
    `${HEAD}${SYMBOL}char wide[16];\n${READS}${LICENSE}`,
    'run: [{program: raed}]\nchecks: [{variable: adress, equals: 1}, {variable: wide, differs: {variable: addres}}]\n' +
      expectation('works'),
  ],
  'truth-missing': [
    `${HEAD}${SYMBOL}${READS}${LICENSE}`,
    `${RUN}checks: [{variable: address, equals: {file-size: /proc/no-such-file}}]\n${expectation('works')}`,
  ],
  warned: [
    `${HEAD}${SYMBOL}${READS.replace('{ ', '{ int not_used; ')}${LICENSE}`,
    `${RUN}${CHECK}${expectation('works')}`,
  ],
};

/** Writes matrix.yaml for one kernel, with all of the test's programs beside it, and gives its path. */
export function writeMatrix(folder: string, kernel: string): string {
  const programs = join(folder, 'programs');
  mkdirSync(programs, { recursive: true });
  for (const [name, [source, rest]] of Object.entries(PROGRAMS)) {
    writeFileSync(join(programs, `${name}.bpf.c`), source);
    writeFileSync(join(programs, `${name}.yaml`), `title: A program of the tests\n${rest}`);
  }
  const path = join(folder, 'matrix.yaml');
  const names = Object.keys(PROGRAMS).join(', ');
  writeFileSync(
    path,
    [
      `kernels: [{debian: "${kernel}"}]`,
      `programs: [${names}]`,
      'variants:',
      // Nearly all memory is set aside, and the kernel panics when it runs out: a crash that needs no defect.
      '  starved: {sysctl: {vm.panic_on_oom: 2, vm.min_free_kbytes: 500000}}',
      '  strict: {sysctl: {kernel.kptr_restrict: 2}}',
      '',
    ].join('\n'),
  );
  return path;
}
