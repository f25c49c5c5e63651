import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { KernelStore } from '../../../kernels/store.ts';
import { FactReader } from '../../../loader/facts/fact-reader.ts';
import { Kernel } from '../../../loader/kernel.ts';
import { LoadError } from '../../../loader/load-error.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { GuestKernels } from '../../cli/guest-kernels.ts';
import type { Capability } from '../../config/capabilities.ts';
import { loadModules } from '../../guest/guest-modules.ts';
import type { Guest } from '../../guest/open-guest.ts';
import { applyCredentials } from '../credentials.ts';
import { compareRelocationsWithLibbpf } from './core-oracle.ts';
import { compareWithBpftool, pushBpftool } from './feature-oracle.ts';
import { compareListing, compileListed } from './listing-oracle.ts';

/** Modules of Debian's cloud kernel 6.12: two have a per-CPU variable in their BTF, two have kfuncs for tc programs. */
const MODULES = ['x_tables', 'drop_monitor', 'fou', 'xfrm_interface'];

const folder = t.testdir();
const cache = cacheDirectory();
const { signal } = new AbortController();

async function openKernel(name: string): Promise<{ guest: Guest; kernel: Kernel }> {
  const guests = await GuestKernels.create({ accel: 'auto', templates: true }, cache, signal);
  const [found] = await guests.select([name]);
  if (found === undefined) throw new TypeError(`no kernel ${name}`);
  const guest = await guests.open(found, false, signal);
  t.teardown(() => guest.close());
  return { guest, kernel: Kernel.over(guest.machine.agent) };
}

