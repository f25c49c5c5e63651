import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KernelLock, lockPathOf } from '../../../kernels/lock-file.ts';
import { KernelStore } from '../../../kernels/store.ts';
import { type ArchivePackage, writeArchive } from '../../../kernels/test/archive.ts';
import { makeKey } from '../../../kernels/test/openpgp.ts';

// Kernels come through the system's real apt from a signed archive in a folder, as in kernels/test/debian-chain.test.ts.
const key = makeKey('Test archive <archive@example.org>');
const SUITES = [{ name: 'stable', archive: 'main', for: 'tests' }] as const;

/** A cloud kernel in one package, small. */
export function kernel(version: string, content = `kernel ${version}`): ArchivePackage {
  const release = `${version.replace('-', '+deb13-')}-cloud-amd64`;
  return {
    name: `linux-image-${release}`,
    version,
    members: [
      { path: `./boot/vmlinuz-${release}`, content },
      { path: `./boot/config-${release}`, content: NEEDED.map((name) => `CONFIG_${name}=y\n`).join('') },
      { path: `./lib/modules/${release}/modules.builtin`, content: '' },
    ],
  };
}

/** What a machine needs of a kernel. */
const NEEDED = [
  ...['VIRTIO', 'VIRTIO_PCI', 'VIRTIO_CONSOLE', 'SERIAL_8250', 'SERIAL_8250_CONSOLE', 'BLK_DEV_INITRD', 'PCI', 'TTY'],
  ...[
    'BPF',
    'BPF_SYSCALL',
    'DEVTMPFS',
    'PROC_FS',
    'SYSFS',
    'BINFMT_ELF',
    'BINFMT_SCRIPT',
    'PRINTK',
    'HVC_DRIVER',
    'NET',
  ],
];

/** An archive, a cache, a matrix that wants all of Debian's lines, and a store. */
export function setUp(root: string) {
  const archive = join(root, 'debian');
  const cache = join(root, 'cache');
  const keyring = join(root, 'archive.gpg');
  mkdirSync(cache);
  writeFileSync(keyring, key.keyring);
  const serve = (...packages: ArchivePackage[]): void => {
    rmSync(archive, { recursive: true, force: true });
    writeArchive(archive, 'stable', key, packages);
  };
  const open = (lock?: KernelLock): KernelStore =>
    new KernelStore({ cache, keyring, suites: SUITES, mirror: { option: `file:${archive}`, env: {} }, lock });
  const matrix = { path: join(root, 'matrix.yaml'), kernels: [{ request: { debian: 'all' }, name: undefined }] };
  return { archive, cache, serve, open, matrix, lockPath: lockPathOf(matrix.path) };
}

/** A saved and a prepared machine of a kernel, as far as the inventory looks at them. */
export function addMachines(cache: string, image: string): void {
  mkdirSync(join(cache, 'templates/saved'), { recursive: true });
  mkdirSync(join(cache, 'machines/prepared'), { recursive: true });
  const record = { bootMs: 1, created: '2026-01-31T12:00:00.000Z', kernel: image, commandLine: 'quiet', digests: {} };
  writeFileSync(join(cache, 'templates/saved/template.json'), JSON.stringify(record));
  const plan = { qemu: 'qemu', arguments: [], kernelParameters: [] };
  writeFileSync(join(cache, 'machines/prepared/plan.json'), JSON.stringify({ plan, image, initrdSha256: '' }));
}
