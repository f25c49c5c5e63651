import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { DebianPackage } from '../../../../kernels/debian/package-list.ts';
import { ExplainedError } from '../../../../loader/errors.ts';
import { damageOfAdapter, sealAdapter } from '../../built-adapter.ts';
import { unpackChosen } from '../../chosen-packages.ts';
import type { LoaderComplaint } from '../../prepared-loader.ts';
import { findLibrary } from '../library.ts';
import { classify } from '../messages.ts';
import { packagesOfVersion, upstreamOf } from '../versions.ts';

/** Words of libbpf, each from a run of the version that is named, on Linux 5.10, 6.12 or 6.18. */
const SAID: readonly (readonly [version: string, message: string, means: LoaderComplaint])[] = [
  ['0.3', 'extern jiffies (strong) not resolved', { class: 'ksym-not-in-kallsyms', extern: 'jiffies' }],
  ['1.7', "extern 'jiffies' (strong): not resolved", { class: 'ksym-not-in-kallsyms', extern: 'jiffies' }],
  [
    '0.3',
    "extern (ksym) 's_show' resolution is ambiguous: 0xffffffff81444b20 or 0xffffffff8149e6a0",
    { class: 'ksym-ambiguous', extern: 's_show' },
  ],
  [
    '1.1',
    "extern (ksym) 's_show': resolution is ambiguous: 0xffffffff81444b20 or 0xffffffff8149e6a0",
    { class: 'ksym-ambiguous', extern: 's_show' },
  ],
  [
    '0.3',
    "extern (ksym) 'bpf_prog_active': failed to find BTF ID in vmlinux BTF.",
    { class: 'ksym-not-in-btf', extern: 'bpf_prog_active' },
  ],
  ['1.5', "extern (var ksym) 'jiffies': not found in kernel BTF", { class: 'ksym-not-in-btf', extern: 'jiffies' }],
  [
    '1.4',
    "extern (var ksym) 'bpf_prog_active': incompatible types, expected [21] struct rq, but kernel has [21] int int",
    { class: 'ksym-type-mismatch', extern: 'bpf_prog_active' },
  ],
  [
    '1.5',
    "extern (func ksym) 'bpf_key_put': not found in kernel or module BTFs",
    { class: 'kfunc-not-found', extern: 'bpf_key_put' },
  ],
  [
    '0.3',
    "failed to find BTF for extern 'bpf_rcu_read_lock': -2",
    { class: 'loader-lacks-feature', extern: 'bpf_rcu_read_lock' },
  ],
  [
    '0.3',
    'Unsupported BTF_KIND:0\nfailed to find valid kernel BTF\nError loading vmlinux BTF: -3',
    { class: 'loader-lacks-feature' },
  ],
  ['0.3', 'failed to find valid kernel BTF\nError loading vmlinux BTF: -3', { class: 'btf-missing' }],
  ['0.3', "unrecognized extern 'LINUX_HAS_SYSCALL_WRAPPER'", { class: 'loader-lacks-feature' }],
  ['0.3', "map 'bloom_map': unknown field 'map_extra'.", { class: 'loader-lacks-feature' }],
  ['0.3', "map 'prog_array_init': should be map-in-map.", { class: 'loader-lacks-feature' }],
  [
    '0.3',
    "prog 'syscall_type': missing BPF prog type, check ELF section name 'syscall'",
    { class: 'loader-lacks-feature', program: 'syscall_type' },
  ],
  [
    '1.5',
    "prog 'typed_weak_unguarded': BPF program load failed: Permission denied",
    { class: 'verifier-rejected', program: 'typed_weak_unguarded' },
  ],
  [
    '1.7',
    "prog 'typed_weak_unguarded': BPF program load failed: -EACCES",
    { class: 'verifier-rejected', program: 'typed_weak_unguarded' },
  ],
];
/** The same, provoked on Linux 6.18: objects made for it, and /proc or /sys/kernel hidden from libbpf. */
const PROVOKED: typeof SAID = [
  ['0.3', 'failed to open /proc/kallsyms: -2', { class: 'kallsyms-unreadable' }],
  [
    '1.5',
    "kernel BTF is missing at '/sys/kernel/btf/vmlinux', was CONFIG_DEBUG_INFO_BTF enabled?\nfailed to find valid kernel BTF\nError loading vmlinux BTF: -3",
    { class: 'btf-missing' },
  ],
  [
    '1.1',
    "extern (func ksym) 'bpf_rcu_read_lock': func_proto [5] incompatible with kernel [121]",
    { class: 'kfunc-signature-mismatch', extern: 'bpf_rcu_read_lock' },
  ],
  [
    '1.7',
    "extern (func ksym) 'bpf_rcu_read_lock': func_proto [5] incompatible with vmlinux [121]",
    { class: 'kfunc-signature-mismatch', extern: 'bpf_rcu_read_lock' },
  ],
  ['1.1', "map 'm': failed to create: Invalid argument(-22)", { class: 'map-rejected' }],
  ['1.7', "map 'm': failed to create: -EINVAL", { class: 'map-rejected' }],
  ['0.3', 'load bpf program failed: Permission denied', { class: 'verifier-rejected' }],
  [
    '0.3',
    "load bpf program failed: Permission denied\nfailed to load program 'bad'",
    { class: 'verifier-rejected', program: 'bad' },
  ],
  [
    '0.3',
    'extern CONFIG_NO_SUCH_THING (strong) not resolved',
    { class: 'loader-refused', extern: 'CONFIG_NO_SUCH_THING' },
  ],
  [
    '1.7',
    "extern 'CONFIG_NO_SUCH_THING' (strong): not resolved",
    { class: 'loader-refused', extern: 'CONFIG_NO_SUCH_THING' },
  ],
  [
    '1.7',
    "prog 'fe': failed to find kernel BTF type ID of 'no_such_function_at_all': -ESRCH",
    { class: 'loader-refused', program: 'fe' },
  ],
  [
    '0.3',
    "prog 'fine': bad map relo against 'v' in section '.data.own'",
    { class: 'loader-lacks-feature', program: 'fine' },
  ],
  ['1.1', 'elf: elf.o is not a valid eBPF object file', { class: 'loader-refused' }],
];

