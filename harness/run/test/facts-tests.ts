import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { type Answer, FakeAgent, type SeenCall } from '../../../loader/syscall/test/fake-agent.ts';
import { configFacts } from '../config-facts.ts';
import { describeBuild, type FactValues, readGuestFacts } from '../facts.ts';
import { probeKernel } from '../probes.ts';
import { strangers } from './fact-names.ts';
import { STATE } from './fake-machine.ts';

t.test('compiler and build are read from what the kernel says of itself', (t) => {
  // /proc/version of Debian's 5.10 and 7.3, Ubuntu's mainline build of 6.8, and one by clang.
  const banners: readonly (readonly [string, string | undefined, string | undefined])[] = [
    [
      'Linux version 5.10.0-46-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-10 (Debian 10.2.1-6) 10.2.1 20210110, GNU ld (GNU Binutils for Debian) 2.35.2) #1 SMP Debian 5.10.262-1 (2026-07-31)',
      'gcc 10.2.1',
      '#1 SMP Debian 5.10.262-1 (2026-07-31)',
    ],
    [
      'Linux version 7.3.4+deb13-cloud-amd64 (debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils for Debian) 2.44) #1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1~bpo13+1 (2026-11-15)',
      'gcc 14.2.0',
      '#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1~bpo13+1 (2026-11-15)',
    ],
    [
      'Linux version 6.8.0-060800-generic (kernel@balboa) (x86_64-linux-gnu-gcc-13 (Ubuntu 13.2.0-13ubuntu1) 13.2.0, GNU ld (GNU Binutils for Ubuntu) 2.42) #202403131158 SMP PREEMPT_DYNAMIC Wed Mar 13 12:09:21 UTC 2024',
      'gcc 13.2.0',
      '#202403131158 SMP PREEMPT_DYNAMIC Wed Mar 13 12:09:21 UTC 2024',
    ],
    [
      'Linux version 6.6.0 (me@here) (Debian clang version 14.0.6, Debian LLD 14.0.6) #2 SMP Mon Jan 1 00:00:00 UTC 2024',
      'clang 14.0.6',
      '#2 SMP Mon Jan 1 00:00:00 UTC 2024',
    ],
    ['', undefined, undefined],
  ];
  for (const [banner, compiler, build] of banners) {
    const { compiler: found, build: foundBuild } = describeBuild(`${banner}\n`);
    t.same([found, foundBuild], [compiler, build], banner.slice(0, 40));
  }
  t.end();
});

t.test('the configuration comes from its file, else from the kernel itself', async (t) => {
  const guest = new FakeAgent();
  t.notMatch(Object.keys((await readGuestFacts(guest)).values), /^config\./, 'neither file nor /proc/config.gz');
  guest.files['/proc/config.gz'] = gzipSync('CONFIG_SMP=y\n# CONFIG_BPF_LSM is not set\nCONFIG_LSM="yama,bpf"\n');
  const { values } = await readGuestFacts(guest);
  t.match(values, { 'config.SMP': 'y', 'config.BPF_LSM': 'n', 'config.LSM': 'yama,bpf' });
  t.same(strangers(values), []);
  const file = join(t.testdir({}), 'config');
  writeFileSync(file, 'CONFIG_SMP=y\nCONFIG_TEST_BPF=m\nCONFIG_PAHOLE_VERSION=125\n');
  t.match(await configFacts(file), { 'config.TEST_BPF': 'm', 'config.PAHOLE_VERSION': '125', 'config.LSM': 'n' });
  t.same(await configFacts(null), {});
});

t.test('whether kallsyms has variables is decided by what it shows of the kernel, not by modules', async (t) => {
  const guest = new FakeAgent();
  const facts = async (kallsyms: string): Promise<FactValues> => {
    guest.files['/proc/kallsyms'] = kallsyms;
    return (await readGuestFacts(guest)).values;
  };
  const functions = 'ffffffff81000000 T _text\nffffffff81000010 t b\n';
  const module = 'ffffffffc0000000 d table\t[mod]\nffffffffc0000010 t run\t[bpf]\n';
  t.match(await facts(functions + module), { 'kallsyms.all': false, 'kallsyms.module-symbols': 2 });
  t.match(await facts(`${functions}ffffffff82000000 d table\n${module}`), { 'kallsyms.all': true });
  t.match(await facts(`${functions}ffffffff82000000 B table\n`), {
    'kallsyms.all': true,
    'kallsyms.module-symbols': 0,
    'kallsyms.symbols': 3,
  });
});

