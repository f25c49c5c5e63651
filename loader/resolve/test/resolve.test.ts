import t from 'tap';
import { essentialName } from '../essential-name.ts';
import { resolveExterns } from '../externs.ts';
import { Kallsyms } from '../kallsyms.ts';
import type { ExternOutcome, KernelFacts } from '../outcome.ts';
import { testCore } from './core-tests.ts';
import { compileObject, fakeKallsyms, kernel, kernelBtf, moduleBtf } from './fake-kernel.ts';
import { testKallsyms } from './kallsyms-tests.ts';
import { reasonCases } from './reason-cases.ts';

const PERCPU = '__attribute__((section(".data..percpu")))';

/** A kernel with a per-CPU int and struct, as in every kernel since 6.1 that Debian builds. */
const KERNEL = `
struct rq { long lock; int cpu; };
struct rq runqueues ${PERCPU} = { 1 };
int bpf_prog_active ${PERCPU} = 1;
typedef unsigned int u32;
int kfunc_of_two(int a, void *b) { return a; }
void kfunc_of_none(void) {}
struct bpf_prog_aux { int id; };
int kfunc_new_impl(int a, struct bpf_prog_aux *aux) { return a; }
int kfunc_new(int a) { return a; }
int kfunc_old_impl(int a, void *aux) { return a; }
int kfunc_implicit(int a, struct bpf_prog_aux *aux) { return a + aux->id; }
`;

const folder = t.testdir();
const vmlinux = kernelBtf(folder, KERNEL);
const withoutVars = kernelBtf(folder, 'int f(int x) { return x; }', 'no-vars');
const objects = new Map<string, ReturnType<typeof compileObject>>();

/** Resolves one extern `name`, declared in C, on a kernel. */
function resolve(declaration: string, use: string, weak: boolean, facts: KernelFacts): ExternOutcome {
  const key = `${weak} ${declaration} ${use}`;
  const source = `struct rq { int other; };\n${declaration}\nSEC("socket") int prog(void *ctx) { return ${use}; }`;
  const spec = objects.get(key) ?? compileObject(folder, source, weak);
  objects.set(key, spec);
  const [resolution] = resolveExterns(spec, facts);
  if (resolution === undefined) throw new TypeError(`no extern in ${declaration}`);
  return resolution.outcome;
}

function variable(type: string, name: string, weak: boolean, facts: KernelFacts): ExternOutcome {
  return resolve(`extern const ${type} ${name} __ksym WEAK;`, `(long)&${name}`, weak, facts);
}

t.test('each reason is given where it applies, with its facts: an error if strong, NULL if weak', (t) => {
  const cases = reasonCases({ vmlinux, withoutVars, resolve, variable });
  const seen = new Set<string>();
  for (const { reason, title, outcome, weak, explanation } of cases) {
    seen.add(reason);
    for (const isWeak of [false, true]) {
      const found = outcome(isWeak);
      t.match(
        found,
        { result: isWeak && weak === undefined ? 'null' : 'error', reason },
        `${title}, ${isWeak ? 'weak' : 'strong'}`,
      );
      const text = 'explanation' in found ? `${found.explanation} ${found.fix}` : '';
      t.match(found, { explanation: /^.{40}.*[.!]$/, fix: /^.{10}.*\.$/ }, `${title}: sentences, and what to do`);
      for (const pattern of explanation) t.match(text, pattern, title);
    }
  }
  t.equal(seen.size, 16, 'every ReasonCode was provoked');
  t.strictSame(
    cases.find(({ reason }) => reason === 'AMBIGUOUS')?.outcome(true),
    cases.find(({ reason }) => reason === 'AMBIGUOUS')?.outcome(false),
  );
  t.match(cases.find(({ reason }) => reason === 'AMBIGUOUS')?.outcome(true), {
    addresses: [0xffffffff81100000n, 0xffffffffc0000010n],
  });
  t.end();
});

