import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { WantedPackage } from '../../../../kernels/debian/package-files.ts';
import type { DebianPackage } from '../../../../kernels/debian/package-list.ts';
import { languageOf } from '../compile.ts';
import { findIngredients } from '../ingredients.ts';
import { classify } from '../messages.ts';
import { findLibrary, goPackages, isOldVersion, libraryVersions } from '../packages.ts';
import { isWantedOfGo, isWantedSource } from '../source-files.ts';

/** What versions said, word for word, on Debian's kernels 5.10, 6.12 and 7.3, unless another place is named. */
const SAID: readonly (readonly [version: string, words: string, meaning: ReturnType<typeof classify>])[] = [
  [
    '0.22',
    'file /run/x.o: load virtual .ksyms section: data section .ksyms: expected bpf_prog_active to be *Void, not *btf.Var: not supported',
    { class: 'loader-lacks-feature', extern: 'bpf_prog_active' },
  ],
  [
    '0.11',
    'file /run/x.o: load BTF: data section .ksyms: expected *btf.Func, not *btf.Var: not supported',
    { class: 'loader-lacks-feature' },
  ],
  ['0.9', 'file /run/x.o: load BTF: reference to .ksyms: not supported', { class: 'loader-lacks-feature' }],
  ['0.9', 'file /run/x.o: load BTF: reference to .kconfig: not supported', { class: 'loader-lacks-feature' }],
  ['0.2', 'file /run/x.o: load BTF: data section .ksyms: missing size', { class: 'loader-lacks-feature' }],
  [
    '0.11',
    'file /run/x.o: load programs: section tc: offset 8: relocating instruction: asm relocation: bpf_rcu_read_lock: unsupported binding: STB_WEAK',
    { class: 'loader-lacks-feature', extern: 'bpf_rcu_read_lock' },
  ],
  [
    '0.2',
    'program maps_and_globals: missing map from_hash',
    { class: 'loader-lacks-feature', program: 'maps_and_globals' },
  ],
  [
    '0.9',
    "program p: apply CO-RE relocations: can't read types: type id 5420: unknown kind: Unknown (19)",
    { class: 'loader-lacks-feature', program: 'p' },
  ],
  [
    '0.2',
    "file /run/x.o: load BTF: can't read types: type id 6: kind Section: can't read []btf.btfVarSecinfo: unexpected EOF",
    { class: 'loader-lacks-feature' },
  ],
  [
    '0.11',
    'file /run/x.o: load BTF maps: map bloom_map: unrecognized field map_extra in BTF map definition',
    { class: 'loader-lacks-feature' },
  ],
  ['0.9', 'map ringbuf: map create without BTF: invalid argument', { class: 'map-rejected' }],
  [
    '0.22',
    'file /run/x.o: section ".struct_ops": got \'.struct_ops\' section: not supported',
    { class: 'loader-lacks-feature' },
  ],
  [
    '0.22',
    'file /run/x.o: load relocations: section "tc": reference to "glock" in section SHN_UNDEF+7: not supported',
    { class: 'loader-lacks-feature' },
  ],
  [
    '0.22',
    'file /run/x.o: load programs: section .text: offset 64: relocating instruction: map "ids": unsupported binding: STB_WEAK',
    { class: 'loader-lacks-feature' },
  ],
  [
    '0.2',
    'program p is left out: nothing is known of section "fentry/bpf_fentry_test1"',
    { class: 'loader-lacks-feature', program: 'p' },
  ],
  [
    '0.22',
    'populating kallsyms caches: getting addresses from kallsyms: loading symbol addresses: symbol __per_cpu_start: restricted by kernel.kptr_restrict and/or net.core.bpf_jit_harden sysctls',
    { class: 'kallsyms-hidden', extern: '__per_cpu_start' },
  ],
  [
    '0.22',
    'populating kallsyms caches: getting addresses from kallsyms: loading symbol addresses: symbol s_show(0xffffffff81c63890): duplicate found at address 0xffffffff81dbed60: multiple kernel symbols with the same name',
    { class: 'ksym-ambiguous', extern: 's_show' },
  ],
  [
    '0.22',
    'program p: resolve .ksyms: kernel is missing symbol: no_such_symbol_y,no_such_symbol_x',
    { class: 'ksym-not-in-kallsyms', extern: 'no_such_symbol_x', program: 'p' },
  ],
  [
    '0.11',
    'program kfunc_strong_missing: fixing up kfuncs: kfunc "ksym_matrix_no_such_kfunc": not supported',
    { class: 'kfunc-not-found', extern: 'ksym_matrix_no_such_kfunc', program: 'kfunc_strong_missing' },
  ],
  [
    '0.11',
    'program p: fixing up kfuncs: find target in modules: iterate modules: get next BTF ID: operation not permitted',
    { class: 'kfunc-not-found', program: 'p' },
  ],
  [
    '0.11',
    'program p: fixing up kfuncs: kfunc "bpf_rcu_read_lock": function param mismatch: incompatible types',
    { class: 'kfunc-signature-mismatch', extern: 'bpf_rcu_read_lock', program: 'p' },
  ],
  [
    '0.22',
    'program p: fixing up kfuncs: kfunc "bpf_rcu_read_lock": type mismatch between Int:"int"[signed size=4] and Void: incompatible types',
    { class: 'kfunc-signature-mismatch', extern: 'bpf_rcu_read_lock', program: 'p' },
  ],
  ['0.2', 'map m: map create: invalid argument', { class: 'map-rejected' }],
  [
    '0.11',
    'map m: map create: invalid argument (MaxEntries may be incorrectly set to zero)',
    { class: 'map-rejected' },
  ],
  [
    '0.9',
    'program p: load BTF: invalid argument: [9] VAR nowhere type_id=3 linkage=2 Linkage not supported (17 line(s) omitted)',
    { class: 'btf-rejected', program: 'p' },
  ],
  [
    '0.2',
    'invalid argument: magic: 0xeb9f\nversion: 1\nflags: 0x0\nhdr_len: 24\n[9] VAR nowhere type_id=3 linkage=2 Linkage not supported',
    { class: 'btf-rejected' },
  ],
  [
    '0.22',
    "program p: load program: permission denied: 2: (61) r0 = *(u32 *)(r1 +0): R1 invalid mem access 'scalar' (6 line(s) omitted)",
    { class: 'verifier-rejected', program: 'p' },
  ],
  [
    '0.2',
    "program p: can't load program: permission denied: arg#0 type is not a struct\n2: (61) r0 = *(u32 *)(r1 +0)\nR1 invalid mem access 'inv'\nprocessed 3 insns",
    { class: 'verifier-rejected', program: 'p' },
  ],
  [
    '0.22',
    'program p: load program: unknown kfunc: invalid func unknown#233685214 (5 line(s) omitted)',
    { class: 'verifier-rejected', program: 'p' },
  ],
  [
    '0.22',
    'program p: load program: operation not permitted (MEMLOCK may be too low, consider rlimit.RemoveMemlock)',
    { class: 'load-refused', program: 'p' },
  ],
  ['0.9', 'program p: load program: invalid argument: ', { class: 'load-refused', program: 'p' }],
  // The library's sources at a5b2e206, which is in no release.
  [
    'later',
    'program p: resolve .ksyms: typed ksym: look up variable x: find target in vmlinux: type name x: not found',
    { class: 'ksym-not-in-btf', extern: 'x', program: 'p' },
  ],
  ['0.11', 'program p: attach Tracing/TraceFEntry: fentry no_such_function not supported', null],
  ['0.2', 'operation not permitted', null],
];

