import type { Btf } from '../../btf/btf.ts';
import { Kallsyms } from '../kallsyms.ts';
import type { ExternOutcome, KernelFacts, ReasonCode } from '../outcome.ts';
import { fakeKallsyms, kernel } from './fake-kernel.ts';

/** A kernel and an extern for which a reason is given. */
export interface ReasonCase {
  readonly reason: ReasonCode;
  readonly title: string;
  readonly outcome: (weak: boolean) => ExternOutcome;
  /** What a weak extern gets; NULL unless said. */
  readonly weak?: 'error';
  readonly explanation: readonly RegExp[];
}

/** What the cases are made with. */
export interface ReasonTools {
  /** BTF with per-CPU variables, and functions. */
  readonly vmlinux: Btf;
  readonly withoutVars: Btf;
  /** Resolves one extern, declared in C, on a kernel. */
  readonly resolve: (declaration: string, use: string, weak: boolean, facts: KernelFacts) => ExternOutcome;
  readonly variable: (type: string, name: string, weak: boolean, facts: KernelFacts) => ExternOutcome;
}

/** Every reason, each time that it is given for another cause. */
export function reasonCases({ vmlinux, withoutVars, resolve, variable }: ReasonTools): readonly ReasonCase[] {
  const moduleLine = 'ffffffffc0001000 d mod_var\t[mod]';
  const ofKernel = fakeKallsyms(['ffffffff83000000 D plain']);
  const functionsOnly = Kallsyms.parse(new TextEncoder().encode('ffffffff81000000 T f\n'));
  return [
    {
      reason: 'NOT_IN_KALLSYMS',
      title: 'a typeless extern that kallsyms lacks',
      outcome: (weak) => variable('void', 'nowhere', weak, kernel({})),
      explanation: [/32 symbols/, /nowhere/],
    },
    {
      reason: 'NOT_IN_KALLSYMS',
      title: 'a kallsyms without data symbols',
      outcome: (weak) =>
        variable(
          'void',
          'nowhere',
          weak,
          kernel({ kallsyms: Kallsyms.parse(new TextEncoder().encode('ffffffff81000000 T f\n')) }),
        ),
      explanation: [/CONFIG_KALLSYMS_ALL/],
    },
    {
      reason: 'NOT_IN_KALLSYMS',
      title: 'a typeless extern with a flavour, which libbpf does not cut off',
      outcome: (weak) => variable('void', 'plain___x', weak, kernel({ kallsyms: ofKernel })),
      explanation: [/full name/],
    },
    {
      reason: 'KALLSYMS_UNREADABLE',
      title: 'no kallsyms',
      outcome: (weak) => variable('void', 'plain', weak, kernel({ kallsyms: null })),
      explanation: [/could not be read/, /CONFIG_KALLSYMS/],
    },
    {
      reason: 'KALLSYMS_UNREADABLE',
      title: 'an empty kallsyms',
      outcome: (weak) => variable('void', 'plain', weak, kernel({ kallsyms: Kallsyms.parse(new Uint8Array()) })),
      explanation: [/is empty/],
    },
    {
      reason: 'KALLSYMS_RESTRICTED',
      title: 'hidden addresses',
      outcome: (weak) =>
        variable(
          'void',
          'plain',
          weak,
          kernel({ kallsyms: fakeKallsyms(['ffffffff83000000 D plain'], { hidden: true }) }),
        ),
      explanation: [/33 addresses/, /kptr_restrict/],
    },
    {
      reason: 'AMBIGUOUS',
      title: 'two symbols of one name',
      outcome: (weak) =>
        variable(
          'void',
          'twice',
          weak,
          kernel({ kallsyms: fakeKallsyms(['ffffffff81100000 t twice', `ffffffffc0000010 t twice\t[mod]`]) }),
        ),
      weak: 'error',
      explanation: [/0xffffffff81100000/, /0xffffffffc0000010 \[mod\]/, /2 symbols/],
    },
    {
      reason: 'NO_KERNEL_BTF',
      title: 'a typed extern on a kernel without BTF',
      outcome: (weak) => variable('int', 'bpf_prog_active', weak, kernel({ vmlinuxBtf: null })),
      explanation: [/CONFIG_DEBUG_INFO_BTF/, /extern const void bpf_prog_active __ksym/],
    },
    {
      reason: 'NO_KERNEL_BTF',
      title: 'a kfunc on a kernel without BTF',
      outcome: (weak) =>
        resolve('extern void kfunc_of_none(void) __ksym WEAK;', '(kfunc_of_none(), 0)', weak, kernel({})),
      explanation: [/kfunc_of_none/],
    },
    {
      reason: 'NO_VARS_IN_KERNEL_BTF',
      title: 'BTF without any variable, as in Debian’s 5.10',
      outcome: (weak) => variable('int', 'plain', weak, kernel({ vmlinuxBtf: withoutVars, kallsyms: ofKernel })),
      explanation: [/no variable at all/, /pahole/, /extern const void plain __ksym/],
    },
    {
      reason: 'MODULE_HAS_NO_BTF',
      title: 'a variable of a module that was built without BTF',
      outcome: (weak) =>
        variable('int', 'mod_var', weak, kernel({ vmlinuxBtf: vmlinux, kallsyms: fakeKallsyms([moduleLine]) })),
      explanation: [/module mod/, /CONFIG_DEBUG_INFO_BTF_MODULES/, /extern const void mod_var/],
    },
    {
      reason: 'VAR_NOT_IN_BTF',
      title: 'a variable that kallsyms has',
      outcome: (weak) => variable('long', 'jiffies', weak, kernel({ vmlinuxBtf: vmlinux })),
      explanation: [/among the 2 variables/, /kallsyms has it/, /extern const void jiffies __ksym/],
    },
    {
      reason: 'VAR_NOT_IN_BTF',
      title: 'a variable that nothing has',
      outcome: (weak) => variable('long', 'nowhere', weak, kernel({ vmlinuxBtf: vmlinux })),
      explanation: [/does not have it either/],
    },
    {
      reason: 'VAR_NOT_IN_BTF',
      title: 'a struct of the variable’s name, which is no variable',
      outcome: (weak) => variable('long', 'rq', weak, kernel({ vmlinuxBtf: vmlinux })),
      explanation: [/rq is not among/],
    },
    {
      reason: 'INCOMPATIBLE_TYPE',
      title: 'a struct declared for an int',
      outcome: (weak) => variable('struct rq', 'bpf_prog_active', weak, kernel({ vmlinuxBtf: vmlinux })),
      weak: 'error',
      explanation: [/const struct rq/, /it is int/, /vmlinux/],
    },
    {
      reason: 'KERNEL_TOO_OLD_FOR_BTF_ID',
      title: 'a kernel that refuses BTF ids',
      outcome: (weak) => variable('int', 'bpf_prog_active', weak, kernel({ vmlinuxBtf: vmlinux, btfIdLoads: false })),
      explanation: [/5\.10/, /extern const void bpf_prog_active/],
    },
    {
      reason: 'VAR_HAS_NO_ADDRESS',
      title: 'a variable of BTF, where the probe says that the kernel finds no addresses',
      outcome: (weak) =>
        variable(
          'int',
          'bpf_prog_active',
          weak,
          kernel({ vmlinuxBtf: vmlinux, kallsyms: null, btfIdAddresses: false }),
        ),
      explanation: [
        /BTF of vmlinux/,
        /cannot find its address/,
        /CONFIG_KALLSYMS_ALL=y/,
        /neither a typed nor a typeless/,
      ],
    },
    {
      reason: 'VAR_HAS_NO_ADDRESS',
      title: 'a variable of BTF, where kallsyms lists functions only',
      outcome: (weak) =>
        variable('int', 'bpf_prog_active', weak, kernel({ vmlinuxBtf: vmlinux, kallsyms: functionsOnly })),
      explanation: [/CONFIG_KALLSYMS_ALL/],
    },
    {
      reason: 'VAR_HAS_NO_ADDRESS',
      title: 'a variable at address 0, as fixed_percpu_data on x86-64 before 6.15',
      outcome: (weak) =>
        variable(
          'int',
          'bpf_prog_active',
          weak,
          kernel({ vmlinuxBtf: vmlinux, kallsyms: fakeKallsyms(['0000000000000000 A bpf_prog_active']) }),
        ),
      explanation: [/address is 0/, /extern const void bpf_prog_active/],
    },
    {
      reason: 'KFUNC_ADDRESS_UNSUPPORTED',
      title: 'the address of a kfunc, before 6.4',
      outcome: (weak) =>
        resolve(
          'extern void kfunc_of_none(void) __ksym WEAK;',
          '(long)&kfunc_of_none',
          weak,
          kernel({ vmlinuxBtf: vmlinux, functionIdLoads: false }),
        ),
      explanation: [/Linux 6\.4/, /bpf_ksym_exists/],
    },
    {
      reason: 'KFUNC_PROTO_MISMATCH',
      title: 'a kfunc whose last argument the kernel passes by itself from 7.0 on',
      outcome: (weak) =>
        resolve(
          'struct bpf_prog_aux { int x; };\nextern int kfunc_of_two(int a, void *b, struct bpf_prog_aux *aux) __ksym WEAK;',
          'kfunc_of_two(1, 0, 0)',
          weak,
          kernel({ vmlinuxBtf: vmlinux }),
        ),
      explanation: [/KF_IMPLICIT_ARGS/, /Declare it without/],
    },
    {
      reason: 'KFUNC_PROTO_MISMATCH',
      title: 'a kfunc as 6.12 has it, with void * for what 7.0 calls struct bpf_prog_aux *',
      outcome: (weak) =>
        resolve(
          'extern int kfunc_new_impl(int a, void *aux) __ksym WEAK;',
          'kfunc_new_impl(1, 0)',
          weak,
          kernel({ vmlinuxBtf: vmlinux }),
        ),
      explanation: [/struct bpf_prog_aux \*/, /declare kfunc_new, int \(int\)\./],
    },
    {
      reason: 'KFUNC_NOT_FOUND',
      title: 'a kfunc as 7.0 has it, on an older kernel',
      outcome: (weak) =>
        resolve('extern int kfunc_old(int a) __ksym WEAK;', 'kfunc_old(1)', weak, kernel({ vmlinuxBtf: vmlinux })),
      explanation: [/but kfunc_old_impl is/, /Declare kfunc_old_impl .* int \(int, void \*\)/],
    },
    {
      reason: 'KFUNC_PROTO_MISMATCH',
      title: 'a kfunc whose BTF shows the argument that the kernel passes by itself',
      outcome: (weak) =>
        resolve(
          'extern int kfunc_implicit(int a) __ksym WEAK;',
          'kfunc_implicit(1)',
          weak,
          kernel({ vmlinuxBtf: vmlinux }),
        ),
      explanation: [/pahole before 1\.26/],
    },
    {
      reason: 'MODULE_BTF_EPERM',
      title: 'a module’s variable, and no permission to read module BTF',
      outcome: (weak) =>
        variable(
          'int',
          'mod_var',
          weak,
          kernel({ vmlinuxBtf: vmlinux, moduleBtfsUnavailable: 'permission', kallsyms: fakeKallsyms([moduleLine]) }),
        ),
      explanation: [/module mod/, /CAP_SYS_ADMIN/],
    },
    {
      reason: 'MODULE_BTF_EPERM',
      title: 'a variable of nobody knows where, as kallsyms lists functions only',
      outcome: (weak) =>
        variable(
          'int',
          'mod_var',
          weak,
          kernel({
            vmlinuxBtf: vmlinux,
            moduleBtfsUnavailable: 'permission',
            kallsyms: Kallsyms.parse(new TextEncoder().encode('ffffffff81000000 T f\n')),
          }),
        ),
      explanation: [/may be in a module/, /CAP_SYS_ADMIN/],
    },
    {
      reason: 'MODULE_BTF_UNSUPPORTED',
      title: 'a module’s variable on a kernel without module BTF',
      outcome: (weak) =>
        variable(
          'int',
          'mod_var',
          weak,
          kernel({ vmlinuxBtf: vmlinux, moduleBtfsUnavailable: 'not-supported', kallsyms: null }),
        ),
      explanation: [/may be in a module/, /CONFIG_DEBUG_INFO_BTF_MODULES/],
    },
    {
      reason: 'VAR_NOT_IN_BTF',
      title: 'a variable with the flavour that kfuncs may have',
      outcome: (weak) => variable('int', 'bpf_prog_active___old', weak, kernel({ vmlinuxBtf: vmlinux })),
      explanation: [/There is bpf_prog_active, but .* full name/, /Name it bpf_prog_active\./],
    },
    {
      reason: 'VAR_NOT_IN_BTF',
      title: 'a variable of vmlinux, where module BTF would not help',
      outcome: (weak) =>
        variable(
          'int',
          'plain',
          weak,
          kernel({ vmlinuxBtf: vmlinux, moduleBtfsUnavailable: 'permission', kallsyms: ofKernel }),
        ),
      explanation: [/kallsyms has it/],
    },
    {
      reason: 'KFUNC_NOT_FOUND',
      title: 'a kfunc that is not there',
      outcome: (weak) =>
        resolve('extern void absent(void) __ksym WEAK;', '(absent(), 0)', weak, kernel({ vmlinuxBtf: vmlinux })),
      explanation: [/6 functions/, /Load the module/],
    },
    {
      reason: 'KFUNC_PROTO_MISMATCH',
      title: 'a kfunc with another prototype',
      outcome: (weak) =>
        resolve(
          'extern int kfunc_of_two(int a) __ksym WEAK;',
          'kfunc_of_two(1)',
          weak,
          kernel({ vmlinuxBtf: vmlinux }),
        ),
      explanation: [/int \(?\*?.*int/, /void \*/, /vmlinux/],
    },
  ];
}
