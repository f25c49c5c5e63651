#!/usr/bin/env node
// The first step of every command: plain JavaScript without dependencies, because in a fresh clone there is nothing else.
// It installs the npm packages and compiles the TypeScript when a checkout needs it, then hands over to the compiled
// command line. In an installed package, which ships compiled, it only hands over.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
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
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE_FOLDERS = ['loader', 'kernels', 'harness', 'programs'];
const BUILD = join(ROOT, 'build');
const EXIT_MACHINE_BROKE = 3;

requireNode(20, 12);
if (existsSync(join(ROOT, 'harness', 'cli', 'main.ts'))) {
  withCheckoutLock(() => {
    installPackages();
    compile();
  });
}
const { main } = await import(new URL('../build/harness/cli/main.js', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2));

function requireNode(major, minor) {
  const [haveMajor = 0, haveMinor = 0] = process.versions.node.split('.').map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  stop(`Node ${process.versions.node} is too old: ksym-matrix needs ${major}.${minor} or later`);
}

// npm writes node_modules/.package-lock.json last, so its age tells whether an installation ended, and for which lock file.
function installPackages() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  const wanted = join(ROOT, 'package-lock.json');
  const complete = existsSync(installed) && existsSync(join(ROOT, 'node_modules', 'typescript', 'package.json'));
  if (complete && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  step('Installing npm packages', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (!existsSync(installed)) stop(`npm ci ended well, but left no ${installed}`);
  const now = new Date();
  utimesSync(installed, now, now);
}

// Compiles beside the old output and swaps the folders: a run that is under way keeps its files, a failed one spoils nothing.
function compile() {
  const digest = sourceDigest();
  const stamp = join(BUILD, '.sources');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  const fresh = `${BUILD}.new-${process.pid}`;
  const old = `${BUILD}.old-${process.pid}`;
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    step('Compiling TypeScript', process.execPath, [
      tsc,
      '-p',
      ROOT,
      '--outDir',
      fresh,
      '--incremental',
      'false',
      '--tsBuildInfoFile',
      'null',
    ]);
    writeFileSync(join(fresh, '.sources'), digest);
    if (existsSync(BUILD)) renameSync(BUILD, old);
    renameSync(fresh, BUILD);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

function sourceDigest() {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'tsconfig.json')));
  const packages = join(ROOT, 'node_modules', '.package-lock.json');
  hash.update(readFileSync(packages));
  for (const folder of SOURCE_FOLDERS) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true }).map(String).sort()) {
      if (!entry.endsWith('.ts')) continue;
      const path = join(ROOT, folder, entry);
      hash.update(`${path}\0`).update(readFileSync(path));
    }
  }
  return hash.digest('hex');
}

// Two commands in one checkout must not install or compile at the same time. A lock whose process is gone is taken over.
function withCheckoutLock(work) {
  const lock = join(ROOT, '.checkout-lock');
  let told = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') stop(`cannot write ${lock}: ${error.message}`);
    }
    let owner = 0;
    try {
      owner = Number(readFileSync(lock, 'utf8'));
    } catch {
      continue;
    }
    if (owner > 0 && !isAlive(owner)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) process.stderr.write(`Waiting for process ${owner}, which is preparing this checkout …\n`);
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  const release = () => rmSync(lock, { force: true });
  const interrupted = (signal) => {
    release();
    process.kill(process.pid, signal);
  };
  process.once('exit', release);
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    work();
  } finally {
    release();
    process.removeListener('exit', release);
    process.removeListener('SIGINT', interrupted);
    process.removeListener('SIGTERM', interrupted);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// What the tools print is progress for this program: it goes to stderr, so that stdout holds results alone.
function step(what, command, args) {
  const start = performance.now();
  process.stderr.write(`${what} …\n`);
  const result = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (result.error !== undefined) stop(`${what} failed: cannot run ${command}: ${result.error.message}`);
  if (result.signal !== null) process.kill(process.pid, result.signal);
  if (result.status !== 0)
    stop(`${what} failed: ${command} ended with exit code ${result.status} (its messages are above)`);
  process.stderr.write(`${what} took ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

function stop(message) {
  process.stderr.write(`ksym-matrix: ${message}\n`);
  process.exit(EXIT_MACHINE_BROKE);
}