t.test('words of cilium/ebpf mean what they mean', async (t) => {
  for (const [version, words, meaning] of SAID) t.strictSame(classify(words), meaning, `${version}: ${words}`);
});

const debianPackage = (name: string, version: string, suite = ''): DebianPackage => ({
  name,
  version,
  suite,
  architecture: 'all',
  filename: `${name}.deb`,
  size: 1,
  sha256: `${name} ${version}`,
  depends: [],
});
const DEBIAN: readonly DebianPackage[] = (
  [
    ['0.22.0+ds1-1', 'forky'],
    ['0.22.0+ds1-1', 'sid'],
    ['0.11.0-2', 'trixie'],
    ['0.9.1-1', 'bookworm'],
    ['0.2.0-1', 'bullseye'],
  ] as const
).map(([version, suite]) => debianPackage('golang-github-cilium-ebpf-dev', version, suite));
const lists = { versions: async () => [...DEBIAN] };

t.test('a version is found among the packages', async (t) => {
  for (const [wanted, found] of [
    ['0.22', '0.22.0+ds1-1'],
    ['0.2', '0.2.0-1'],
    ['0.9.1', '0.9.1-1'],
  ] as const) {
    t.equal((await findLibrary(lists, wanted)).version, found, wanted);
  }
  await t.rejects(findLibrary(lists, '0.1'), {
    code: 'loader-version-unknown',
    why: 'it has 0.22.0 (forky), 0.11.0 (trixie), 0.9.1 (bookworm), 0.2.0 (bullseye)',
  });
  t.strictSame(
    (await libraryVersions(lists)).map(({ version, suite }) => `${version} ${suite}`),
    ['0.22 forky', '0.11 trixie', '0.9 bookworm', '0.2 bullseye'],
  );
});

t.test('versions before 0.10 are built with a Go whose debug/elf lets them read .bss', async (t) => {
  t.ok(isOldVersion('0.9.1'));
  t.notOk(isOldVersion('0.10.0'));
  t.notOk(isOldVersion('1.0.0'));
  t.equal(goPackages(true, 'bullseye').release, '1.19');
  t.strictSame(goPackages(false, 'forky').modules, [{ name: 'golang-golang-x-sys-dev', suites: ['forky'] }]);
});

