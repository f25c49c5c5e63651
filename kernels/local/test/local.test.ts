import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { cacheDirectory } from '../../cache-directory.ts';
import { DebianSource } from '../../debian/source.ts';
import { readImageHeader } from '../../image-header.ts';
import type { KernelParts, KernelSource, ResolvedKernel } from '../../kernel-source.ts';
import { resolvedKernelSchema } from '../../kernel-source.ts';
import { layOutKernel } from '../../kernel-tree.ts';
import { missingNeeds } from '../../machine-needs.ts';
import type { KernelRequest } from '../../request.ts';
import { KernelStore } from '../../store.ts';
import { HostKernels } from '../host-kernels.ts';
import { ImageKernels } from '../image-kernels.ts';
import { TreeKernels } from '../tree-kernels.ts';
import { makeImage } from './images.ts';

const cache = cacheDirectory();
const debian = await new KernelStore({ cache }).get({ debian: '5.10' });
const { release } = debian;
const modulesFolder = join(debian.directory, 'lib/modules', release);
const config = readFileSync(debian.config ?? '', 'utf8');
const drivers = readdirSync(modulesFolder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /virtio.*\.ko$/.test(name),
);

const top = t.testdir({});
let folders = 0;
const newFolder = (): string => {
  const folder = join(top, `${++folders}`);
  mkdirSync(folder);
  return folder;
};

function put(path: string, content: string | Buffer): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const messages: string[] = [];
const context = {
  name: 'test',
  refresh: false,
  onProgress: () => {},
  signal: undefined,
  say: (text: string) => void messages.push(text),
};

/** A source and a request for it. */
function ask<R extends KernelRequest>(source: KernelSource<R>, request: R) {
  return {
    resolve: (): Promise<ResolvedKernel> => source.resolve(request, context),
    install: async (kernel: ResolvedKernel): Promise<KernelParts> =>
      source.install(kernel, request, { ...context, folder: newFolder(), modules: [] }),
  };
}

