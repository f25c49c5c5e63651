#!/usr/bin/env node
// The first step of every command: plain JavaScript without dependencies, because in a fresh clone there is nothing else.
// It installs the npm packages and compiles the TypeScript when a checkout needs it, then hands over to the compiled
// command line. In an installed package, which ships compiled, it only hands over.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE_FOLDERS = ['loader', 'kernels', 'harness'];
const SITE_SCRIPTS = join(ROOT, 'harness', 'report', 'site', 'client');
const BUILD = join(ROOT, 'build');
const STAMP = join(BUILD, '.sources');
const INSTALLED = join(ROOT, 'node_modules', '.package-lock.json');
const EXIT_MACHINE_BROKE = 3;
const EXIT_INTERRUPTED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

// loader/guarded-process.ts in short, which is not compiled yet: the whole group is killed when the pipe on standard input closes
// although the tool still runs, because then this process was killed.
const GUARD =
  'exec 3<&0 </dev/null; { trap "" HUP INT QUIT TERM; read -r _ <&3; kill -0 $$ && kill -KILL -$$; } >/dev/null 2>&1 & exec "$@" 3<&-';
const LOCK =
  'exec 9>>"$1" || exit 1; flock -n 9 || { echo waiting; flock 9 || exit 1; }; echo locked; exec sleep infinity';

/** The tool that runs now, and the signal that asked this process to end. */
let child;
let interruptedBy;

/** What ends this program before its work begins, with its last words. */
class Stop extends Error {
  constructor(message, exitCode = EXIT_MACHINE_BROKE) {
    super(message);
    this.exitCode = exitCode;
  }
}

requireNode(20, 19);
outliveTerminal();
if (existsSync(join(ROOT, 'harness', 'cli', 'main.ts')) && !isPrepared()) {
  await withCheckoutLock(async () => {
    await installPackages();
    await compile();
  });
}
const { main } = await import(new URL('../build/harness/cli/main.js', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2));

function requireNode(major, minor) {
  const [haveMajor = 0, haveMinor = 0] = process.versions.node.split('.').map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  process.stderr.write(
    `ksym-matrix: Node ${process.versions.node} is too old: ksym-matrix needs ${major}.${minor} or later\n`,
  );
  process.exit(EXIT_MACHINE_BROKE);
}

// At its end Node sets its terminals back to how they were, and aborts, with a core dump, if one of them was closed meanwhile (ResetStdio in
// src/node.cc). It leaves alone what is no open file any more.
function outliveTerminal() {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on('exit', () => {
    for (const fd of terminals) {
      try {
        if (!isatty(fd)) closeSync(fd);
      } catch {
        // It is closed already.
      }
    }
  });
}

// A checkout that is prepared is not written to, so others may use it as well.
function isPrepared() {
  return isInstalled() && isCompiled(sourceDigest());
}

// npm writes node_modules/.package-lock.json last, so its age tells whether an installation ended, and for which lock file.
function isInstalled() {
  const complete = existsSync(INSTALLED) && existsSync(join(ROOT, 'node_modules', 'typescript', 'package.json'));
  return complete && statSync(INSTALLED).mtimeMs >= statSync(join(ROOT, 'package-lock.json')).mtimeMs;
}

function isCompiled(digest) {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === digest;
}

async function installPackages() {
  if (isInstalled()) return;
  await step('Installing npm packages', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (!existsSync(INSTALLED)) throw new Stop(`npm ci ended well, but left no ${INSTALLED}`);
  const now = new Date();
  utimesSync(INSTALLED, now, now);
}

// Compiles beside the old output and swaps the folders: a run that is under way keeps its files, a failed one spoils nothing.
async function compile() {
  const digest = sourceDigest();
  if (isCompiled(digest)) return;
  // Whoever compiles holds the lock, so these belong to processes that were killed.
  for (const entry of readdirSync(ROOT)) {
    if (/^build\.(new|old)-\d+$/.test(entry)) removeStale(join(ROOT, entry));
  }
  const fresh = `${BUILD}.new-${process.pid}`;
  const old = `${BUILD}.old-${process.pid}`;
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await step('Compiling TypeScript', process.execPath, [tsc, '-p', ROOT, '--outDir', fresh]);
    await step('Compiling the scripts of the site', process.execPath, [tsc, '-p', SITE_SCRIPTS, '--outDir', fresh]);
    writeFileSync(join(fresh, '.sources'), digest);
    if (existsSync(BUILD)) renameSync(BUILD, old);
    renameSync(fresh, BUILD);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

function removeStale(folder) {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A compiler whose parent was killed may still write to it: the next compilation removes it.
  }
}

function sourceDigest() {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'tsconfig.json')));
  hash.update(readFileSync(join(SITE_SCRIPTS, 'tsconfig.json')));
  hash.update(readFileSync(INSTALLED));
  for (const folder of SOURCE_FOLDERS) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true }).map(String).sort()) {
      if (!entry.endsWith('.ts')) continue;
      const path = join(ROOT, folder, entry);
      hash.update(`${path}\0`).update(readFileSync(path));
    }
  }
  return hash.digest('hex');
}