t.test("a library is compiled as the language that its go.mod names, or as the compiler's own", async (t) => {
  const goMod = (go: string): string =>
    `module github.com/cilium/ebpf\n\ngo ${go}\n\nrequire golang.org/x/sys v0.6.0\n`;
  t.equal(languageOf(goMod('1.17'), '/x', 24), '1.17');
  t.equal(languageOf(goMod('1.25.0'), '/x', 24), null);
  t.throws(() => languageOf('module example.com/other\n\ngo 1.17\n', '/x', 24), { code: 'loader-path-unusable' });
});

t.test('of the packages of Go only what compiles for x86-64 Linux is unpacked', async (t) => {
  const go = 'usr/lib/go-1.24';
  const share = 'usr/share/go-1.24';
  for (const path of [
    `${go}/bin/go`,
    `${go}/VERSION`,
    `${go}/src`,
    `${go}/pkg/tool/linux_amd64`,
    `${go}/pkg/tool/linux_amd64/compile`,
    `${go}/pkg/include`,
    `${share}/pkg/include/textflag.h`,
    `${share}/src/runtime/sys_linux_amd64.s`,
    `${share}/src/runtime/os_linux.go`,
  ]) {
    t.ok(isWantedOfGo(path), path);
  }
  for (const path of [
    `${go}/test`,
    `${go}/bin/gofmt`,
    `${go}/pkg/tool/linux_amd64/pprof`,
    `${go}/pkg/linux_amd64/fmt.a`,
    `${share}/api/go1.1.txt`,
    `${share}/src/cmd/go/main.go`,
    `${share}/src/fmt/fmt_test.go`,
    `${share}/src/debug/elf/testdata/hello.c`,
    `${share}/src/os/file_windows.go`,
    `${share}/src/runtime/sys_linux_arm64.s`,
    'usr/share/doc/golang-1.24-go/copyright',
  ]) {
    t.notOk(isWantedOfGo(path), path);
  }
  t.notOk(isWantedSource('usr/share/gocode/src/github.com/cilium/ebpf/cmd/bpf2go/main.go'));
});

t.test('packages are remembered', async (t) => {
  const cache = t.testdir();
  const said: string[] = [];
  let asked = 0;
  const debian = {
    versions: async () => {
      asked += 1;
      return [...DEBIAN];
    },
    newest: async ({ name, suites }: WantedPackage) => debianPackage(name, '1.24.4-1', suites[0]),
    unpackExactly: neverAsked,
  };
  const options = {
    debian,
    cache,
    onMessage: (text: string) => said.push(text),
    signal: new AbortController().signal,
  };
  const first = await findIngredients({ version: '0.22' }, options);
  t.match(first, {
    version: '0.22.0',
    about: 'golang-github-cilium-ebpf-dev 0.22.0+ds1-1 (forky), Go 1.24.4 (trixie)',
    toolchain: [{ name: 'golang-1.24-go' }, { name: 'golang-1.24-src' }],
    modules: [{ name: 'golang-golang-x-sys-dev', suite: 'forky' }],
  });

  t.test('a second run asks nobody', async (t) => {
    const again = await findIngredients({ version: '0.22' }, options);
    t.strictSame(again.digests, first.digests);
    t.equal(asked, 1);
  });

  t.test('unless it is told to', async (t) => {
    await findIngredients({ version: '0.22' }, { ...options, anew: true });
    t.equal(asked, 2);
  });

  t.test('a version that Debian has no more is still built from what was used before, and that is said', async (t) => {
    const file = join(cache, 'loaders', 'chosen', 'cilium-ebpf-0.22.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/"chosen":\d+/, '"chosen":1'));
    const without = { ...debian, versions: async () => [] };
    const kept = await findIngredients({ version: '0.22' }, { ...options, debian: without });
    t.strictSame(kept.digests, first.digests);
    t.strictSame(said, ['warning: Debian has no cilium/ebpf 0.22: the packages of before are used']);
    await t.rejects(findIngredients({ version: '0.33' }, { ...options, debian: without }), {
      code: 'loader-version-unknown',
    });
  });
});

t.test('a checkout of another library, or none, is refused in one message', async (t) => {
  const folder = t.testdir({ other: { 'go.mod': 'module example.com/other\n' } });
  const options = {
    debian: { versions: neverAsked, newest: neverAsked, unpackExactly: neverAsked },
    cache: folder,
    onMessage: () => {},
    signal: new AbortController().signal,
  };
  for (const path of [join(folder, 'other'), join(folder, 'nothing')]) {
    await t.rejects(findIngredients({ path }, options), { code: 'loader-path-unusable', where: path });
  }
});

async function neverAsked(): Promise<never> {
  throw new Error('Debian is not asked for that');
}