t.test('what libbpf says is understood in every version’s wording', async (t) => {
  for (const [version, message, means] of [...SAID, ...PROVOKED]) {
    t.strictSame(classify(message), means, `${version}: ${message}`);
  }
});

t.test('the line that says why counts, and not those that say what came of it', async (t) => {
  const lines = ["prog 'a': BPF program load failed: Permission denied", "extern 'x' (strong): not resolved"];
  t.strictSame(classify(lines.join('\n')), { class: 'ksym-not-in-kallsyms', extern: 'x' });
});

t.test('what is no complaint of libbpf means nothing', async (t) => {
  for (const message of [
    '',
    "failed to load object 'a.bpf.o'",
    'Error loading .BTF into kernel: -22. BTF is optional, ignoring.',
  ]) {
    t.equal(classify(message), null, message);
  }
});

t.test("a version in a matrix stands for Debian's newest package of it", async (t) => {
  const versions = async () => ['1:1.7.0-1', '1:1.5.2-1', '1:1.5.0-3', '1:1.1.2-0+deb12u1', '1:0.3-2'].map(packageOf);
  const found = async (version: string) => (await packagesOfVersion({ versions }, version)).map((one) => one.version);
  t.strictSame(await found('1.5'), ['1:1.5.2-1', '1:1.5.0-3']);
  t.strictSame(await found('1.5.0'), ['1:1.5.0-3']);
  t.strictSame(await found('0.3'), ['1:0.3-2']);
  await t.rejects(found('1.50'), {
    code: 'loader-version-unknown',
    why: 'its suites have 1.7.0, 1.5.2, 1.5.0, 1.1.2, 0.3',
  });
  t.equal(upstreamOf('1:1.4.6-1~bpo12+1'), '1.4.6');
});

t.test('a package that the mirror lists and does not have gives way to the next, which is remembered', async (t) => {
  const asked: string[] = [];
  const options = {
    cache: t.testdir(),
    onMessage: () => undefined,
    packages: {
      newest: async () => packageOf('1'),
      versions: async () => [],
      unpackExactly: async ([one]: readonly DebianPackage[], label: string) => {
        asked.push(one?.version ?? '');
        if (one?.version === '0.3-2+deb11u1') throw new ExplainedError('package-gone', 'it is gone');
        return { directory: label, packages: one === undefined ? [] : [one], key: 'k' };
      },
    },
  };
  const choose = (list: readonly string[]) =>
    unpackChosen({ name: 'a', alternatives: async () => list.map((version) => [packageOf(version)]) }, options);
  t.equal((await choose(['0.3-2+deb11u1', '0.3-2'])).packages[0]?.version, '0.3-2');
  t.equal((await choose([])).packages[0]?.version, '0.3-2', 'nothing was asked for again');
  t.strictSame(asked, ['0.3-2+deb11u1', '0.3-2', '0.3-2']);
});