t.test('what is found is given as address, or as BTF id with its module and type', (t) => {
  const facts = kernel({
    vmlinuxBtf: vmlinux,
    kallsyms: fakeKallsyms(['0000000000000000 A __per_cpu_start', 'ffffffff83000000 D plain']),
  });
  for (const weak of [false, true]) {
    t.strictSame(variable('void', 'plain', weak, facts), { result: 'address', address: 0xffffffff83000000n });
    // Before 6.15 per-CPU symbols of x86-64 were linked at 0, and the kernel's own test_ksyms.c takes that for an address.
    t.strictSame(variable('void', '__per_cpu_start', weak, facts), { result: 'address', address: 0n });
    t.strictSame(variable('int', 'bpf_prog_active', weak, facts), {
      result: 'btf-id',
      id: vmlinux.find('bpf_prog_active', 'var')?.id,
      module: null,
      type: 'int',
      declaration: 'extern int bpf_prog_active;',
    });
    // Any struct is compatible with any other (__bpf_core_types_are_compat), and any integer.
    t.match(variable('struct rq', 'runqueues', weak, facts), { result: 'btf-id', type: 'struct rq' });
    t.match(variable('unsigned long long', 'bpf_prog_active', weak, facts), { result: 'btf-id' });
    const kfunc = resolve('extern int kfunc_of_two(int a, void *b) __ksym WEAK;', 'kfunc_of_two(1, 0)', weak, facts);
    t.match(kfunc, { result: 'btf-id', id: vmlinux.find('kfunc_of_two', 'func')?.id, module: null });
    const flavour = 'extern int kfunc_of_two___new(int a, void *b) __ksym WEAK;';
    t.strictSame(resolve(flavour, 'kfunc_of_two___new(1, 0)', weak, facts), kfunc, 'the flavour of a kfunc is cut off');
  }
  t.end();
});

t.test('what two users were told by libbpf alone is answered: why, and what to do', (t) => {
  // jfernandez/bpftop#162: `extern 'bpf_prog_fops' (strong): not resolved`, -ESRCH, on a 5.10 built without CONFIG_KALLSYMS_ALL.
  const functions = ['ffffffff81000000 T bpf_prog_put', 'ffffffff81000010 t bpf_prog_release'];
  const kallsyms = Kallsyms.parse(new TextEncoder().encode(`${functions.join('\n')}\n`));
  t.strictSame(variable('void', 'bpf_prog_fops', false, kernel({ vmlinuxBtf: withoutVars, kallsyms })), {
    result: 'error',
    reason: 'NOT_IN_KALLSYMS',
    explanation:
      'None of the 2 symbols in /proc/kallsyms is named bpf_prog_fops. It lists neither jiffies nor init_task: this kernel was built without CONFIG_KALLSYMS_ALL ' +
      'and lists its functions, but hardly any variable, and no struct of function pointers such as bpf_prog_fops.',
    fix:
      'If bpf_prog_fops is a variable, use a kernel that was built with CONFIG_KALLSYMS_ALL=y: on this one no loader finds it. ' +
      'If the program can do without, declare it __weak and test its address before use.',
  });
  // libbpf/libbpf#924: `extern (var ksym) 'kernel_cpustat': not found in kernel BTF`, though `grep` finds the two lines in /proc/kallsyms.
  const listed = fakeKallsyms([
    '0000000000000000 A __per_cpu_start',
    '0000000000021180 A kernel_cpustat',
    '0000000000035000 A __per_cpu_end',
    'ffffffffa4afa650 r __ksymtab_kernel_cpustat',
  ]);
  const advice =
    "To get its address alone, declare it typeless: `extern const void kernel_cpustat __ksym`, add the CPU's entry of the typeless __per_cpu_offset, " +
    'and read with bpf_probe_read_kernel(). If the program can do without, declare it __weak and test its address before use.';
  t.strictSame(variable('struct rq', 'kernel_cpustat', false, kernel({ vmlinuxBtf: withoutVars, kallsyms: listed })), {
    result: 'error',
    reason: 'NO_VARS_IN_KERNEL_BTF',
    explanation:
      'The BTF of this kernel lists no variable at all, so no typed extern can be found, though /proc/kallsyms has kernel_cpustat: it was built with a pahole ' +
      'that does not list per-CPU variables, or lists them wrongly (before 1.22).',
    fix: `Use a kernel that was built with pahole 1.22 or later. ${advice}`,
  });
  t.strictSame(variable('struct rq', 'kernel_cpustat', false, kernel({ vmlinuxBtf: vmlinux, kallsyms: listed })), {
    result: 'error',
    reason: 'VAR_NOT_IN_BTF',
    explanation:
      'kernel_cpustat is not among the 2 variables in the BTF of vmlinux, though /proc/kallsyms has it, and it is a per-CPU variable: the pahole that made this ' +
      'BTF left it out.',
    fix: `Use a kernel whose BTF was made by a current pahole (1.22 at least). ${advice}`,
  });
  t.end();
});

t.test('addresses of kfuncs are given where the kernel takes them, and calls of them everywhere', (t) => {
  const declaration = 'extern void kfunc_of_none(void) __ksym WEAK;';
  for (const weak of [false, true]) {
    for (const functionIdLoads of [true, null]) {
      const facts = kernel({ vmlinuxBtf: vmlinux, functionIdLoads });
      t.match(resolve(declaration, '(long)&kfunc_of_none', weak, facts), { result: 'btf-id' });
    }
    const facts = kernel({ vmlinuxBtf: vmlinux, functionIdLoads: false, btfIdAddresses: false });
    const call = 'extern void kfunc_of_none___called(void) __ksym WEAK;';
    t.match(resolve(call, '(kfunc_of_none___called(), 0)', weak, facts), { result: 'btf-id' });
  }
  t.end();
});

