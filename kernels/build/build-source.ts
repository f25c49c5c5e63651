import { createHash } from 'node:crypto';
import { copyFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { DebianSource } from '../debian/source.ts';
import { lineOf } from '../debian/version.ts';
import { requireSpace } from '../free-space.ts';
import { sha256OfFile } from '../kernel.ts';
import type {
  InstallContext,
  KernelParts,
  KernelProgress,
  KernelSource,
  ResolveContext,
  ResolvedKernel,
} from '../kernel-source.ts';
import { populateDirectory } from '../populate.ts';
import type { BuildRequest } from '../request.ts';
import { locateVirtmeNg, type VirtmeNg } from '../virtme-ng.ts';
import { baseFragments } from './base-config.ts';
import { compileKernel } from './compile.ts';
import { configureKernel } from './configure.ts';
import { type Fragment, readFragment, wantedOptions } from './fragments.ts';
import { type BuildFolder, buildFolder, inBuildFolder } from './object-tree.ts';
import { findSourceCode, readSourceVersion, type SourceCode, unpackSourceCode } from './source-code.ts';
import { type BuildTool, readToolchain, requireBuildTools, type Toolchain } from './tools.ts';

export interface BuildSourceOptions {
  /** The cache folder; sources and object trees lie in its `builds/`. */
  readonly cache: string;
  /** For `debian-X.Y` and for virtme-ng. */
  readonly debian: DebianSource;
  /** Default: the system's, or Debian's in the cache. */
  readonly virtme?: () => Promise<VirtmeNg>;
  /** What has to be installed. Default: {@link BUILD_TOOLS}. */
  readonly tools?: readonly BuildTool[];
}

/** Everything that decides what the bytes of a built kernel are. The final .config follows from the fragments and the rest. */
export interface BuildInputs {
  readonly code: SourceCode;
  readonly fragments: readonly Fragment[];
  /** Selftest modules. */
  readonly modules: readonly string[];
  readonly toolchain: Toolchain;
  readonly virtmeVersion: string;
}

/** Same inputs, same text; another input, another text. In hexadecimal. */
export function buildKey(inputs: BuildInputs): string {
  const { code, fragments, modules, toolchain, virtmeVersion } = inputs;
  // Comments, and options that a later fragment takes back, change nothing.
  const options = wantedOptions(fragments).map(({ name, value }) => `${name}=${value}`);
  const { compiler, linker, pahole } = toolchain;
  return digest(JSON.stringify([LAYOUT, code.digest, options, modules, compiler, linker, pahole, virtmeVersion]));
}

/** Kernels that are configured and compiled on this machine. Nothing is compiled, or even unpacked, if the same was built before. */
export class BuildSource implements KernelSource<BuildRequest> {
  readonly #options: BuildSourceOptions;

  constructor(options: BuildSourceOptions) {
    this.#options = options;
  }

  /**
   * Which kernel the inputs would give, as they are now.
   * @throws ExplainedError `build-tools-missing`, `build-source-missing`, `build-source-bad`, `build-source-not-clean`, `config-fragment-missing`, `config-fragment-bad`
   */
  async resolve(request: BuildRequest, context: ResolveContext): Promise<ResolvedKernel> {
    requireBuildTools(this.#options.tools);
    const { inputs } = await this.#inputs(request, context);
    const { code, toolchain } = inputs;
    const version = code.version ?? (await this.#version(inputs, context));
    const key = buildKey(inputs);
    const { name, path, size } = code;
    const sha256 = code.kind === 'folder' ? null : code.digest;
    return {
      source: 'build',
      line: lineOf(version) ?? version,
      flavour: null,
      release: null,
      version,
      folder: `build-${version.replace(/[^A-Za-z0-9._+~-]/g, '-')}-${key.slice(0, 12)}`,
      origin: `built here from ${name}`,
      files: [{ name, version: code.version ?? '', path, size, sha256, role: 'kernel' }],
      extra: { key, compiler: toolchain.compiler, pahole: toolchain.pahole },
    };
  }

  /**
   * Configures and compiles in CACHE/builds/, where kernels of the same source share what does not differ.
   * @throws ExplainedError `config-conflict`, `build-failed`, `selftest-module-missing`, `build-inputs-changed`, `disk-full`, and those of {@link BuildSource.resolve}
   */
  async install(kernel: ResolvedKernel, request: BuildRequest, context: InstallContext): Promise<KernelParts> {
    requireBuildTools(this.#options.tools);
    const { inputs, virtme } = await this.#inputs(request, { ...context, refresh: false });
    if (buildKey(inputs) !== kernel.extra.key) {
      throw new ExplainedError('build-inputs-changed', `what ${kernel.origin} is built from has changed`, {
        where: inputs.code.path,
        why: 'the source, a fragment of the configuration, the compiler, pahole or virtme-ng is another than a moment ago',
        fix: 'ksym-matrix kernels pull looks again at what there is.',
      });
    }
    const { signal } = context;
    const folder = this.#folder(inputs);
    return inBuildFolder(folder, { onWait: this.#options.debian.onWait, signal }, async () => {
      const report = reporter(context, nameOf(context.name, request), performance.now());
      const source = await this.#unpacked(inputs.code, folder, context);
      await requireSpace(folder.directory, OBJECTS_BYTES, 'the objects of a kernel');
      report('configure', 'configuring');
      const common = { source, objects: folder.objects, log: folder.log, signal };
      const config = await configureKernel({ ...common, fragments: inputs.fragments, virtme, say: context.say });
      const built = (await stat(join(folder.objects, 'vmlinux')).catch(() => null)) !== null;
      const compiled = await compileKernel({
        ...common,
        config,
        modules: inputs.modules,
        target: join(context.folder, 'modules'),
        scratch: join(folder.directory, 'modules'),
        onStep: (step, files) => report('build', describe(step, files, built)),
      });
      // The next kernel is compiled over these.
      const keep = async (path: string, name: string): Promise<string> => {
        await copyFile(path, join(context.folder, name));
        return join(context.folder, name);
      };
      const { name, version, digest: sha256 } = inputs.code;
      return {
        release: compiled.release,
        image: await keep(compiled.image, 'bzImage'),
        config: await keep(compiled.config, 'config'),
        systemMap: await keep(compiled.systemMap, 'System.map'),
        modules: compiled.modules,
        files: [
          { name, version: version ?? '', sha256 },
          { name: '.config', version: '', sha256: await sha256OfFile(compiled.config) },
        ],
      };
    });
  }

  async #inputs(request: BuildRequest, context: ResolveContext): Promise<{ inputs: BuildInputs; virtme: VirtmeNg }> {
    const { source, config = [], modules = [] } = request.build;
    const { cache, debian } = this.#options;
    const virtme = await (this.#options.virtme?.() ?? locateVirtmeNg({ cache, source: debian }));
    const inputs = {
      code: await findSourceCode(source, debian, context),
      fragments: [...(await baseFragments()), ...(await Promise.all(config.map((entry) => readFragment(entry))))],
      modules,
      toolchain: await readToolchain(context.signal),
      virtmeVersion: virtme.version,
    };
    return { inputs, virtme };
  }

  /** One for each source and toolchain. A folder that is edited keeps its objects: make goes by the files' times. */
  #folder({ code, toolchain, virtmeVersion }: BuildInputs): BuildFolder {
    const identity = code.kind === 'folder' ? code.path : code.digest;
    const hash = digest(JSON.stringify([LAYOUT, identity, toolchain, virtmeVersion])).slice(0, 12);
    return buildFolder(this.#options.cache, `${code.name.replace(/[^A-Za-z0-9._+-]/g, '-')}-${hash}`);
  }

  async #version(inputs: BuildInputs, context: ResolveContext): Promise<string> {
    const { code } = inputs;
    if (code.kind === 'folder') return readSourceVersion(code.path);
    return readSourceVersion(await this.#unpacked(code, this.#folder(inputs), context));
  }

  /** The folder that has the source's Makefile. */
  async #unpacked(code: SourceCode, folder: BuildFolder, context: ResolveContext | InstallContext): Promise<string> {
    if (code.kind === 'folder') return code.path;
    const { debian } = this.#options;
    const report = (phase: KernelProgress['phase'], bytes: number, bytesPerSecond = 0): void =>
      context.onProgress({ phase, kernel: context.name, bytes, totalBytes: code.size, bytesPerSecond });
    const fill = async (target: string): Promise<void> => {
      await requireSpace(target, SOURCE_BYTES, 'the source of a kernel');
      await unpackSourceCode(code, target, debian, report, () => report('unpack', 0));
    };
    await populateDirectory(folder.source, fill, { onWait: debian.onWait, signal: context.signal });
    return folder.source;
  }
}

/** Part of every key: raised when this code begins to build something else from the same inputs. */
const LAYOUT = 1;
/** What an unpacked source takes: 1.1 GB (5.10) to 1.6 GB. */
const SOURCE_BYTES = 1.7e9;
/** What the objects of a small kernel with debug information take. */
const OBJECTS_BYTES = 2e9;
/** How many files the small configuration compiles: 1,500 of 5.10, more of later ones. */
const USUAL_FILES = 1500;

/** Variants of one source have one name. */
function nameOf(name: string, { build: { config = [] } }: BuildRequest): string {
  const options = config.map((entry) => basename(entry).replace(/^CONFIG_/, ''));
  return options.length === 0 ? name : `${name} with ${options.join(', ')}`;
}

type Report = (phase: KernelProgress['phase'], detail: string) => void;

/** Tells about a long step at most once a second. */
function reporter(context: InstallContext, kernel: string, started: number): Report {
  let last = Number.NEGATIVE_INFINITY;
  return (phase, detail) => {
    const now = performance.now();
    if (now - last < 1000) return;
    last = now;
    const seconds = Math.round((now - started) / 1000);
    const time = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    const none = { bytes: 0, totalBytes: null, bytesPerSecond: 0 };
    context.onProgress({ phase, kernel, ...none, detail: `${detail}, ${time}` });
  };
}

/** `compiling, 812 of about 1,500 files`; a kernel that shares objects with another compiles a few files only, and how many nobody knows. */
function describe(step: string, files: number, built: boolean): string {
  if (step !== 'compiling') return step;
  const count = new Intl.NumberFormat('en').format(files);
  const total = new Intl.NumberFormat('en').format(USUAL_FILES);
  return built || files >= USUAL_FILES ? `${step}, ${count} files` : `${step}, ${count} of about ${total} files`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