function compile(name: string, source: string): ObjectSpec {
  const path = join(folder, name);
  const flags = [
    '-target',
    'bpf',
    '-O2',
    '-g',
    `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  ];
  const head = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n';
  execFileSync('clang', [...flags, '-c', '-x', 'c', '-', '-o', path], {
    input: `${head}${source}\nchar LICENSE[] SEC("license") = "GPL";\n`,
  });
  return ObjectSpec.parse(readFileSync(path), name);
}

const MODULE_PROGRAM = `
/* Headers of libbpf before 1.2 do not have it. */
#undef bpf_ksym_exists
#define bpf_ksym_exists(symbol) (!!(symbol))
struct seqcount { unsigned int sequence; } __attribute__((preserve_access_index));
struct bpf_fou_encap___local { __be16 sport; __be16 dport; };
struct bpf_xfrm_info___local { __u32 if_id; int link; };
struct nf_conn___local { int dummy; };
struct per_cpu_dm_data { int dummy; };

extern const struct seqcount xt_recseq __ksym;
extern const struct per_cpu_dm_data dm_cpu_data __ksym;
extern const void __per_cpu_offset __ksym;
extern int bpf_skb_get_fou_encap(struct __sk_buff *ctx, struct bpf_fou_encap___local *encap) __ksym __weak;
extern int bpf_skb_get_xfrm_info(struct __sk_buff *ctx, struct bpf_xfrm_info___local *to) __ksym;
extern void bpf_ct_release(struct nf_conn___local *ct) __ksym __weak;

__u64 offset, recseq, dm;
__u32 sequence = 99;
int has_fou = 9, has_conntrack = 9, fou = 1, xfrm = 1;

SEC("tc") int go(struct __sk_buff *skb)
{
	struct bpf_fou_encap___local encap = {};
	struct bpf_xfrm_info___local info = {};
	const struct seqcount *count = bpf_this_cpu_ptr(&xt_recseq);
	__u32 cpu = bpf_get_smp_processor_id();

	bpf_probe_read_kernel(&offset, sizeof(offset), (const char *)&__per_cpu_offset + 8 * cpu);
	recseq = (__u64)count;
	sequence = count->sequence;
	dm = (__u64)bpf_per_cpu_ptr(&dm_cpu_data, cpu);
	has_conntrack = bpf_ksym_exists(bpf_ct_release) ? 1 : 0;
	if (bpf_ksym_exists(bpf_ct_release))
		bpf_ct_release(0);
	has_fou = bpf_ksym_exists(bpf_skb_get_fou_encap) ? 1 : 0;
	if (bpf_ksym_exists(bpf_skb_get_fou_encap))
		fou = bpf_skb_get_fou_encap(skb, &encap);
	xfrm = bpf_skb_get_xfrm_info(skb, &info);
	return 0;
}`;

t.test('a program reads variables of two modules, calls functions of two more, and does without a fifth', async (t) => {
  const tree = await new KernelStore({ cache }).get({ debian: '6.12' }, { modules: MODULES });
  const { kernel } = await openKernel('6.12');
  const spec = compile('modules.o', MODULE_PROGRAM);
  await t.rejects(kernel.load(spec), {
    code: 'extern-unresolved',
    message: 'cannot resolve externs xt_recseq, dm_cpu_data, bpf_skb_get_xfrm_info',
    fix: /load the module that does/,
  });
  await loadModules(kernel.agent, tree, MODULES);
  kernel.forget();
  const object = await kernel.load(spec);
  const outcomes = Object.fromEntries(object.resolutions.map(({ name, outcome }) => [name, outcome]));
  t.match(outcomes, {
    xt_recseq: { result: 'btf-id', module: 'x_tables' },
    dm_cpu_data: { result: 'btf-id', module: 'drop_monitor' },
    bpf_skb_get_fou_encap: { result: 'btf-id', module: 'fou' },
    bpf_skb_get_xfrm_info: { result: 'btf-id', module: 'xfrm_interface' },
    bpf_ct_release: { result: 'null', reason: 'KFUNC_NOT_FOUND' },
  });
  const { kallsyms } = await kernel.facts();
  const read = async (name: string): Promise<bigint> =>
    (await object.variable(name).read()).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  for (const cpu of [0, 1]) {
    const { retval } = await object.program('go').testRun({ cpu, data: new Uint8Array(64) });
    t.equal(retval, 0);
    const offset = await read('offset');
    const at = (name: string): bigint => BigInt.asUintN(64, (kallsyms?.find(name)[0]?.address ?? 0n) + offset);
    t.equal(await read('recseq'), at('xt_recseq'), `x_tables’ variable on CPU ${cpu}, where kallsyms says it is`);
    t.equal(await read('dm'), at('dm_cpu_data'), `drop_monitor’s on CPU ${cpu}`);
    t.equal(await read('sequence'), 0n, 'no rule has been replaced: the count is as it was made');
  }
  t.equal(await read('has_conntrack'), 0n, 'nf_conntrack is not loaded');
  t.equal(await read('has_fou'), 1n, 'the address of a module’s function is not NULL');
  // bpf_skb_get_fou_encap and bpf_skb_get_xfrm_info (net/ipv4/fou_bpf.c, net/xfrm/xfrm_interface_bpf.c): a packet without such metadata is EINVAL.
  const EINVAL = BigInt.asUintN(32, -22n);
  t.equal(await read('fou'), EINVAL, 'fou’s function was called');
  t.equal(await read('xfrm'), EINVAL, 'xfrm_interface’s was');
  await object.close();

  t.match(await kernel.features.kfunc('sched_cls', 'bpf_skb_get_fou_encap'), { support: 'supported' });
  t.match(await kernel.features.kfunc('kprobe', 'bpf_skb_get_fou_encap'), { support: 'not-supported' }, 'for tc only');
  await testCapabilities(t, kernel, spec);
  await measure(t, kernel, spec);
});

/** Without CAP_SYS_ADMIN the BTF of modules cannot be found, and the rest can be loaded. */
async function testCapabilities(t: Test, kernel: Kernel, spec: ObjectSpec): Promise<void> {
  const only: Capability[] = ['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN', 'CAP_SYSLOG'];
  const restore = await applyCredentials(kernel.agent, { user: 65534, capabilities: { only } });
  try {
    kernel.forget();
    const error: unknown = await kernel.load(spec).catch((cause: unknown) => cause);
    t.ok(error instanceof LoadError);
    t.match(error, {
      code: 'extern-unresolved',
      summary:
        /MODULE_BTF_EPERM: xt_recseq is in module x_tables, but the BTF of modules could not be read: that takes CAP_SYS_ADMIN/,
      fix: /give the agent CAP_SYS_ADMIN beside CAP_BPF and CAP_PERFMON/,
    });
    t.match(await kernel.features.moduleBtf(), { support: 'inconclusive', reason: /CAP_SYS_ADMIN/ });
    const own = compile(
      'own.o',
      'extern const int bpf_prog_active __ksym;\nSEC("tc") int go(void *ctx) { return *(const int *)bpf_this_cpu_ptr(&bpf_prog_active); }',
    );
    const loaded = await kernel.load(own);
    t.match(
      loaded.resolutions[0]?.outcome,
      { result: 'btf-id', module: null },
      'vmlinux’s own variables need no such right',
    );
    await loaded.close();
  } finally {
    await restore();
    kernel.forget();
  }
}

/** How long each fact takes, for the documentation. */
async function measure(t: Test, kernel: Kernel, spec: ObjectSpec): Promise<void> {
  const reader = new FactReader(kernel.agent);
  const times: string[] = [];
  for (const [name, read] of [
    ['vmlinux BTF', () => reader.vmlinuxBtf()],
    ['BTF of modules', () => reader.moduleBtfs()],
    ['probe', () => reader.btfIds()],
    ['kallsyms', () => reader.kallsyms()],
    ['facts of an object, once all is read', () => reader.factsFor(spec)],
  ] as const) {
    const started = performance.now();
    await read();
    times.push(`${name} ${Math.round(performance.now() - started)} ms`);
  }
  t.comment(times.join(', '));
}

t.test(
  'features, CO-RE and listings of programs are bpftool’s in the same guest, on an old kernel and on the newest',
  async (t) => {
    const [old, newest] = [await openKernel('5.10'), await openKernel('newest')];
    const listed = compileListed(folder);
    for (const { guest, kernel } of [old, newest]) {
      const bpftool = await pushBpftool(guest);
      await compareWithBpftool(t, guest, kernel, bpftool);
      await compareRelocationsWithLibbpf(t, folder, guest, kernel, bpftool);
      await compareListing(t, guest, kernel, listed, guest === old.guest ? 'opcodes' : 'linum');
    }
    // What bpftool does not ask for, by the version that brought it.
    const since: readonly [string, boolean, (kernel: Kernel) => Promise<{ support: string }>][] = [
      ['5.15: links of perf events', false, ({ features }) => features.link('perf-event')],
      ['5.15: cookies', false, ({ features }) => features.cookies()],
      ['5.18: multi-kprobes', false, ({ features }) => features.link('kprobe-multi')],
      ['6.6: multi-uprobes', false, ({ features }) => features.link('uprobe-multi')],
      ['6.6: tcx', false, ({ features }) => features.link('tcx')],
      ['6.7: netkit', false, ({ features }) => features.link('netkit')],
      ['6.9: tokens', false, ({ features }) => features.token()],
      ['4.14: v2', true, ({ features }) => features.instructionSet('v2')],
      ['5.1: v3', true, ({ features }) => features.instructionSet('v3')],
      ['6.6: v4', false, ({ features }) => features.instructionSet('v4')],
      ['5.2: large programs', true, ({ features }) => features.largePrograms()],
      ['5.3: bounded loops', true, ({ features }) => features.boundedLoops()],
      ['5.14: fd_array', false, ({ features }) => features.fdArray()],
      ['5.11: module BTF', false, ({ features }) => features.moduleBtf()],
      ['5.10: BTF ids', true, ({ features }) => features.btfIdLoads()],
      ['6.4: addresses of kfuncs', false, ({ features }) => features.kfuncAddresses()],
      ['6.2: bpf_rcu_read_lock', false, ({ features }) => features.kfunc('sched_cls', 'bpf_rcu_read_lock')],
    ];
    for (const [title, inOld, ask] of since) {
      t.equal((await ask(old.kernel)).support, inOld ? 'supported' : 'not-supported', `5.10: ${title}`);
      t.equal((await ask(newest.kernel)).support, 'supported', `newest: ${title}`);
    }
    t.equal((await newest.kernel.features.btfIdAddresses()).support, 'supported');
    // A loader that does not know of it has the verifier of 5.10 refuse the program: `pseudo btf_id … in ldimm64 isn't KIND_VAR`.
    const address = compile(
      'address.o',
      'extern void schedule(void) __ksym __weak;\nint exists = 9;\nSEC("tc") int go(void *ctx) { exists = !!schedule; return 0; }',
    );
    for (const [{ kernel }, outcome, exists] of [
      [old, { result: 'null', reason: 'KFUNC_ADDRESS_UNSUPPORTED' }, 0],
      [newest, { result: 'btf-id' }, 1],
    ] as const) {
      const object = await kernel.load(address);
      t.match(object.resolutions[0]?.outcome, outcome);
      await object.program('go').testRun({ data: new Uint8Array(64) });
      t.equal((await object.variable('exists').read())[0], exists, kernel.release);
      await object.close();
    }
    t.match(await newest.kernel.features.kfunc('xdp', 'schedule'), {
      support: 'not-supported',
      reason: /is not allowed/,
    });
  },
);
