import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fetchToolPackage } from '../debian/tool-package.ts';
import { type KernelProgress, KernelStore } from '../store.ts';
import { locateVirtmeNg } from '../virtme-ng.ts';
import { type ArchivePackage, type Member, writeArchive } from './archive.ts';
import { makeKey } from './openpgp.ts';

// Everything here goes through the system's real apt, on an archive in a folder, signed with a key made here.
const key = makeKey('Test archive <archive@example.org>');
const SUITES = [{ name: 'stable', archive: 'main', for: 'tests' }] as const;

const OLD = '6.1.0-9-cloud-amd64';
const NEW = '7.3.4+deb13-cloud-amd64';

/** One kernel of each layout, as Debian has them, and a tool. */
function packages(oldVersion = '6.1.192-2'): ArchivePackage[] {
  const image = `linux-image-${NEW}`;
  return [
    {
      name: `linux-image-${OLD}`,
      version: oldVersion,
      members: [
        { path: `./boot/vmlinuz-${OLD}`, content: `kernel ${oldVersion}` },
        { path: `./boot/config-${OLD}`, content: 'CONFIG_VIRTIO=m\n' },
        { path: `./boot/System.map-${OLD}`, content: 'ffffffffffffffff B The real System.map is elsewhere\n' },
        { path: `./lib/modules/${OLD}/kernel/hello.ko.xz`, content: compressedModule() },
        { path: './usr/share/doc/x', content: 'x' },
      ],
    },
    {
      name: image,
      version: '7.3.4-1',
      depends: ['binary', 'base', 'modules'].map((part) => `linux-${part}-${NEW} (= 7.3.4-1)`).join(', '),
      members: [],
    },
    { name: `linux-binary-${NEW}`, version: '7.3.4-1', members: part('vmlinuz', 'kernel 7.3.4') },
    { name: `linux-base-${NEW}`, version: '7.3.4-1', members: part('config', 'CONFIG_VIRTIO=y\n') },
    { name: `linux-modules-${NEW}`, version: '7.3.4-1', members: part('kernel/x.txt', 'not needed') },
    { name: 'virtme-ng', version: '1.40-1', members: [{ path: './usr/bin/virtme-run', content: RUN }] },
  ];
}

const RUN = 'import sys\nprint("usage: --save-initramfs")\n';

function part(path: string, content: string): Member[] {
  return [{ path: `./usr/lib/modules/${NEW}/${path}`, content }];
}

const MODULE_SOURCE = 'const char info[] __attribute__((section(".modinfo"))) = "license=GPL\\0depends=";';

/** An ELF object, as depmod wants one, compressed as Debian's modules are. */
function compressedModule(): Buffer {
  const object = spawnSync('clang', ['-target', 'x86_64-linux', '-x', 'c', '-c', '-o', '-', '-'], {
    input: MODULE_SOURCE,
  });
  return spawnSync('xz', ['-c'], { input: object.stdout }).stdout;
}

/** A signed archive and a store that reads it. */
function setUp(root: string): Fixture {
  const archive = join(root, 'debian');
  const cache = join(root, 'cache');
  const keyring = join(root, 'archive.gpg');
  writeFileSync(keyring, key.keyring);
  writeArchive(archive, 'stable', key, packages());
  const messages: string[] = [];
  const progress: KernelProgress[] = [];
  const open = (offline = false): KernelStore =>
    new KernelStore({
      cache,
      offline,
      keyring,
      suites: SUITES,
      mirror: { option: `file:${archive}`, env: {} },
      onMessage: (message) => messages.push(message),
      onProgress: (event) => progress.push(event),
    });
  return { root, archive, cache, keyring, messages, progress, open };
}

interface Fixture {
  readonly root: string;
  readonly archive: string;
  readonly cache: string;
  readonly keyring: string;
  readonly messages: string[];
  readonly progress: KernelProgress[];
  readonly open: (offline?: boolean) => KernelStore;
}

