import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Something of the system that the project cannot do without. */
export interface Requirement {
  /** For people. */
  readonly name: string;
  /** What it is for. */
  readonly purpose: string;
  /** The package that has it, on Debian and Ubuntu. */
  readonly package: string;
  /** Where it was found; undefined if it is missing. */
  readonly find: () => string | undefined;
  /** Needed by the tests alone. */
  readonly tests?: true;
  /** Needed to fetch and unpack packages: what is in the cache works without. */
  readonly fetching?: true;
}

/** Folders that an ordinary user's PATH lacks on Debian. */
const EXTRA_FOLDERS = ['/usr/sbin', '/sbin'];

/** Names of browsers with Chromium's engine, as Debian, Google, GitHub's runners and Ubuntu have them; the last is a script there that starts a snap. */
const CHROMIUMS = ['chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser'] as const;

/** What `npm run matrix` and `npm test` need of the system. npm packages and virtme-ng are not among them: those are fetched. */
export function requirements(): Requirement[] {
  return [
    command('qemu-system-x86_64', 'qemu-system-x86', 'runs the machines'),
    command('clang', 'clang', 'compiles the programs and the agent'),
    command('ld.lld', 'lld', 'links the agent'),
    file('libbpf headers', '/usr/include/bpf/bpf_helpers.h', 'libbpf-dev', 'the programs include them'),
    file('kernel headers', '/usr/include/linux/bpf.h', 'linux-libc-dev', 'the programs include them'),
    command('modprobe', 'kmod', 'virtme-ng asks it which modules a kernel needs'),
    { ...command('depmod', 'kmod', 'indexes the modules of a kernel'), fetching: true },
    staticBusybox(),
    command('file', 'file', 'virtme-ng looks at kernel images with it'),
    { ...command('xz', 'xz-utils', 'unpacks modules'), fetching: true },
    { ...command('zstd', 'zstd', 'unpacks modules'), fetching: true },
    {
      ...file(
        'Debian archive keys',
        '/usr/share/keyrings/debian-archive-keyring.gpg',
        'debian-archive-keyring',
        'checks what Debian signed',
      ),
      fetching: true,
    },
    {
      ...command('gpgv', 'gpgv', 'checks signatures where apt does not: old Debian kernels, mainline builds'),
      fetching: true,
    },
    file('python3', '/usr/bin/python3', 'python3', 'runs virtme-ng'),
    { ...command('apt-get', 'apt', 'fetches kernels, with a state of its own'), fetching: true },
    { ...command('dpkg-deb', 'dpkg', 'unpacks packages'), fetching: true },
    command('setpriv', 'util-linux', 'ends QEMU when the harness dies'),
    command('flock', 'util-linux', "keeps two runs out of each other's way"),
    ...(isDebian()
      ? []
      : [
          {
            ...file('debootstrap', '/usr/share/debootstrap/scripts', 'debootstrap', "knows Debian's default mirror"),
            fetching: true as const,
          },
        ]),
    bpftool(),
    { ...command('git', 'git', 'keeps the history of runs; tests make repositories'), tests: true },
    { ...command('readelf', 'binutils', 'an independent reading of ELF'), tests: true },
    { ...command('make', 'make', 'builds the small source that stands for a kernel'), tests: true },
    {
      name: 'chromium',
      // Ubuntu's package brings the snap, which wants snapd; Chrome from elsewhere is as good.
      package: isDebian() ? 'chromium' : 'chromium-browser',
      purpose: 'shows the HTML report to the tests (Chrome does as well; KSYM_MATRIX_CHROMIUM names any other)',
      find: findChromium,
      tests: true,
    },
  ];
}

/** The path of a program: PATH, then the folders for administrators. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter((folder) => folder !== ''), ...EXTRA_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * The path of Chromium or Chrome: what `KSYM_MATRIX_CHROMIUM` names, or else the first in PATH. A snap comes last: it sees no files outside of the user's
 * home and has a /tmp of its own ("The home interface" in snapd's documentation), and in containers it does not start.
 */
export function findChromium(): string | undefined {
  const named = process.env.KSYM_MATRIX_CHROMIUM;
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined;
  const found = CHROMIUMS.map(findProgram).filter((path) => path !== undefined);
  return found.find((path) => !isSnap(path)) ?? found[0];
}

/** Whatever is started from /snap/bin is a link to snapd's own program. */
function isSnap(path: string): boolean {
  return basename(realpathSync(path)) === 'snap';
}

function command(name: string, packageName: string, purpose: string): Requirement {
  return { name, package: packageName, purpose, find: () => findProgram(name) };
}

function file(name: string, path: string, packageName: string, purpose: string): Requirement {
  return { name, package: packageName, purpose, find: () => (existsSync(path) ? path : undefined) };
}

/** busybox and busybox-static install the same path; only the static one runs in an initramfs without a C library. */
function staticBusybox(): Requirement {
  return {
    name: 'static busybox',
    package: 'busybox-static',
    purpose: 'the shell of the initramfs',
    find: () => {
      const path = findProgram('busybox');
      return path !== undefined && isStatic(path) ? path : undefined;
    },
  };
}

/** Whether this is an ELF program, and none of its program headers has type PT_INTERP (3), which asks for a dynamic linker. */
function isStatic(path: string): boolean {
  const elf = readFileSync(path);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46) return false;
  const offset = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return !Array.from({ length: count }, (_, index) => elf.readUInt32LE(offset + index * size)).includes(3);
}

function bpftool(): Requirement {
  const requirement = command('bpftool', bpftoolPackage(), 'an independent reading of BTF');
  const find = isDebian() ? requirement.find : () => findLinuxTool('bpftool');
  return { ...requirement, find, tests: true };
}

/** Ubuntu keeps the tools of each kernel in a folder of their own. */
function findLinuxTool(name: string): string | undefined {
  const parent = '/usr/lib/linux-tools';
  const folders = existsSync(parent) ? readdirSync(parent) : [];
  return folders.map((folder) => join(parent, folder, name)).find(isExecutable);
}

/** The distribution's name for it: Ubuntu 24.04 has only a wrapper in linux-tools-common, and the real ones in packages for each kernel. */
function bpftoolPackage(): string {
  return isDebian() ? 'bpftool' : 'linux-tools-generic';
}

function isDebian(): boolean {
  return /^ID=debian$/m.test(osRelease());
}

function osRelease(): string {
  return existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
