import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Btf } from '../../btf/btf.ts';
import { parseObject } from '../../object/parse.ts';
import type { ObjectContent } from '../../object/spec.ts';
import { programLoadAttr } from '../../programs/attr-program.ts';
import { summarizeVerifierLog } from '../../programs/verifier-log.ts';
import { Kallsyms } from '../../resolve/kallsyms.ts';
import { AttrWriter, cstring, input, objectName } from '../../syscall/attr.ts';
import { cpuListEnd, possibleCpus } from '../../syscall/cpus.ts';
import { FakeAgent } from '../../syscall/test/fake-agent.ts';
import { type BtfIdAnswers, probeBtfIds } from '../btf-id-probe.ts';
import { FactReader } from '../fact-reader.ts';
import { readFactsFor, readKernelFacts } from '../kernel-facts.ts';
import { readModuleBtfs } from '../module-btf.ts';

const PROG_LOAD = 5;
const object = join(t.testdir(), 'kernel.o');

async function compile(source: string): Promise<ObjectContent> {
  const flags = ['-target', 'bpf', '-O2', '-g', '-Wno-everything'];
  execFileSync('clang', [...flags, '-c', '-x', 'c', '-', '-o', object], { input: source });
  return parseObject(await readFile(object), 'kernel.o');
}

const compileKernel = async (source: string): Promise<Btf | null> => (await compile(source)).btf;
const compileObject = (declaration: string, use: string): Promise<ObjectContent> =>
  compile(`${declaration}\n__attribute__((section("socket"), used)) int prog(void *ctx) { return ${use}; }`);
const kernelBtf = await compileKernel('int unrelated(void) { return 0; }');
const kallsyms = Kallsyms.parse(new TextEncoder().encode('ffffffff81234568 T present\n'));

t.test('an attribute ends with the last field that says something', (t) => {
  t.equal(new AttrWriter().u32(1).u32(0).u64(0n).finish().bytes.length, 4);
  t.equal(new AttrWriter().u32(1).u32(0).pointer(input(new Uint8Array())).u32(0).finish().bytes.length, 16);
  t.equal(new AttrWriter().u32(0).u32(0).finish({ whole: true }).bytes.length, 8);
  const plain = { type: 1, code: new Uint8Array(16), license: cstring('GPL'), name: 'a_name_longer_than_15' };
  t.equal(programLoadAttr(plain).bytes.length, 63 + 1);
  t.equal(programLoadAttr({ ...plain, fdArray: [0, 7] }).bytes.length, 128);
  t.equal(Buffer.from(objectName('a-name.longer than 15')).toString(), 'a_name.longer_t\0');
  t.end();
});

t.test('facts that cannot be had are null, and say why where there is a place for it', async (t) => {
  const forbidden = new FakeAgent(({ command }) => (command === 23 || command === PROG_LOAD ? 'EPERM' : undefined));
  t.same(await readKernelFacts(forbidden), {
    kallsyms: null,
    vmlinuxBtf: null,
    moduleBtfs: [],
    moduleBtfsUnavailable: null,
    btfIdLoads: null,
    btfIdAddresses: null,
    functionIdLoads: null,
  });
  t.match(await readModuleBtfs(forbidden, kernelBtf), { moduleBtfsUnavailable: 'permission' });
  const none = new FakeAgent(({ command }) => (command === 23 ? 'ENOENT' : undefined));
  t.match(
    await readModuleBtfs(none, kernelBtf),
    { moduleBtfsUnavailable: 'not-supported' },
    '5.10 lists not even vmlinux',
  );
  const known = await readKernelFacts(forbidden, { kallsyms });
  t.equal(known.kallsyms, kallsyms, 'what is known is not read again');

  const modules = new FakeAgent((call) => {
    if (call.command === 23) {
      const id = call.attr.getUint32(0, true) + 1;
      if (id > 4) return 'ENOENT';
      call.attr.setUint32(4, id, true);
    }
    if (call.command === 19) return call.attr.getUint32(0, true) === 3 ? 'ENOENT' : 200 + call.attr.getUint32(0, true);
    if (call.command === 15) {
      const name = ['vmlinux', 'loop', 'gone', 'a_program'][call.attr.getUint32(0, true) - 201] ?? '';
      const info = call.args[1];
      const to = typeof info === 'object' ? info.pointers?.[0]?.to : undefined;
      to?.pointers?.[0]?.to.bytes.set(new TextEncoder().encode(name));
      if (to !== undefined) new DataView(to.bytes.buffer).setUint32(28, name === 'a_program' ? 0 : 1, true);
    }
    return undefined;
  });
  t.same(
    await readModuleBtfs(modules, kernelBtf),
    { moduleBtfs: [], moduleBtfsUnavailable: null },
    'a module whose file is gone',
  );
  modules.files['/sys/kernel/btf/loop'] = (kernelBtf?.bytes ?? new Uint8Array()).slice();
  const read = await readModuleBtfs(modules, kernelBtf);
  t.same(
    read.moduleBtfs.map(({ name }) => name),
    ['loop'],
    'neither vmlinux nor BTF of programs',
  );

  t.same([cpuListEnd('0-3\n'), cpuListEnd('0'), cpuListEnd('0,2-11')], [4, 1, 12]);
  t.throws(() => cpuListEnd('all'), { code: 'cpu-list' });
  const sparse = new FakeAgent();
  sparse.files['/sys/devices/system/cpu/possible'] = '0,2-4\n';
  t.equal(await possibleCpus(sparse), 4, 'as num_possible_cpus (include/linux/cpumask.h) counts');
});