t.test('kernels of both layouts come out of a signed archive, and then need it no more', async (t) => {
  const { archive, messages, progress, open } = setUp(t.testdir({}));
  const old = await open().get({ debian: '6.1' });
  t.match(old, {
    name: '6.1',
    line: '6.1',
    release: OLD,
    version: '6.1.192-2',
    source: 'Debian stable',
    systemMap: null,
  });
  t.equal(readFileSync(old.image, 'utf8'), 'kernel 6.1.192-2');
  t.equal(old.image, join(old.directory, 'boot', `vmlinuz-${OLD}`), 'where virtme-run walks up from');
  const modules = join(old.directory, 'lib/modules', OLD);
  t.notOk(existsSync(join(modules, 'kernel/hello.ko')), 'a module that nobody wants takes no room');
  await open().get({ debian: '6.1' }, { modules: ['hello', 'no_such_module'] });
  t.match(readFileSync(join(modules, 'kernel/hello.ko')).subarray(0, 4).toString('latin1'), '\x7fELF', 'decompressed');
  t.match(readFileSync(join(modules, 'modules.dep'), 'utf8'), /kernel\/hello\.ko:/, 'depmod has seen it');
  t.ok(existsSync(join(old.directory, 'usr/lib/modules', OLD)));

  const newest = await open().get({ debian: 'newest' });
  t.match(newest, { name: 'latest', line: '7.3', release: NEW, version: '7.3.4-1' });
  t.match(
    newest.packages.map(({ name }) => name),
    [`linux-binary-${NEW}`, `linux-base-${NEW}`],
    'its drivers are built in: no modules',
  );
  t.ok(existsSync(join(newest.directory, 'lib/modules', NEW, 'modules.dep')), 'so that nobody runs depmod there again');
  t.same(new Set(progress.map(({ phase }) => phase)), new Set(['lists', 'download', 'unpack', 'verify']));
  const bytes = progress.filter(({ phase, kernel }) => phase === 'download' && kernel === '6.1').at(-1);
  t.equal(bytes?.bytes, bytes?.totalBytes);
  t.same(
    (await open().list()).map(({ line, cached }) => [line, cached]),
    [
      ['7.3', true],
      ['6.1', true],
    ],
  );

  rmSync(archive, { recursive: true });
  t.match(await open(true).get({ debian: '6.1' }), { image: old.image, sha256: old.sha256 });
  t.match(
    await open().get({ debian: 'newest' }),
    { image: newest.image },
    'nor is it asked when the network may be used',
  );
  await t.rejects(open(true).get({ debian: '6.12' }), { code: 'kernel-line-unknown', why: 'it has 6.1, 7.3' });
  await t.rejects(open(true).get({ debian: '6.1.192-1' }), { code: 'kernel-line-unknown', why: 'it has 6.1.192-2' });
  t.match(await open(true).get({ debian: '6.1.192-2' }), { image: old.image, name: '6.1.192-2' }, 'an exact version');
  t.same(await open(true).expand({ debian: 'all' }), [{ debian: '6.1' }, { debian: '7.3' }]);
  t.same(messages, []);
});

t.test('damage in the cache is found, said, and mended', async (t) => {
  const { cache, archive, messages, open } = setUp(t.testdir({}));
  const kernel = await open().get({ debian: '6.1' });
  const pool = join(cache, 'debian/pool');
  const deb = join(pool, readdirSync(pool).find((name) => name.endsWith('.deb')) ?? '');

  appendFileSync(kernel.image, 'x');
  t.equal((await open(true).get({ debian: '6.1' })).sha256, kernel.sha256, 'rebuilt from the package, offline');
  t.match(messages.splice(0), [/boot\/vmlinuz-.* is not what was unpacked.*built again/]);

  for (const damage of [() => truncateSync(deb, 3000), () => writeFileSync(deb, Buffer.alloc(statSync(deb).size))]) {
    damage();
    rmSync(join(kernel.directory, 'kernel.json'));
    t.equal((await open().get({ debian: '6.1' })).sha256, kernel.sha256);
    t.match(messages.splice(0), [/kernel\.json is missing/, /\.deb is damaged .*downloaded again/]);
  }

  truncateSync(deb, 3000);
  rmSync(kernel.directory, { recursive: true });
  await t.rejects(open(true).get({ debian: '6.1' }), { code: 'not-cached', fix: /with a network/ });
  rmSync(join(archive, 'pool'), { recursive: true });
  await t.rejects(open().get({ debian: '6.1' }), { code: 'package-gone' });
});

t.test('a package that is not what the signed list says is refused', async (t) => {
  const { archive, cache, open } = setUp(t.testdir({}));
  const deb = join(archive, 'pool', `linux-image-${OLD}_6.1.192-2_amd64.deb`);
  const altered = readFileSync(deb);
  altered[altered.length - 600] = (altered[altered.length - 600] ?? 0) ^ 1;
  writeFileSync(deb, altered);
  await t.rejects(open().get({ debian: '6.1' }), { code: 'digest-mismatch' });
  t.same(
    readdirSync(join(cache, 'kernels')).filter((name) => !name.startsWith('.')),
    [],
    'nothing was unpacked',
  );
});