// Two commands in one checkout must not install or compile at the same time.
async function withCheckoutLock(work) {
  let lock;
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    lock = await takeLock(join(ROOT, '.checkout-lock'));
    await work();
    // Lets a signal be noticed that came while nothing was waited for.
    await sleep(0);
    if (interruptedBy !== undefined) throw new Stop(`stopped by ${interruptedBy}`, EXIT_INTERRUPTED);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(error.message === '' ? '' : `ksym-matrix: ${error.message}\n`);
    process.exit(error.exitCode);
  } finally {
    lock?.stdin.end();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

// The kernel's own lock, held by a guarded child: it goes with this process, however that ends (kernels/lock.ts says more).
async function takeLock(file) {
  const holder = spawnGuarded('/bin/sh', ['-c', LOCK, 'sh', file], ['pipe', 'pipe', 2]);
  child = holder;
  await new Promise((resolve) => {
    holder.stdout.on('data', (text) => {
      if (String(text).includes('locked')) resolve();
      else
        process.stderr.write(
          `Waiting for process ${ownerOf(file)}, which is preparing this checkout (it holds ${file}) …\n`,
        );
    });
    holder.once('error', resolve);
    holder.once('exit', resolve);
  });
  child = undefined;
  if (interruptedBy !== undefined) throw new Stop('', EXIT_INTERRUPTED);
  if (holder.pid === undefined || holder.exitCode !== null) throw new Stop(`cannot lock ${file}`);
  writeFileSync(file, String(process.pid));
  holder.stdout.destroy();
  holder.unref();
  return holder;
}

// For the message alone.
function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || 'another';
  } catch {
    return 'another';
  }
}

// The tool has a process group of its own, so this reaches it and its children, and nothing else does.
function interrupt(signal) {
  killGroup(interruptedBy === undefined ? signal : 'SIGKILL');
  interruptedBy = signal;
}

function killGroup(signal) {
  try {
    if (child?.pid !== undefined) process.kill(-child.pid, signal);
    return true;
  } catch {
    return false;
  }
}

// npm and tsc start further processes, which may end a little later.
async function groupEnds() {
  for (let tries = 0; tries < 20 && killGroup(0); tries++) await sleep(50);
  killGroup('SIGKILL');
}

// What the tools print is progress for this program: it goes to stderr, so that stdout holds results alone.
async function step(what, command, args) {
  const start = performance.now();
  process.stderr.write(`${what} …\n`);
  const end = await new Promise((resolve) => {
    child = spawnGuarded(command, args, ['pipe', 2, 2]);
    child.once('error', (error) => resolve({ error }));
    child.once('exit', (status, signal) => resolve({ status, signal }));
  });
  if (interruptedBy !== undefined) await groupEnds();
  child = undefined;
  if (interruptedBy !== undefined) throw new Stop(`${what}: stopped by ${interruptedBy}`, EXIT_INTERRUPTED);
  if (end.error !== undefined) throw new Stop(`${what} failed: cannot run ${command}: ${end.error.message}`);
  if (end.signal !== null) throw new Stop(`${what} failed: ${command} was ended by ${end.signal}`);
  if (end.status !== 0) {
    throw new Stop(`${what} failed: ${command} ended with exit code ${end.status} (its messages are above)`);
  }
  process.stderr.write(`${what} took ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

function spawnGuarded(command, args, stdio) {
  return spawn('/bin/sh', ['-c', GUARD, 'sh', command, ...args], { cwd: ROOT, stdio, detached: true });
}