t.test('the kernel’s words about BTF ids in instructions say what it makes of them', async (t) => {
  const typed = await compileKernel(
    'int present __attribute__((section(".data..percpu"))) = 1; int schedule(void) { return present; }',
  );
  // The sentences are those of check_pseudo_btf_id and resolve_pseudo_ldimm64 in kernel/bpf/verifier.c; the variable is asked for first.
  const probe = (btf: Btf | null, ...texts: readonly string[]): Promise<BtfIdAnswers> => {
    const answers = [...texts];
    return probeBtfIds(
      new FakeAgent((call) => {
        if (call.command !== PROG_LOAD) return undefined;
        const text = answers.shift() ?? '';
        call.at(32)?.set(new TextEncoder().encode(text));
        return text === '' ? undefined : 'EINVAL';
      }),
      btf,
    );
  };
  const all = (btfIdLoads: boolean | null, btfIdAddresses: boolean | null, functionIdLoads: boolean | null) => ({
    ...{ btfIdLoads, btfIdAddresses, functionIdLoads },
  });
  t.same(await probe(null, 'unrecognized bpf_ld_imm64 insn\n'), all(false, null, false), 'before 5.10');
  t.same(
    await probe(null, 'ldimm64 insn specifies invalid btf_id 2147483632.\n'),
    all(true, null, null),
    'no variables',
  );
  t.same(await probe(null, 'something else\n'), all(null, null, null));
  t.same(await probe(typed), all(true, true, true), 'programs that load');
  const noAddress = "ldimm64 failed to find the address for kernel symbol 'present'.\n";
  t.same(await probe(typed, noAddress), all(true, false, true), 'no CONFIG_KALLSYMS_ALL');
  const before = "pseudo btf_id 4 in ldimm64 isn't KIND_VAR.\n";
  t.same(await probe(typed, noAddress, before), all(true, false, false), 'before 6.4');
  t.same(
    await probe(typed, noAddress, "pseudo btf_id 4 in ldimm64 isn't KIND_VAR or KIND_FUNC\n"),
    all(true, false, null),
  );
  const forbidden = new FakeAgent(({ command }) => (command === PROG_LOAD ? 'EPERM' : undefined));
  t.same(await probeBtfIds(forbidden, typed), all(null, null, null));
});

