import type { ExternResolution } from '../resolve/outcome.ts';

/** What a person can do about an objection of the verifier. */
interface Advice {
  readonly objection: RegExp;
  readonly advice: string;
}

/**
 * What to do about the objections that people meet most, by the verifier's words (kernel/bpf/verifier.c and btf.c, Linux 5.10 to 7.3); the first that fits is taken. The
 * words of others say it themselves, or say too little to give advice.
 */
const ADVICE: readonly Advice[] = [
  {
    // check_reg_type and check_mem_access; `_or_null` ends in an underscore where the name of a type follows.
    objection: /invalid mem access '\w*_or_null_?'|type=\w*_or_null_?\w* expected=|Possibly NULL pointer passed/,
    advice: 'The pointer may be NULL there: test it, and use it in the branch where it is not.',
  },
  {
    // The first from check_ptr_to_btf_access (5.18, 5844101a1be9).
    objection: /access percpu memory|mem access 'percpu_ptr_|type=percpu_ptr_\w* expected=|arithmetic on percpu_ptr_/,
    advice:
      'A per-CPU variable has a copy for each CPU: read through bpf_this_cpu_ptr(&variable), or through bpf_per_cpu_ptr(&variable, cpu), which may be NULL.',
  },
  {
    objection: /type=(scalar|inv|imm) expected=percpu_ptr_/,
    advice:
      'The argument has to be the address of a per-CPU variable, `&variable`, of an extern declared with its type.',
  },
  {
    objection: /Caller passes invalid args into func#/,
    advice:
      'A global function is verified by itself, with memory that it may write to: make it static, to have it verified with what its caller passes, or pass it a copy.',
  },
  {
    objection: /cannot write into rdonly_|only read is supported|write into rdonly_mem/,
    advice: "Programs may read the kernel's variables and structs, but not write to them: work on a copy.",
  },
  {
    // check_mem_access; a plain number is `inv` before 5.18.
    objection: /invalid mem access '(scalar|inv|imm)'/,
    advice:
      "The verifier takes this address for a plain number, as it does addresses of typeless externs and of what was read from memory: copy what is there with bpf_probe_read_kernel(), or get there from a typed extern or a program's argument.",
  },
  {
    objection: /cannot call GPL-restricted function|cannot call non-GPL/,
    advice:
      'Kernel helpers of this kind are for programs under the GPL: `char LICENSE[] SEC("license") = "GPL";`, if that is so.',
  },
  {
    // fetch_kfunc_meta and check_kfunc_call; `kernel.features` is this library's.
    objection: /calling kernel function \S+ is not allowed/,
    advice:
      "The kernel lets only programs of certain types call this function: `await kernel.features.kfunc(type, name)` tells which, and SEC(…) sets the program's type.",
  },
  {
    // Before e6ac2450d6de a call had no other meaning than a helper's number, and one of a function of a module none before 5.16.
    objection:
      /BPF_CALL uses reserved fields|invalid kernel function call not eliminated|offset of kernel function|kfunc offset > 0 without fd_array/,
    advice:
      'Calls of kernel functions (kfuncs) take Linux 5.13, those of functions of modules 5.16: use a newer kernel, or a helper.',
  },
  {
    objection: /unknown func |cannot use helper /,
    advice:
      'This kernel has no such helper, or not for programs of this type: `await kernel.features.helper(type, helper)` tells which, and SEC(…) sets the type.',
  },
  {
    objection: /infinite loop detected|back-edge from insn/,
    advice:
      'Give the loop a bound that the verifier sees, such as `for (i = 0; i < 100; i++)`; or use bpf_loop() (Linux 5.17), or bpf_for() (6.4).',
  },
  {
    objection: /BPF program is too large|sequence of \d+ jumps is too complex|complexity/,
    advice:
      'The verifier walks through every path: shorten loops or use bpf_loop() (Linux 5.17), and put parts into global functions, which are verified once.',
  },
  {
    objection: /invalid access to packet/,
    advice: 'Compare the end of what is read with data_end before, and read in the branch where it fits.',
  },
  {
    objection:
      /invalid access to map value|invalid access to memory|(min|max) value is outside of the allowed memory range/,
    advice: 'Compare offset or index with the size before the access, so that the verifier sees that it stays inside.',
  },
  {
    objection: /Unreleased reference/,
    advice:
      'Give back what was acquired on every path: bpf_ringbuf_submit() or bpf_ringbuf_discard(), bpf_sk_release(), or the function that releases what a kfunc acquired.',
  },
  {
    objection: /!read_ok/,
    advice: 'Nothing was put into this register or variable on the path that the log shows: initialise it.',
  },
  {
    objection: /(combined )?stack size (of )?\d+|invalid (read|write|indirect|variable-offset).*stack|stack of \d+/,
    advice:
      'A program has 512 bytes of stack, together with the functions it calls: keep what is larger in a per-CPU array map.',
  },
  {
    objection: /sleepable|might sleep/,
    advice: 'Only a sleepable program may do that: mark its section so, as in SEC("fentry.s/…") or SEC("lsm.s/…").',
  },
];

/**
 * What to do about a refusal, from the verifier's telling lines; null where there is nothing better to say than the verifier says. A weak extern that is NULL is
 * named where a number stands in for a variable's address.
 */
export function adviseOnRefusal(objection: string, resolutions: readonly ExternResolution[]): string | null {
  const advice = ADVICE.find((one) => one.objection.test(objection))?.advice ?? null;
  const absent = resolutions.filter(({ kind, outcome }) => kind === 'typed' && outcome.result === 'null');
  if (absent.length === 0 || !/(type=|mem access ')(scalar|inv|imm)/.test(objection)) return advice;
  const names = absent.map(({ name }) => name).join(', ');
  const are = absent.length === 1 ? 'is' : 'are';
  return `${names} ${are} weak and missing on this kernel, and NULL in the program: test \`if (&${absent[0]?.name})\` before use.`;
}