/** Text for the log that a program's attribute points to. */
function complain(call: SeenCall, text: string): string {
  call.at(32)?.set(new TextEncoder().encode(text));
  return 'EINVAL';
}

/** Whether an attribute has anything but zeros behind what the kernel knows of it (bpf_check_uarg_tail_zero, kernel/bpf/syscall.c). */
function saysMore(call: SeenCall, longest: number): boolean {
  const beyond = Array.from({ length: Math.max(0, call.length - longest) }, (_, index) => longest + index);
  return beyond.some((offset) => call.attr.getUint8(offset) !== 0 || call.at(offset) !== undefined);
}

/** A kernel's answers to programs that are loaded, by what they do. */
function kernel(answers: {
  readonly helper: string;
  readonly kfunc: string;
  readonly longest: number;
  readonly types: readonly number[];
  readonly run?: Answer;
}): FakeAgent {
  return new FakeAgent((call) => {
    if (call.command === 10) return answers.run;
    if (call.command !== 5) return undefined;
    const [opcode, registers = 0] = call.at(8) ?? [];
    if (saysMore(call, answers.longest)) return 'E2BIG';
    if (!answers.types.includes(call.attr.getUint32(0, true))) return 'EINVAL';
    if (opcode !== 0x85) return undefined;
    return complain(call, registers >> 4 === 2 ? answers.kfunc : answers.helper);
  });
}

t.test('probes tell what a kernel has from what it lacks, by its own words', async (t) => {
  // What 5.10 and 6.12 answered.
  const old = kernel({
    helper: '0: (85) call bpf_this_cpu_ptr#154\nR1 type=ctx expected=percpu_ptr_\n',
    kfunc: 'BPF_CALL uses reserved fields\n',
    longest: 120,
    types: [1, 3, 6, 17],
  });
  const young = kernel({
    helper: 'R1 type=ctx expected=percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_\n',
    kfunc: 'kernel btf_id 2147483632 is not a function\n',
    longest: 152,
    types: [1, 3, 6, 17, 31],
  });
  const none = { ...STATE.kernel, vmlinuxBtf: null };
  t.match(await probeKernel(old, none), {
    'this-cpu-ptr': true,
    'per-cpu-ptr': true,
    'kfunc-calls': false,
    'fd-array': false,
    'variable-loads': false,
    'module-btf': false,
    'kfunc-addresses': null,
    'run-xdp': true,
    'run-syscall': false,
    'run-fentry': false,
  });
  t.match(await probeKernel(young, none), { 'kfunc-calls': true, 'fd-array': true, 'run-syscall': true });
  t.same([...old.open, ...young.open], [], 'every program is let go of');
});

t.test('a probe whose answer says neither yes nor no is not recorded', async (t) => {
  const mute = kernel({ helper: 'strange', kfunc: 'strange', longest: 152, types: [1] });
  t.match(await probeKernel(mute, STATE.kernel), { 'this-cpu-ptr': null, 'kfunc-calls': null, 'fd-array': true });
  const forbidding = new FakeAgent((call) => (call.command === 5 ? 'EPERM' : undefined));
  t.match(await probeKernel(forbidding, STATE.kernel), { 'fd-array': null, 'run-xdp': null });
  const { values } = await readGuestFacts(mute);
  t.notOk('probe.kfunc-calls' in values);
  t.equal(values['probe.fd-array'], true);
});

t.test('a program that loads and cannot be test-run is no working test run', async (t) => {
  const words = { helper: '', kfunc: '', longest: 152, types: [1, 3, 6, 17, 31], run: 'ENOTSUPP' };
  t.match(await probeKernel(kernel(words), STATE.kernel), { 'run-sched-cls': false, 'run-raw-tp': false });
});