t.test('typed externs never depend on kallsyms for what they are', (t) => {
  // In libbpf a typed extern is an error if a typeless one makes it read kallsyms and the name is there twice, or, weak and
  // absent from BTF, there once (kallsyms_cb in src/libbpf.c).
  const source = `
extern const void plain __ksym;
extern const int bpf_prog_active __ksym;
extern const long jiffies __ksym __weak;
SEC("socket") int prog(void *ctx) { return (long)&plain + (long)&bpf_prog_active + (long)&jiffies; }`;
  const kallsyms = fakeKallsyms([
    'ffffffff83000000 D plain',
    'ffffffff84000000 d bpf_prog_active',
    'ffffffff84000040 d bpf_prog_active',
  ]);
  const outcomes = resolveExterns(compileObject(folder, source), kernel({ vmlinuxBtf: vmlinux, kallsyms }));
  t.match(Object.fromEntries(outcomes.map(({ name, outcome }) => [name, outcome])), {
    plain: { result: 'address' },
    bpf_prog_active: { result: 'btf-id', module: null },
    jiffies: { result: 'null', reason: 'VAR_NOT_IN_BTF' },
  });
  for (const hidden of [null, fakeKallsyms(['ffffffff84000000 d bpf_prog_active'], { hidden: true })]) {
    t.match(variable('int', 'bpf_prog_active', false, kernel({ vmlinuxBtf: vmlinux, kallsyms: hidden })), {
      result: 'btf-id',
    });
  }
  // Names are listed even where addresses are hidden: they say more of one variable than the probe of another does.
  const listed = fakeKallsyms(['ffffffff84000000 d bpf_prog_active'], { hidden: true });
  t.match(
    variable('int', 'bpf_prog_active', false, kernel({ vmlinuxBtf: vmlinux, kallsyms: listed, btfIdAddresses: false })),
    {
      result: 'btf-id',
    },
  );
  t.end();
});

t.test('modules are searched after vmlinux, in order, and only for their own types', (t) => {
  const int = vmlinux.find('int', 'int')?.id ?? 0;
  const proto = vmlinux.find('kfunc_of_none', 'func')?.type ?? 0;
  const first = moduleBtf(vmlinux, 'first', 'shared', int, 'mod_kfunc', proto);
  const second = moduleBtf(vmlinux, 'second', 'shared', int, 'other_kfunc', proto);
  const facts = kernel({
    vmlinuxBtf: vmlinux,
    moduleBtfs: [
      { name: 'first', btf: first },
      { name: 'second', btf: second },
    ],
  });
  t.match(variable('int', 'shared', false, facts), {
    result: 'btf-id',
    module: 'first',
    id: vmlinux.endId,
    type: 'int',
  });
  t.match(variable('int', 'bpf_prog_active', false, facts), { result: 'btf-id', module: null });
  t.match(resolve('extern void other_kfunc(void) __ksym WEAK;', '(other_kfunc(), 0)', false, facts), {
    result: 'btf-id',
    module: 'second',
    id: vmlinux.endId + 1,
  });
  t.match(variable('struct rq', 'shared', true, facts), { reason: 'INCOMPATIBLE_TYPE', explanation: /BTF of first/ });
  // Without CONFIG_KALLSYMS_ALL modules keep the names of their functions only as well (is_core_symbol, kernel/module/kallsyms.c).
  const functions = Kallsyms.parse(new TextEncoder().encode('ffffffffc0000000 t mod_kfunc\t[first]\n'));
  t.match(variable('int', 'shared', true, { ...facts, kallsyms: functions }), {
    result: 'null',
    reason: 'VAR_HAS_NO_ADDRESS',
    explanation: /BTF of first/,
  });
  t.match(variable('int', 'absent', false, facts), { explanation: /nor in that of 2 modules/ });
  t.end();
});

t.test('kallsyms', testKallsyms);

t.test('names lose their flavour as in libbpf', (t) => {
  // The cases of bpf_core_essential_name_len: the separator is exactly three underscores between other characters.
  const cases = {
    rq: 'rq',
    rq___old: 'rq',
    a___b___c: 'a___b',
    ___x: '___x',
    x___: 'x___',
    a____b: 'a____b',
    a__b: 'a__b',
  };
  for (const [name, essential] of Object.entries(cases)) t.equal(essentialName(name), essential, name);
  t.end();
});

t.test('CO-RE', (t) => testCore(t, folder));