t.test('a release file that is unsigned, signed by another key, or altered after signing is refused', async (t) => {
  const { archive, cache, open } = setUp(t.testdir({}));
  const release = join(archive, 'dists/stable/InRelease');
  const good = readFileSync(release, 'utf8');
  const list = join(archive, 'dists/stable/main/binary-amd64/Packages');
  const spoilers: [string, () => void][] = [
    ['another key', () => writeArchive(archive, 'stable', makeKey('Somebody else'), packages())],
    ['altered', () => writeFileSync(release, good.replace('Origin: Debian', 'Origin: debian'))],
    ['unsigned', () => writeFileSync(release, 'Origin: Debian\n')],
  ];
  for (const [name, spoil] of spoilers) {
    writeArchive(archive, 'stable', key, packages());
    spoil();
    await t.rejects(open().get({ debian: '6.1' }), { code: 'signature-refused' }, name);
  }
  writeArchive(archive, 'stable', key, packages());
  appendFileSync(list, '\n');
  await t.rejects(
    open().get({ debian: '6.1' }),
    { code: 'digest-mismatch' },
    'a list that is not what the release file says',
  );
  t.notOk(existsSync(join(cache, 'kernels/index.json')));

  writeArchive(archive, 'stable', key, packages());
  t.match(await open().get({ debian: '6.1' }), { line: '6.1' }, 'and the good one is accepted after all these');
});

t.test('a line stays at its version until it is looked up again', async (t) => {
  const { archive, messages, open } = setUp(t.testdir({}));
  t.equal((await open().get({ debian: '6.1' })).version, '6.1.192-2');
  rmSync(archive, { recursive: true });
  writeArchive(archive, 'stable', key, packages('6.1.200-1'));
  t.equal((await open().get({ debian: '6.1' })).version, '6.1.192-2');
  const fresh = await open().get({ debian: '6.1' }, { refresh: true });
  t.equal(fresh.version, '6.1.200-1');
  t.equal(readFileSync(fresh.image, 'utf8'), 'kernel 6.1.200-1');
  t.same(messages, []);

  rmSync(archive, { recursive: true });
  await t.rejects(open().get({ debian: '6.1' }, { refresh: true }), { code: 'apt-update-failed' });
});

t.test('a mirror that has replaced a package since its list was read is asked for its list again', async (t) => {
  const { archive, messages, open } = setUp(t.testdir({}));
  await open().list();
  rmSync(archive, { recursive: true });
  writeArchive(archive, 'stable', key, packages('6.1.200-1'));
  t.equal((await open().get({ debian: '6.1' })).version, '6.1.200-1');
  t.match(messages, [/has replaced Linux 6\.1\.192-2/]);
});

t.test('two stores that want one kernel at the same time share the work', async (t) => {
  const { progress, open } = setUp(t.testdir({}));
  const [one, other] = await Promise.all([open().get({ debian: '6.1' }), open().get({ debian: '6.1' })]);
  t.equal(one.image, other.image);
  t.equal(progress.filter(({ phase, bytes }) => phase === 'unpack' && bytes === 0).length, 1, 'unpacked once');
});

t.test('virtme-ng comes from PATH if it is new enough, else from the package', async (t) => {
  const root = t.testdir({ bin: {} });
  const { cache, messages, open } = setUp(root);
  const put = (name: string, text: string): void =>
    writeFileSync(join(root, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const options = { cache, source: open().debian, path: join(root, 'bin') };
  put('vng', 'echo virtme-ng 1.22');
  put('virtme-run', 'echo --save-initramfs');
  t.match(await locateVirtmeNg(options), {
    from: 'cache',
    version: '1.40',
    command: ['/usr/bin/python3', /virtme-ng-1\.40-1\/usr\/bin\/virtme-run$/],
  });
  put('vng', 'echo virtme-ng 1.41');
  t.same(await locateVirtmeNg(options), {
    from: 'system',
    version: '1.41',
    command: [join(root, 'bin/virtme-run')],
    environment: {},
  });
  put('virtme-run', 'exit 1');
  t.match(await locateVirtmeNg(options), { from: 'cache' }, 'one that does not run is passed over');

  const { directory } = await fetchToolPackage('virtme-ng', options);
  writeFileSync(join(directory, 'usr/bin/virtme-run'), '');
  await fetchToolPackage('virtme-ng', options);
  t.equal(readFileSync(join(directory, 'usr/bin/virtme-run'), 'utf8'), RUN);
  t.match(messages, [/damaged/]);
  await t.rejects(fetchToolPackage('no-such-tool', options), { code: 'tool-package-unknown' });
});

t.test('without the archive keys nothing is asked', async (t) => {
  const { cache, archive, root } = setUp(t.testdir({}));
  const mirror = { option: `file:${archive}`, env: {} };
  const store = new KernelStore({ cache, keyring: join(root, 'none.gpg'), suites: SUITES, mirror });
  await t.rejects(store.get({ debian: '6.1' }), { code: 'debian-keyring-missing', fix: /debian-archive-keyring/ });
});