t.test('an object’s facts are what it asks for, each read once', async (t) => {
  const PERCPU = '__attribute__((section(".data..percpu")))';
  const vmlinux = await compileKernel(
    `int first ${PERCPU} = 1; int present ${PERCPU} = 1; struct task { int pid; }; void *schedule(struct task *of) { return of; }`,
  );
  const read: string[] = [];
  const agent = new FakeAgent(({ command }) => {
    if (command === PROG_LOAD) read.push('probe');
    if (command === 23) read.push('modules');
    return command === 23 ? 'ENOENT' : undefined;
  });
  const files: Record<string, Uint8Array> = {
    '/proc/kallsyms': kallsyms.bytes,
    '/sys/kernel/btf/vmlinux': vmlinux?.bytes ?? new Uint8Array(),
  };
  agent.readFile = async (path) => {
    read.push(path);
    return files[path] ?? new Uint8Array();
  };
  const wants = async (declaration: string, use: string, reader = new FactReader(agent)): Promise<string> => {
    read.length = 0;
    await reader.factsFor(await compileObject(declaration, use));
    return read.map((path) => path.replace(/^.*\//, '')).join(' ');
  };
  const KSYM = '__attribute__((section(".ksyms")))';
  const WEAK = '__attribute__((weak))';
  t.equal(await wants('', '0'), '', 'nothing that concerns the kernel');
  t.equal(await wants(`extern const void present ${KSYM};`, '(long)&present'), 'kallsyms');
  t.equal(await wants(`extern const int present ${KSYM};`, '(long)&present'), 'vmlinux probe probe');
  t.equal(
    await wants(`extern const int first ${KSYM} ${WEAK};`, '(long)&first'),
    'vmlinux probe probe kallsyms',
    'the first per-CPU variable may have the address 0',
  );
  t.equal(
    await wants(`extern void *schedule(struct task { int pid; } *) ${KSYM};`, '(long)schedule(0)'),
    'vmlinux',
    'a call',
  );
  t.equal(
    await wants(`extern void *schedule(struct task { int pid; } *) ${KSYM};`, '(long)schedule'),
    'vmlinux probe probe',
    'an address',
  );
  t.equal(
    await wants(`extern const int absent ${KSYM} ${WEAK};`, '(long)&absent'),
    'vmlinux probe probe modules',
    'what vmlinux lacks may be in a module, and nobody asks why a weak extern is NULL',
  );
  t.equal(
    await wants(`extern const int absent ${KSYM};`, '(long)&absent'),
    'vmlinux probe probe modules kallsyms',
    'a strong one is explained',
  );
  const PRESERVE = '__attribute__((preserve_access_index))';
  const relocated = (name: string): Promise<string> =>
    wants(`struct ${name} { int pid; } ${PRESERVE};`, `((struct ${name} *)ctx)->pid`);
  t.equal(await relocated('task'), 'vmlinux');
  t.equal(await relocated('task___old'), 'vmlinux', 'flavours are no names');
  t.equal(await relocated('of_a_module'), 'vmlinux modules');
  const reader = new FactReader(agent);
  await wants(`extern const int absent ${KSYM};`, '(long)&absent', reader);
  t.equal(await wants(`extern const int absent ${KSYM};`, '(long)&absent', reader), '', 'not read again');
  const facts = await reader.factsFor(await compileObject('', '0'));
  t.equal(facts.kallsyms?.count, 1, 'what was read is there');
  t.match(await readFactsFor(agent, await compileObject('', '0'), { kallsyms: null, vmlinuxBtf: vmlinux }), {
    kallsyms: null,
    vmlinuxBtf: { name: 'kernel.o' },
  });
});

t.test('the telling lines of a verifier log are found, whatever stands after them', (t) => {
  // The objections are sentences of kernel/bpf/verifier.c; around them what 6.x prints, and the report that 7.3 appends.
  const state =
    '0: R1=ctx(off=0,imm=0) R10=fp0\n; int f(void *ctx) @ a.bpf.c:3\n0: (18) r1 = 0x1a ; R1_w=percpu_ptr_int(off=0)\n';
  t.equal(
    summarizeVerifierLog(
      `${state}R0 cannot write into rdonly_mem\nprocessed 5 insns (limit 1000000) max_states_per_insn 0\n`,
    ),
    'R0 cannot write into rdonly_mem',
  );
  t.equal(
    summarizeVerifierLog(
      `${state}R1 cannot write into rdonly_mem\nCaller passes invalid args into func#1\nprocessed 9 insns\n\n`,
    ),
    'R1 cannot write into rdonly_mem; Caller passes invalid args into func#1',
  );
  // Printed by 7.3.4 for a program that dereferences a number, with the source lines left out.
  const report = [
    'Verification failed: Register Type Safety: Invalid dereference\n',
    'Reason:\n  R1 is an integer scalar here, not a pointer to memory.\n',
    'At:\n  bad @ a.bpf.c:29:86\n  Instruction context:\n  >>> 1 | (71) r0 = *(u8 *)(r1 +0)\n',
    'Suggestion:\n  Preserve a pointer-valued register where needed, or reload and revalidate the pointer after scalar\n',
  ].join('\n');
  t.equal(
    summarizeVerifierLog(`${state}R1 invalid mem access 'scalar'\n\n${report}\nprocessed 5 insns\n`),
    "R1 invalid mem access 'scalar'",
  );
  t.equal(
    summarizeVerifierLog(
      "from 4 to 6: R0_w=0 R10=fp0\n6: (61) r0 = *(u32 *)(r0 +0)\nR0 invalid mem access 'scalar'\nverification time 60 usec\nstack depth 0\nprocessed 2 insns\n",
    ),
    "R0 invalid mem access 'scalar'",
  );
  t.equal(summarizeVerifierLog(''), '');
  t.end();
});
