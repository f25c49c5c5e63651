import { createHash } from 'node:crypto';
import { cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSelftestModules } from '../../kernels/build/selftest-modules.ts';
import { type DebianPackages, isDocumentation } from '../../kernels/debian/package-files.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { populateDirectory } from '../../kernels/populate.ts';
import { runTool, type ToolResult } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { ModuleTree } from '../guest/guest-modules.ts';
import { corpusPackages } from './package-files.ts';
import { selftestSource } from './selftest-source.ts';
import { type TestModuleRecipe, testModuleRecipe } from './test-module-packages.ts';

/** The kernel's own module for its BPF selftests. */
export const TEST_MODULE = 'bpf_testmod';

/** A module that was compiled against a kernel's headers. */
export interface TestModule {
  /** Where {@link loadModules} finds it. */
  readonly tree: ModuleTree;
  /** Changes with everything that it is compiled from. */
  readonly key: string;
  /** What it was compiled from, and with, for people. */
  readonly about: string;
}

/** What {@link buildTestModule} works with. */
export interface TestModuleOptions {
  /** The project's cache. */
  readonly cache: string;
  readonly mirror: string | undefined;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Raised when the same packages are compiled in another way. */
const LAYOUT = 1;

/**
 * Compiles bpf_testmod for a Debian kernel out of Debian's packages of the same version: headers, kbuild, source, and the compiler, which is another one
 * than the host's. All of it runs in a root of its own, below a mount namespace, so the same module comes out on every host. The headers bring the
 * kernel's types as `vmlinux`, so kbuild makes the module's BTF as well. It is not signed; Debian's kernels take it and are tainted.
 * @returns null for kernels that there is no recipe for
 * @throws ExplainedError `test-module-failed`, `selftest-module-missing`, and those of {@link DebianPackages}
 */
export async function buildTestModule(kernel: Kernel, options: TestModuleOptions): Promise<TestModule | null> {
  const recipe = testModuleRecipe(kernel);
  if (recipe === null) return null;
  const { cache, mirror, say, signal } = options;
  const wanted = [...recipe.headers, ...recipe.tools];
  const common = { cache, mirror, onMessage: say, signal };
  const own = { folder: 'test-modules', names: wanted.map(({ name }) => name) };
  const packages = corpusPackages({ ...common, own });
  const source = await selftestSource(corpusPackages(common), { cache, signal }, recipe.source);
  const root = await packages.unpack(wanted, `${TEST_MODULE}-${kernel.line}`, isNotForCompiling);
  const key = digest([LAYOUT, BUILD, kernel.release, source.key, root.key]);
  const directory = join(cache, 'corpus', 'test-modules', `${kernel.release}-${key}`);
  await populateDirectory(
    directory,
    async (temporary) => {
      say(`compiling ${TEST_MODULE} for ${kernel.release}`);
      await compile({ recipe, kernel, source: source.directory, usr: join(root.directory, 'usr'), temporary, signal });
    },
    { signal },
  );
  const compiler = root.packages.find(({ name }) => name.startsWith(`gcc-${recipe.gcc}`))?.version ?? '';
  return {
    tree: { directory, release: kernel.release },
    key,
    about: `${recipe.source.name} ${source.version}, gcc ${compiler}`,
  };
}

interface Compilation {
  readonly recipe: TestModuleRecipe;
  readonly kernel: Kernel;
  readonly source: string;
  /** The packages' /usr. */
  readonly usr: string;
  /** What is to have lib/modules/RELEASE. */
  readonly temporary: string;
  readonly signal: AbortSignal;
}

/**
 * Run in a mount namespace: the packages' /usr and the host's /dev/null (kbuild tries the compiler's options on it) are bound into a new root, whose /bin
 * is busybox. Symbols for debuggers are taken out, the BTF made of them stays.
 */
const ENTER =
  'mount --bind "$2" "$1/usr" && mount --bind /dev/null "$1/dev/null" && exec chroot "$1" /usr/bin/busybox sh /build.sh';
const BUILD = `
set -e
export PATH=/usr/bin:/bin LC_ALL=C
/usr/bin/busybox --install -s /bin
for tool in as ld; do ln -sf "/usr/bin/x86_64-linux-gnu-$tool" "/bin/$tool"; done
make -C "/usr/src/linux-headers-$RELEASE" M=/module "CC=x86_64-linux-gnu-gcc-$GCC" DEB_BUILD_ARCH=amd64 modules
x86_64-linux-gnu-objdump -h /module/${TEST_MODULE}.ko | grep -qw .BTF || { echo "${TEST_MODULE}.ko has no BTF" >&2; exit 1; }
x86_64-linux-gnu-strip --strip-debug /module/${TEST_MODULE}.ko
`;

async function compile({ recipe, kernel, source, usr, temporary, signal }: Compilation): Promise<void> {
  const root = join(temporary, '.root');
  for (const folder of ['bin', 'dev', 'tmp', 'usr']) await mkdir(join(root, folder), { recursive: true });
  for (const folder of ['lib', 'lib64']) await symlink(`usr/${folder}`, join(root, folder));
  await writeFile(join(root, 'dev/null'), '');
  await writeFile(join(root, 'build.sh'), BUILD);
  const [folder = ''] = await findSelftestModules([TEST_MODULE], source);
  await cp(join(source, 'tools/testing/selftests/bpf', folder), join(root, 'module'), { recursive: true });
  // An ordinary user gets a namespace of users too, where the system allows that.
  const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];
  const args = [...namespaces, 'sh', '-c', ENTER, 'sh', root, usr];
  const env = { RELEASE: kernel.release, GCC: recipe.gcc };
  const result = await runTool('unshare', args, { package: 'util-linux', env, signal, timeoutMs: PATIENCE_MS });
  if (result.exitCode !== 0) throw failed(result, kernel.release);
  const target = join(temporary, 'lib/modules', kernel.release);
  await mkdir(join(target, 'updates'), { recursive: true });
  await rename(join(root, 'module', `${TEST_MODULE}.ko`), join(target, 'updates', `${TEST_MODULE}.ko`));
  // As depmod writes it: the module needs no other.
  await writeFile(join(target, 'modules.dep'), `updates/${TEST_MODULE}.ko:\n`);
  await rm(root, { recursive: true, force: true });
}

/** Ten seconds where nothing else runs. */
const PATIENCE_MS = 300_000;

function failed(result: ToolResult, release: string): ExplainedError {
  const said = `${result.stdout.toString('utf8')}\n${result.stderr}`.trim().split('\n').slice(-8).join('\n    ');
  return new ExplainedError('test-module-failed', `${TEST_MODULE} cannot be compiled for ${release} here`, {
    why: said || `it ended with ${result.exitCode}`,
    fix: 'It is compiled in a root of its own, for which unshare --mount and chroot must be allowed: run as root, outside of a container that forbids mounting. An ordinary user of Ubuntu 23.10 or later first needs: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  });
}

/** What no compiler and no kbuild reads: half of the packages. */
function isNotForCompiling(path: string): boolean {
  return isDocumentation(path) || /^usr\/(?:share|libexec\/gcc\/.*\/lto1$|bin\/.*lto-dump)/.test(path);
}

function digest(inputs: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16);
}