t.test('a suite that could not be read is named where a version is not found', async (t) => {
  const why = 'Release file is expired';
  const lists = { versions: async () => [packageOf('1:1.5.0-3')], missing: async () => [{ suite: 'forky', why }] };
  await t.rejects(packagesOfVersion(lists, '1.7'), {
    message: 'the suites of Debian that could be read have no libbpf 1.7',
    why: 'its suites have 1.5.0; forky could not be read: Release file is expired',
  });
});

t.test('without a mirror, what was chosen long ago is used, and the mirror asked again the next time', async (t) => {
  const cache = t.testdir();
  const said: string[] = [];
  const packages = {
    newest: async () => packageOf('1'),
    versions: async () => [],
    unpackExactly: async (all: readonly DebianPackage[], label: string) => ({
      directory: label,
      packages: all,
      key: 'k',
    }),
  };
  const choose = (name: string, alternatives: () => Promise<(readonly DebianPackage[])[]>) =>
    unpackChosen({ name, alternatives }, { cache, packages, onMessage: (text) => said.push(text) });
  const offline = async () => {
    throw new ExplainedError('network-failed', 'the mirror cannot be asked');
  };
  await choose('a', async () => [[packageOf('1')]]);
  const file = join(cache, 'loaders', 'chosen', 'a.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"chosen":\d+/, '"chosen":1'));
  for (const _ of [1, 2]) t.equal((await choose('a', offline)).packages[0]?.version, '1');
  const warning = 'warning: the mirror cannot be asked: the packages of before are used';
  t.strictSame(said, [warning, warning]);
  await t.rejects(choose('b', offline), { code: 'network-failed' });
});

t.test('builds of libbpf are found as `make` and `make install` leave them', async (t) => {
  const root = t.testdir({
    source: {
      include: { uapi: {} },
      src: { 'libbpf.a': '', 'libbpf.h': '', 'libbpf.pc': 'Name: libbpf\nVersion: 1.4.6\n' },
    },
    installed: {
      usr: {
        include: {
          bpf: {
            'libbpf.h': '',
            'libbpf_version.h': '#define LIBBPF_MAJOR_VERSION 1\n#define LIBBPF_MINOR_VERSION 8\n',
          },
        },
        lib64: { 'libbpf.a': '' },
      },
    },
    shared: { usr: { include: { bpf: { 'libbpf.h': '' } }, lib: { 'libbpf.so': '' } } },
  });
  const find = (path: string) => findLibrary({ path: join(root, path) }, NO_PACKAGES);
  const source = await find('source/src');
  t.match(source, { version: '1.4.6', archive: join(root, 'source/src/libbpf.a'), headers: { inBpf: false } });
  t.strictSame(
    source.before,
    [join(root, 'source/include/uapi')],
    "the kernel's headers that its sources carry come first",
  );
  t.strictSame(await find('source'), { ...source, about: join(root, 'source') }, 'the folder above is as good');
  const installed = await find('installed');
  t.match(installed, { version: '1.8', headers: { folder: join(root, 'installed/usr/include'), inBpf: true } });
  t.equal((await find('installed/usr')).archive, installed.archive);
  await t.rejects(find('shared'), { code: 'loader-path-unusable', why: 'libbpf.a cannot be found in it' });
  await t.rejects(find('nowhere'), { code: 'loader-path-unusable', why: 'there is no such folder' });
});

const NO_PACKAGES = {
  cache: '/nonexistent',
  onMessage: () => undefined,
  packages: {
    newest: async () => packageOf('1'),
    versions: async () => [],
    unpackExactly: async () => {
      throw new TypeError('a build of the user’s needs no packages');
    },
  },
};

function packageOf(version: string): DebianPackage {
  return {
    name: 'libbpf-dev',
    version,
    architecture: 'amd64',
    suite: 'trixie',
    filename: 'pool/a.deb',
    size: 1,
    sha256: '0'.repeat(64),
    depends: [],
  };
}

t.test('an adapter that is cut off or gone is not the one that was built', async (t) => {
  const folder = t.testdir({ adapter: 'as it was built' });
  const adapter = join(folder, 'adapter');
  chmodSync(adapter, 0o755);
  t.ok(await damageOfAdapter(folder), 'nobody has noted what it is like');
  await sealAdapter(folder);
  t.equal(await damageOfAdapter(folder), null);
  writeFileSync(adapter, 'as it was');
  t.equal(await damageOfAdapter(folder), 'the program is not the one that was built');
  rmSync(adapter);
  t.ok(await damageOfAdapter(folder));
});
