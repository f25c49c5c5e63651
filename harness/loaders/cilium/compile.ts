import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runTool, toolFailed } from '../../../kernels/run-tool.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { GoRelease } from './packages.ts';

/** The import path of the library. */
export const LIBRARY_PATH = 'github.com/cilium/ebpf';

/** Where the adapter's Go sources are. */
export const ADAPTER_SOURCES: string = join(PACKAGE_ROOT, 'harness', 'loaders', 'cilium', 'adapter');

/** A Go that was unpacked, and where it keeps what it compiled. */
export interface GoToolchain {
  readonly release: GoRelease;
  /** GOROOT. */
  readonly root: string;
  /** GOCACHE. */
  readonly compiled: string;
}

/** What the adapter is compiled from. */
export interface Compilation {
  readonly go: GoToolchain;
  /** The library's sources: the folder with its go.mod. */
  readonly library: string;
  /** Unpacked packages of the modules that the library imports. */
  readonly modules: string;
  /** For the answer's `loader.version`. */
  readonly version: string;
  /** A folder that may be written to, and is empty. */
  readonly workspace: string;
  readonly output: string;
  readonly signal: AbortSignal;
}

/** What the build depends on beside the files: part of the key of what it makes. */
export const COMPILATION_FLAGS = '-trimpath -ldflags="-s -w" -lang, GO111MODULE=off CGO_ENABLED=0';

/**
 * Compiles the adapter with a library into one static program. Nothing outside the project's cache is written or asked: Go is told to look for
 * sources in folders (GOPATH) instead of the network, and to have no home.
 * @throws ExplainedError `adapter-build-failed`, `interrupted`, `disk-full`
 */
export async function compileAdapter(compilation: Compilation): Promise<void> {
  const { go, library, modules, version, workspace, output, signal } = compilation;
  const own = join(workspace, 'src');
  await mkdir(join(own, dirname(LIBRARY_PATH)), { recursive: true });
  await symlink(library, join(own, LIBRARY_PATH));
  await symlink(ADAPTER_SOURCES, join(own, 'adapter'));
  const newest = Number(go.release.split('.')[1]);
  const language = languageOf(await readFile(join(library, 'go.mod'), 'utf8'), library, newest);
  const flags = ['-trimpath', '-ldflags', `-s -w -X main.version=${version}`];
  if (language !== null) flags.push('-gcflags', `${LIBRARY_PATH}/...=-lang=go${language}`);
  const result = await runTool(join(go.root, 'bin', 'go'), ['build', ...flags, '-o', output, 'adapter'], {
    package: `golang-${go.release}-go`,
    cwd: workspace,
    env: {
      GOROOT: go.root,
      GOPATH: `${workspace}:${join(modules, 'usr/share/gocode')}`,
      GOCACHE: go.compiled,
      GOTMPDIR: workspace,
      HOME: workspace,
      GO111MODULE: 'off',
      GOPROXY: 'off',
      GOSUMDB: 'off',
      GOTOOLCHAIN: 'local',
      GOTELEMETRY: 'off',
      GOENV: 'off',
      GOFLAGS: '',
      GOEXPERIMENT: '',
      GOOS: 'linux',
      GOARCH: 'amd64',
      GOAMD64: 'v1',
      CGO_ENABLED: '0',
    },
    signal,
  });
  if (result.exitCode === 0) return;
  throw toolFailed(result, 'adapter-build-failed', `the adapter for cilium/ebpf ${version} does not compile`, library);
}

/**
 * The version of the language that a library is written in, as its go.mod says: before 1.22 the variable of a loop is one for all its rounds. Null
 * if the compiler does not know it yet, which then tries its own.
 * @param where the library's folder
 * @param newest the minor number of the newest version that the compiler knows
 * @throws ExplainedError `loader-path-unusable` if it is another library's
 */
export function languageOf(goMod: string, where: string, newest: number): string | null {
  if (!new RegExp(`^module ${LIBRARY_PATH}$`, 'm').test(goMod)) {
    throw new ExplainedError('loader-path-unusable', 'these are not the sources of cilium/ebpf', {
      where,
      why: `its go.mod does not name the module ${LIBRARY_PATH}`,
      fix: 'Give the folder of a checkout of github.com/cilium/ebpf.',
    });
  }
  const [, minor] = /^go 1\.(\d+)/m.exec(goMod) ?? [];
  return minor === undefined || Number(minor) > newest ? null : `1.${minor}`;
}