t.test('the header of a kernel says its release, and other files what they are', async (t) => {
  const folder = newFolder();
  const read = (content: Buffer | string): Promise<unknown> => readImageHeader(put(join(folder, 'image'), content));
  const real = readFileSync(debian.image);
  t.match(await read(real), { release, protocol: '2.15', versionText: /^5\.10.*\(debian-kernel@.* #1 SMP Debian/ });
  t.match(await read(makeImage('6.12.0-rc1+')), { release: '6.12.0-rc1+' });
  const at = (offset: number, text: string, size = 0x12000): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.write(text, offset, 'latin1');
    return bytes;
  };
  const pe = (machine: number, start = 'MZ'): Buffer => {
    const bytes = at(0, start);
    bytes.writeUInt32LE(0x80, 60);
    bytes.write('PE\0\0', 0x80, 'latin1');
    bytes.writeUInt16LE(machine, 0x84);
    return bytes;
  };
  const elf = (machine: number): Buffer => {
    const bytes = at(0, '\x7fELF\x02\x01\x01');
    bytes.writeUInt16LE(machine, 18);
    return bytes;
  };
  const wrong: readonly [Buffer, RegExp][] = [
    [at(56, 'ARM\x64'), /for arm64/],
    [gzipSync(at(56, 'ARM\x64')), /for arm64/],
    [pe(0xaa64, 'MZ\0\0zimg'), /for arm64/],
    [at(56, 'RSC\x05'), /for riscv/],
    [at(0x24, '\x18\x28\x6f\x01'), /for arm$/],
    [at(0x10008, 'S390EP'), /for s390/],
    [elf(21), /for ppc64/],
    [elf(258), /for loongarch/],
    [makeImage('6.1.0', { loadFlags: 0 }), /32-bit x86/],
    [makeImage('3.2.0', { protocol: 0x20a }), /32-bit x86/],
  ];
  for (const [content, message] of wrong) await t.rejects(read(content), { code: 'image-wrong-architecture', message });
  const none: readonly [Buffer | string, RegExp][] = [
    ['', /an empty file/],
    ['#!/bin/sh\n', /a script/],
    [elf(62), /vmlinux that debuggers want/],
    [gzipSync(real), /a gzip file, which holds/],
    [pe(0x8664), /an EFI program/],
    [Buffer.from('!<arch>\ndebian-binary'), /a \.deb/],
    ['hello world', /begins with "hello wo"/],
    [real.subarray(0, real.length - 8192), /cut off/],
    [real.subarray(0, 600), /cut off/],
    [makeImage('not a release'), /names no version/],
  ];
  for (const [content, why] of none) await t.rejects(read(content), { code: 'image-not-a-kernel', why });
  await t.rejects(readImageHeader(folder), { code: 'image-unreadable', why: 'it is a folder' });
  // A pipe that nobody writes into would be waited for, forever.
  spawnSync('mkfifo', [join(folder, 'pipe')]);
  await t.rejects(readImageHeader(join(folder, 'pipe')), { code: 'image-unreadable', why: 'it is no file' });
  await t.rejects(readImageHeader(join(folder, 'none')), { code: 'image-unreadable', why: /ENOENT/ });
});

t.test('what a machine needs is looked for in the configuration and among the modules', (t) => {
  const options = (missing: ReturnType<typeof missingNeeds>): string[] => missing.map(({ option }) => option);
  t.same(missingNeeds(config, drivers), [], "Debian's kernel with its modules");
  t.match(missingNeeds(config, []), [
    { option: 'CONFIG_VIRTIO_PCI', why: /virtio_pci\.ko is not there/ },
    { option: 'CONFIG_VIRTIO_CONSOLE', why: /virtio_console\.ko is not there/ },
  ]);
  t.same(options(missingNeeds(config, ['kernel/drivers/virtio/virtio_pci.ko.xz', 'virtio-console'])), []);
  t.same(options(missingNeeds(config.replace('CONFIG_BPF_SYSCALL=y', '# CONFIG_BPF_SYSCALL is not set'), drivers)), [
    'CONFIG_BPF_SYSCALL',
  ]);
  t.match(missingNeeds(config.replace('CONFIG_SERIAL_8250_CONSOLE=y', 'CONFIG_SERIAL_8250_CONSOLE=m'), drivers), [
    { option: 'CONFIG_SERIAL_8250_CONSOLE', why: /too late/ },
  ]);
  t.ok(options(missingNeeds('', [])).includes('CONFIG_X86_64'));
  t.end();
});

t.test('an image with modules and configuration is copied, and found again as long as nothing changed', async (t) => {
  const folder = newFolder();
  const image = put(join(folder, 'boot', `vmlinuz-${release}`), readFileSync(debian.image));
  put(join(folder, 'boot', `config-${release}`), config);
  cpSync(modulesFolder, join(folder, 'lib/modules', release), { recursive: true });
  symlinkSync('/nowhere', join(folder, 'lib/modules', release, 'build'));
  const { resolve, install } = ask(new ImageKernels(), { image, modules: folder });
  const found = resolvedKernelSchema.parse(await resolve());
  t.match(found, { source: 'image', line: '5.10', release, origin: image });
  t.equal((await resolve()).folder, found.folder);

  const parts = await install(found);
  const target = newFolder();
  await layOutKernel(parts, target, found, { folder: dirname(parts.image), modules: [], signal: undefined });
  t.ok(readFileSync(join(target, 'boot', `vmlinuz-${release}`)).equals(readFileSync(debian.image)));
  t.equal(readFileSync(join(target, 'boot', `config-${release}`), 'utf8'), config, 'the one beside the image');
  t.ok(drivers.length > 3);
  rmSync(join(folder, 'lib'), { recursive: true });
  for (const name of drivers) {
    const copy = readFileSync(join(target, 'lib/modules', release, name));
    t.ok(copy.equals(readFileSync(join(modulesFolder, name))), `${name} is a file of its own`);
  }

  const bare = ask(new ImageKernels(), { image, config: put(join(folder, 'other'), 'CONFIG_X86_64=y\n') });
  const other = await bare.resolve();
  t.not(other.folder, found.folder);
  t.match(await bare.install(other), { modules: null, systemMap: null });
  const strange = ask(new ImageKernels(), { image, config: put(join(folder, 'text'), 'hello\n') });
  await t.rejects(strange.resolve(), { code: 'config-not-a-config', where: join(folder, 'text') });
  put(join(folder, 'other'), 'CONFIG_X86_64=y\nCONFIG_PCI=y\n');
  t.not((await bare.resolve()).folder, other.folder, 'another configuration is another kernel');
  await t.rejects(bare.install(other), { code: 'package-gone', where: join(folder, 'other') });

  const missing = ask(new ImageKernels(), { image, modules: put(join(folder, 'lib/modules/6.1.0/x'), '') && folder });
  await t.rejects(missing.resolve(), { code: 'modules-missing', why: 'it has those for 6.1.0' });
  const foreign = ask(new ImageKernels(), {
    image: put(join(folder, 'new'), makeImage('5.11.0')),
    modules: modulesFolder,
  });
  await t.rejects(foreign.resolve(), { code: 'modules-for-other-release', why: `it was built for ${release}` });
  const none = ask(new ImageKernels(), { image, config: join(folder, 'none') });
  await t.rejects(none.resolve(), { code: 'file-unreadable', where: join(folder, 'none') });
});

/** What a build leaves behind, of Debian's kernel: all but the sources and what they were compiled to. */
function builtTree(): string {
  const tree = newFolder();
  put(join(tree, '.config'), config);
  put(join(tree, 'arch/x86/boot/bzImage'), readFileSync(debian.image));
  put(join(tree, 'System.map'), 'ffffffff81000000 T _text\n');
  put(join(tree, 'include/config/auto.conf'), config);
  put(join(tree, 'include/config/kernel.release'), `${release}\n`);
  put(join(tree, 'modules.builtin'), '');
  const order = drivers.map((name) => name.replace(/^kernel\//, ''));
  for (const name of order) put(join(tree, name), readFileSync(join(modulesFolder, 'kernel', name)));
  put(join(tree, 'modules.order'), order.map((name) => `${name.replace(/\.ko$/, '.o')}\n`).join(''));
  return tree;
}

t.test('a configuration that is nowhere beside the image is taken out of it', async (t) => {
  const zeros = Buffer.alloc(70_000);
  const kernelWith = (text: string): Buffer =>
    Buffer.concat([
      zeros,
      Buffer.from('IKCFG_ST'),
      zeros,
      Buffer.from('IKCFG_ST'),
      gzipSync(text),
      Buffer.from('IKCFG_ED'),
      zeros,
    ]);
  const text = 'CONFIG_IKCONFIG=y\nCONFIG_X86_64=y\n';
  const pack = (command: string, bytes: Buffer): Buffer =>
    Buffer.concat([spawnSync(command, ['-c'], { input: bytes }).stdout, Buffer.from([1, 2, 3, 4])]);
  const inside = async (payload: Buffer): Promise<string | null> => {
    const image = put(join(newFolder(), 'bzImage'), makeImage('6.6.1', { payload }));
    const { resolve, install } = ask(new ImageKernels(), { image });
    const { config: path } = await install(await resolve());
    return path === null ? null : readFileSync(path, 'utf8');
  };
  t.equal(await inside(gzipSync(kernelWith(text))), text);
  t.equal(await inside(pack('xz', kernelWith(text))), text);
  t.equal(await inside(pack('zstd', kernelWith(text))), text);
  t.equal(await inside(gzipSync(zeros)), null, 'a kernel without CONFIG_IKCONFIG');
  t.equal(await inside(gzipSync(kernelWith(text)).subarray(0, 200)), null, 'one that is damaged');
  t.equal(await inside(Buffer.from('BZh9 is not looked into')), null);
  const real = ask(new ImageKernels(), { image: put(join(newFolder(), 'vmlinuz'), readFileSync(debian.image)) });
  t.match(await real.install(await real.resolve()), { config: null }, "Debian's");
});

t.test('a built tree gives its image, configuration and modules, arranged by virtme-ng', async (t) => {
  const tree = builtTree();
  const source = new TreeKernels({ cache, debian: new DebianSource({ cache }) });
  const { resolve, install } = ask(source, { tree });
  const found = await resolve();
  t.match(found, { source: 'tree', line: '5.10', release, origin: tree });
  const before = readdirSync(tree);
  const parts = await install(found);
  t.same(
    readdirSync(tree).filter((name) => !before.includes(name)),
    ['.virtme_mods'],
    'what is left in the tree',
  );
  t.equal((await resolve()).folder, found.folder, 'and it changes nothing');
  const target = newFolder();
  await layOutKernel(parts, target, found, { folder: dirname(parts.image), modules: [], signal: undefined });
  const [module = ''] = drivers.filter((name) => name.endsWith('virtio_pci.ko'));
  const built = join(tree, module.replace(/^kernel\//, ''));
  t.ok(readFileSync(join(target, 'lib/modules', release, module)).equals(readFileSync(built)));
  t.match(
    readFileSync(join(target, 'lib/modules', release, 'modules.dep'), 'utf8'),
    /virtio_pci\.ko:.*virtio_ring\.ko/,
  );

  const { mtime } = statSync(built);
  utimesSync(built, mtime, new Date(mtime.getTime() + 1000));
  t.not((await resolve()).folder, found.folder, 'a module that was built anew makes another kernel');
  rmSync(built);
  await t.rejects(resolve(), { code: 'tree-not-built', why: /it has no .*virtio_pci.ko/ });
  rmSync(join(tree, 'modules.order'));
  t.match(
    (await resolve()).files.map(({ name }) => name),
    ['image', 'config', 'System.map'],
  );
  t.match(messages.splice(0), [/no modules that are built/]);
});

t.test('a tree that is not ready says what is to be done', async (t) => {
  const tree = builtTree();
  const source = new TreeKernels({ cache, debian: new DebianSource({ cache }) });
  const { resolve } = ask(source, { tree });
  put(join(tree, 'include/generated/utsversion.h'), '#define UTS_VERSION "#2 SMP tomorrow"\n');
  await t.rejects(resolve(), { code: 'tree-stale', why: /no bzImage was made of it/, fix: /make/ });
  put(join(tree, 'include/config/kernel.release'), '5.10.0-next+\n');
  await t.rejects(resolve(), { code: 'tree-stale', why: `the tree is at 5.10.0-next+, and its image is ${release}` });
  put(join(tree, '.config'), `${config}CONFIG_SOMETHING_NEW=y\n`);
  await t.rejects(resolve(), { code: 'tree-stale', why: /configuration was changed/ });
  put(join(tree, 'arch/x86/boot/bzImage'), 'half');
  await t.rejects(resolve(), { code: 'image-not-a-kernel' });
  rmSync(join(tree, 'arch'), { recursive: true });
  await t.rejects(resolve(), { code: 'tree-not-built' });
  put(join(tree, '.config'), '# Linux/arm64 6.1.0 Kernel Configuration\nCONFIG_ARM64=y\n');
  await t.rejects(resolve(), { code: 'image-wrong-architecture', why: /arm64/ });
  rmSync(join(tree, '.config'));
  await t.rejects(resolve(), { code: 'tree-missing', message: /no kernel tree/ });
  for (const name of ['Kbuild', 'Kconfig']) put(join(tree, name), '');
  await t.rejects(resolve(), { code: 'tree-not-configured', fix: /O=/ });
  await t.rejects(ask(source, { tree: join(tree, 'none') }).resolve(), { code: 'tree-missing' });
});

t.test("the running kernel is taken from where distributions put it, or it is said why it can't be", async (t) => {
  const root = newFolder();
  const { resolve, install } = ask(new HostKernels({ root, release }), { host: true });
  await t.rejects(resolve(), { code: 'host-image-missing', why: /container/ });
  cpSync(modulesFolder, join(root, 'usr/lib/modules', release), { recursive: true });
  const image = put(join(root, 'usr/lib/modules', release, 'vmlinuz'), readFileSync(debian.image));
  put(join(root, 'boot', `config-${release}`), config);
  const found = await resolve();
  t.match(found, { source: 'host', release, files: [{ path: image }, { name: 'config' }, { name: 'modules' }] });
  t.ok(readFileSync((await install(found)).image).equals(readFileSync(debian.image)));
  const boot = put(join(root, 'boot', `vmlinuz-${release}`), makeImage('5.10.0-other'));
  await t.rejects(resolve(), { code: 'host-image-replaced', where: boot });
  for (const path of [boot, image]) chmodSync(path, 0);
  const script = `import { HostKernels } from ${JSON.stringify(new URL('../host-kernels.js', import.meta.url).href)};
    const source = new HostKernels({ root: ${JSON.stringify(root)}, release: ${JSON.stringify(release)} });
    await source.resolve({ host: true }, {}).catch((error) => console.log(error.code, error.fix));`;
  // Nothing is unreadable for root, as long as it has these capabilities.
  const ordinary = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : ['env'];
  const [command = '', ...words] = [...ordinary, process.execPath, '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  t.equal(stdout, `host-image-unreadable sudo chmod a+r ${boot}\n`, stderr);
});
