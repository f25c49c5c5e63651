import type { WantedPackage } from '../../kernels/debian/package-files.ts';
import type { Suite } from '../../kernels/debian/suites.ts';

/** BPF objects that somebody else compiled. */
export interface ObjectPackage extends WantedPackage {
  /** What its objects are called here: `cilium-0.9`. */
  readonly source: string;
  /** What it has, for docs/corpus.md. */
  readonly about: string;
}

/**
 * Where packages of the corpus come from. Debian's unstable suite is not read: its golang-github-cilium-ebpf-dev (0.22.0+ds1) has no
 * ELF file any more, and what changes daily is no baseline.
 */
export const CORPUS_SUITES: readonly Suite[] = [
  { name: 'bookworm', archive: 'main', for: 'older objects, the compiler' },
  { name: 'bookworm-security', archive: 'security', for: 'the compiler' },
  { name: 'trixie', archive: 'main', for: 'newer objects, selftests, libbpf' },
  { name: 'trixie-security', archive: 'security', for: 'selftests, bpftool' },
];

const BOOKWORM = ['bookworm', 'bookworm-security'];
const TRIXIE = ['trixie', 'trixie-security'];

/** Packages with compiled BPF objects, as files or within programs. */
export const OBJECT_PACKAGES: readonly ObjectPackage[] = [
  {
    source: 'cilium-0.9',
    name: 'golang-github-cilium-ebpf-dev',
    suites: BOOKWORM,
    about: 'test data of cilium/ebpf 0.9: clang 7, 9 and 14, both byte orders, some that must fail',
  },
  {
    source: 'cilium-0.11',
    name: 'golang-github-cilium-ebpf-dev',
    suites: TRIXIE,
    about: 'test data of cilium/ebpf 0.11: kfuncs, `.kconfig`, linked objects',
  },
  { source: 'libxdp', name: 'libxdp1', suites: BOOKWORM, about: "xdp-tools' dispatcher and filters" },
  { source: 'xdp-tests', name: 'xdp-tests', suites: BOOKWORM, about: "xdp-tools' own tests" },
  {
    source: 'libbpf-tools-12',
    name: 'libbpf-tools',
    suites: BOOKWORM,
    about: 'tracing tools of bcc 0.26, embedded in programs: CO-RE, kprobe, fentry, tracepoint, `.kconfig`',
  },
  { source: 'libbpf-tools-13', name: 'libbpf-tools', suites: TRIXIE, about: 'the same of bcc 0.31' },
];

/** The kernel's own BPF selftests. */
export const SELFTESTS: WantedPackage = { name: 'linux-source-6.12', suites: TRIXIE };

/**
 * What the selftests are compiled with. All of it comes from Debian, whatever this host has installed: the same objects come out everywhere.
 * Bookworm's build of clang 19 runs on every host with the C library of Debian 12 or later.
 */
export const COMPILER_PACKAGES: readonly WantedPackage[] = [
  'clang-19',
  'libclang-cpp19',
  'libllvm19',
  'libclang-common-19-dev',
  'libedit2',
  'libbsd0',
  'libmd0',
  'libffi8',
  'libxml2',
  'libicu72',
  'liblzma5',
  'libz3-4',
  'libzstd1',
  'zlib1g',
  'libtinfo6',
].map((name) => ({ name, suites: BOOKWORM }));

/** Headers that the selftests include: the C library's, the kernel's, libbpf's, and a vmlinux.h of the kernel that the selftests belong to. */
export const HEADER_PACKAGES: readonly WantedPackage[] = [
  'libc6-dev',
  'linux-libc-dev',
  'libbpf-dev',
  'linux-bpf-dev',
].map((name) => ({ name, suites: TRIXIE }));

/** bpftool, which has libbpf built in, and the libraries that it takes into a guest. */
export const ORACLE_PACKAGES: readonly WantedPackage[] = [
  'bpftool',
  'libc6',
  'libelf1t64',
  'libcap2',
  'libzstd1',
  'zlib1g',
].map((name) => ({ name, suites: TRIXIE }));

/** Everything that may be fetched. */
export const ALL_PACKAGES: readonly WantedPackage[] = [
  ...OBJECT_PACKAGES,
  SELFTESTS,
  ...COMPILER_PACKAGES,
  ...HEADER_PACKAGES,
  ...ORACLE_PACKAGES,
];
