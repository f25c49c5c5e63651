import type { WantedPackage } from '../../kernels/debian/package-files.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { SELFTESTS } from './packages.ts';

/** How bpf_testmod of a Debian kernel is compiled. */
export interface TestModuleRecipe {
  /** The kernel's source, which has the module's; one of the corpus's own packages. */
  readonly source: WantedPackage;
  /** The kernel's headers, and kbuild's programs. */
  readonly headers: readonly WantedPackage[];
  /** The compiler, what it is run with, and pahole: a small Debian of its own. */
  readonly tools: readonly WantedPackage[];
  /** Major version of the gcc that Debian compiled the kernel with, as its headers ask for. */
  readonly gcc: string;
}

/** Kernels that bpf_testmod is compiled for, by line. */
interface Line {
  readonly gcc: string;
  readonly compiler: readonly string[];
  readonly source: WantedPackage;
  readonly suites: readonly string[];
  /** Name of the package with kbuild's programs. */
  readonly kbuild: (release: string) => string;
}

const TRIXIE = ['trixie', 'trixie-security'];

const LINES: Readonly<Record<string, Line>> = {
  '6.12': {
    gcc: '14',
    compiler: ['gcc-14-x86-64-linux-gnu', 'cpp-14-x86-64-linux-gnu', 'libgcc-14-dev'],
    source: SELFTESTS,
    suites: TRIXIE,
    kbuild: (release) => `linux-kbuild-${release}`,
  },
};

/** Without a compiler: what gcc, make, kbuild and pahole of trixie need to run, down to the C library. */
const TOOLS: readonly string[] = [
  'binutils-x86-64-linux-gnu',
  'busybox-static',
  'libbinutils',
  'libbpf1',
  'libbz2-1.0',
  'libc6',
  'libctf-nobfd0',
  'libctf0',
  'libdw1t64',
  'libelf1t64',
  'libgcc-s1',
  'libgmp10',
  'libisl23',
  'libjansson4',
  'liblzma5',
  'libmpc3',
  'libmpfr6',
  'libsframe1',
  'libstdc++6',
  'libzstd1',
  'make',
  'pahole',
  'zlib1g',
];

/** The recipe for a kernel; null if it is no Debian kernel, or of a line that the module is not compiled for. */
export function testModuleRecipe({
  kind,
  line,
  release,
  flavour,
}: Pick<Kernel, 'kind' | 'line' | 'release' | 'flavour'>): TestModuleRecipe | null {
  const found = LINES[line];
  if (kind !== 'debian' || flavour === null || found === undefined) return null;
  const base = release.replace(new RegExp(`-${flavour}-amd64$`), '');
  const { suites } = found;
  const headers = [`linux-headers-${release}`, `linux-headers-${base}-common`, found.kbuild(base)];
  return {
    source: found.source,
    headers: headers.map((name) => ({ name, suites })),
    tools: [...TOOLS, ...found.compiler].map((name) => ({ name, suites: TRIXIE })),
    gcc: found.gcc,
  };
}
