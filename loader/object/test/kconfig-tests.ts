import type { Test } from 'tap';
import { compileBpf } from '../../elf/test/compile.ts';
import { type KconfigFacts, kconfigData, resolveKconfig } from '../../resolve/kconfig.ts';
import { KernelConfig } from '../../resolve/kernel-config.ts';
import { kernelVersionCode } from '../../resolve/kernel-version.ts';
import { parseObject } from '../parse.ts';
import type { ObjectContent } from '../spec.ts';
import { find } from './inspect.ts';
import { HEADER, INCLUDE } from './sources.ts';

const TYPES = {
  bool: '_Bool',
  tristate: 'enum libbpf_tristate',
  char: 'char',
  uchar: 'unsigned char',
  short: 'short',
  ushort: 'unsigned short',
  int: 'int',
  uint: 'unsigned int',
  long: 'long',
  text: 'char',
} as const;

const FACTS: KconfigFacts = {
  configs: [],
  missingConfigs: [],
  version: 0x60c75,
  bpfCookie: true,
  syscallWrapper: null,
};

/** Tests of `.kconfig`: the layout, and what each type makes of each value. */
export function testKconfig(t: Test): void {
  const declared = Object.entries(TYPES).flatMap(([name, type]) => {
    const length = name === 'text' ? '[5]' : '';
    return [
      `extern ${type} CONFIG_${name}${length} __kconfig;`,
      `extern ${type} CONFIG_W_${name}${length} __kconfig __weak;`,
    ];
  });
  const uses = Object.keys(TYPES).map((name) =>
    name === 'text' ? `CONFIG_text[1] + CONFIG_W_text[0]` : `CONFIG_${name} + CONFIG_W_${name}`,
  );
  const source = `${HEADER}${declared.join('\n')}
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
extern int LINUX_HAS_SYSCALL_WRAPPER __kconfig, LINUX_KERNEL_VERSION __kconfig;
extern int LINUX_UNHEARD_OF __kconfig __weak;
SEC("tc") long prog(void *ctx) { return LINUX_HAS_BPF_COOKIE + LINUX_HAS_SYSCALL_WRAPPER + LINUX_KERNEL_VERSION + LINUX_UNHEARD_OF + ${uses.join(' + ')}; }`;
  const parse = (target: 'bpfel' | 'bpfeb'): ObjectContent =>
    parseObject(
      compileBpf(t.testdir(), 'kconfig', source, { flags: ['-g', '-O2', INCLUDE], target }).bytes,
      'kconfig.o',
    );
  const [little, big] = [parse('bpfel'), parse('bpfeb')];
  const outcomes = (lines: string, spec = little, facts: Partial<KconfigFacts> = {}) => {
    const configs = [KernelConfig.parse(lines, 'a test')];
    return new Map(resolveKconfig(spec, { ...FACTS, configs, ...facts }).map(({ name, outcome }) => [name, outcome]));
  };

  t.test('externs lie by falling alignment, rising size and name, in a frozen map that the code refers to', (t) => {
    const places = (little.kconfig ?? []).map(({ name, offset, size }) => [name, offset, size] as const);
    t.strictSame(places[0], ['CONFIG_W_long', 0, 8]);
    let end = 0;
    for (const [name, offset, size] of places) {
      const align = name.endsWith('text') ? 1 : size;
      t.equal(offset, Math.ceil(end / align) * align, `${name} follows at once`);
      end = offset + size;
    }
    const map = little.maps.find(({ name }) => name === '.kconfig');
    t.match(map, { type: 2, valueSize: end, maxEntries: 1, flags: 0x80, frozen: true });
    t.strictSame(little.datasecLayout.get('.kconfig')?.size, end);
    const used = find(little, 'prog').references.flatMap((one) => (one.kind === 'data' ? [one.offset] : []));
    t.strictSame(new Set(used), new Set(places.map(([, offset]) => offset)));
    t.strictSame(big.kconfig, little.kconfig);
    t.end();
  });

  t.test('each type takes the values that libbpf lets it take', (t) => {
    // set_kcfg_value_tri, _str and _num and bpf_object__process_kconfig_line in libbpf's src/libbpf.c.
    const cases: readonly (readonly [
      keyof typeof TYPES,
      string,
      readonly number[] | 'KCONFIG_TYPE' | 'KCONFIG_RANGE',
    ])[] = [
      ['bool', 'y', [1]],
      ['bool', 'n', [0]],
      ['bool', 'm', 'KCONFIG_TYPE'],
      ['bool', '1', 'KCONFIG_TYPE'],
      ['tristate', 'n', [0, 0, 0, 0]],
      ['tristate', 'y', [1, 0, 0, 0]],
      ['tristate', 'm', [2, 0, 0, 0]],
      ['tristate', '1', 'KCONFIG_TYPE'],
      ['char', 'm', [0x6d]],
      ['char', '-128', [0x80]],
      ['char', '128', 'KCONFIG_RANGE'],
      ['uchar', '255', [255]],
      ['uchar', '256', 'KCONFIG_RANGE'],
      ['short', '-32768', [0, 0x80]],
      ['short', '32768', 'KCONFIG_RANGE'],
      ['ushort', '0xffff', [255, 255]],
      ['ushort', '65536', 'KCONFIG_RANGE'],
      ['ushort', '-1', 'KCONFIG_RANGE'],
      ['int', '010', [8, 0, 0, 0]],
      ['int', '0x80000000', 'KCONFIG_RANGE'],
      ['int', 'y', 'KCONFIG_TYPE'],
      ['int', '"12"', 'KCONFIG_TYPE'],
      ['int', '12x', 'KCONFIG_TYPE'],
      ['uint', '0x80000000', [0, 0, 0, 0x80]],
      ['long', '0xffffffffffffffff', [255, 255, 255, 255, 255, 255, 255, 255]],
      ['long', '0x10000000000000000', 'KCONFIG_TYPE'],
      ['int', '0x10000000000000005', 'KCONFIG_TYPE'],
      ['text', '"ab"', [97, 98, 0, 0, 0]],
      ['text', '"abcdefg"', [97, 98, 99, 100, 0]],
      ['text', '"ab', 'KCONFIG_TYPE'],
      ['text', '7', 'KCONFIG_TYPE'],
    ];
    for (const [name, value, expected] of cases) {
      for (const prefix of ['CONFIG_', 'CONFIG_W_']) {
        const outcome = outcomes(`${prefix}${name}=${value}\n`).get(`${prefix}${name}`);
        const found = outcome?.result === 'value' ? [...outcome.bytes] : outcome?.reason;
        t.strictSame(found, expected, `${prefix}${name}=${value}`);
        if (typeof expected === 'string') t.equal(outcome?.result, 'error', 'weak or not');
      }
    }
    const outcome = outcomes('CONFIG_short=-2\nCONFIG_tristate=m', big).get('CONFIG_short');
    t.strictSame(outcome?.result === 'value' ? [...outcome.bytes] : [], [0xff, 0xfe], 'in the object’s byte order');
    t.end();
  });

  t.test('what is not set is zero if it is weak, and an error if it is strong', (t) => {
    const found = outcomes('# CONFIG_bool is not set\nCONFIG_W_int=5\nCONFIG_W_int=6\n');
    t.match(found.get('CONFIG_bool'), { result: 'error', reason: 'KCONFIG_NOT_SET', explanation: /a test.*__weak/ });
    t.match(found.get('CONFIG_W_bool'), { result: 'zero', reason: 'KCONFIG_NOT_SET' });
    t.match(found.get('CONFIG_W_int'), { result: 'value', text: '5' }, 'the first line counts');
    const nowhere = outcomes('', little, { configs: [], missingConfigs: ['/proc/config.gz', '/boot/config-6.1'] });
    for (const name of ['CONFIG_int', 'CONFIG_W_int']) {
      t.match(nowhere.get(name), { result: 'error', reason: 'KCONFIG_UNREADABLE', explanation: /\/boot\/config-6\.1/ });
    }
    const own = KernelConfig.parse('CONFIG_int=1', 'own');
    const kernel = KernelConfig.parse('CONFIG_int=2\nCONFIG_uint=3', 'kernel');
    const both = outcomes('', little, { configs: [own, kernel] });
    t.match([both.get('CONFIG_int'), both.get('CONFIG_uint')], [{ text: '1' }, { text: '3' }], 'the caller’s go first');
    t.end();
  });

  t.test('virtual externs come from the loader', (t) => {
    const resolutions = resolveKconfig(little, { ...FACTS, configs: [] });
    const data = kconfigData(little, resolutions);
    const at = (name: string): number => little.kconfig?.find((one) => one.name === name)?.offset ?? -1;
    t.equal(new DataView(data.buffer).getInt32(at('LINUX_KERNEL_VERSION'), true), 0x60c75);
    t.equal(data[at('LINUX_HAS_BPF_COOKIE')], 1);
    t.equal(data[at('LINUX_HAS_SYSCALL_WRAPPER')], 0);
    t.match(outcomes('').get('LINUX_UNHEARD_OF'), { result: 'zero', reason: 'KCONFIG_UNKNOWN_NAME' });
    t.match(outcomes('', little, { version: null }).get('LINUX_KERNEL_VERSION'), { reason: 'KCONFIG_VERSION_UNKNOWN' });
    t.end();
  });

  t.test('the version is that of the kernel, wherever a distribution writes it', (t) => {
    const debian =
      'Linux version 6.1.0-26-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.1.112-1 (2024-09-30)';
    t.equal(kernelVersionCode({ release: '6.1.0-26-cloud-amd64', version: debian }), 0x60170);
    t.equal(
      kernelVersionCode({ release: '5.4.0-12-generic', signature: 'Ubuntu 5.4.0-12.15-generic 5.4.8\n' }),
      0x50408,
    );
    t.equal(kernelVersionCode({ release: '6.12.117+deb13-cloud-amd64', version: 'gcc (Debian 14.2.0-19)' }), 0x60c75);
    t.equal(kernelVersionCode({ release: '4.14.336' }), 0x40eff, 'patch levels end at 255');
    t.equal(kernelVersionCode({ release: '7.3+unreleased' }), 0x70300);
    t.equal(kernelVersionCode({ release: 'mine' }), null);
    t.end();
  });
  t.end();
}
