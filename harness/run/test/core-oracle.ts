import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import { readImm64, readInstruction } from '../../../loader/insn/instruction.ts';
import type { Kernel } from '../../../loader/kernel.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { applyCoreRelocations } from '../../../loader/resolve/core.ts';
import { APPLETS } from '../../guest/guest-place.ts';
import type { Guest } from '../../guest/open-guest.ts';

/**
 * Fields at offsets and widths that differ between kernels, bit fields, members of anonymous structs, arrays, pointers, flavours,
 * sizes, enumerators; and of everything something that no kernel has.
 */
const SOURCE = `
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
static volatile u64 sink;
#define READ(place) sink = (u64)(place);
#define PLACE(place) sink = __builtin_preserve_field_info(place, 0); sink = __builtin_preserve_field_info(place, 1); \\
  sink = __builtin_preserve_field_info(place, 2);
#define FIELD(place) PLACE(place) sink = __builtin_preserve_field_info(place, 3); \\
  sink = __builtin_preserve_field_info(place, 4); sink = __builtin_preserve_field_info(place, 5);
#define TYPE(type) sink = __builtin_preserve_type_info(*(typeof(type) *)0, 0); sink = __builtin_preserve_type_info(*(typeof(type) *)0, 1); \\
  sink = __builtin_btf_type_id(*(typeof(type) *)0, 1);
#define VALUE(type, name) sink = __builtin_preserve_enum_value(*(typeof(type) *)name, 0); sink = __builtin_preserve_enum_value(*(typeof(type) *)name, 1);
struct list_head { struct list_head *next, *prev; } CORE;
struct mm_struct___any { u64 start_code; struct { u64 task_size; } CORE; } CORE;
struct task_struct { int pid, tgid; char comm[16]; struct task_struct *group_leader; struct mm_struct___any *mm; struct list_head tasks;
  u64 start_time, utime; u32 flags; long state, __state; u64 no_such_member; } CORE;
struct task_struct___bits { u32 sched_reset_on_fork: 1, in_execve: 1, no_new_privs; } CORE;
struct sk_buff { u32 len; u16 protocol, vlan_tci, queue_mapping; u8 pkt_type: 3, cloned: 1, ip_summed: 2; u8 *head; struct sock *sk; u32 hash; u64 mark; } CORE;
struct sock_common { union { struct { u32 skc_daddr, skc_rcv_saddr; } CORE; } CORE; u8 skc_state; u16 skc_family; u8 skc_reuse: 4, skc_ipv6only: 1; } CORE;
struct sock { struct sock_common __sk_common; u16 sk_type, sk_protocol; u32 sk_mark; } CORE;
struct file { u32 f_flags; u64 f_pos; void *private_data; } CORE;
struct bpf_prog___odd { u16 jited: 1, gpl_compatible: 1; u32 len; void *aux; u32 type; } CORE;
enum bpf_map_type { BPF_MAP_TYPE_RINGBUF = 1, BPF_MAP_TYPE_ARENA = 2, BPF_MAP_TYPE_NONSENSE = 3 };
enum zone_stat_item { NR_FREE_PAGES = 9, NR_VM_ZONE_STAT_ITEMS = 9 };
enum pid_type___x { PIDTYPE_PGID___x = 9 };
struct no_such_struct { u32 x; } CORE;
typedef u8 gfp_t; typedef u64 no_such_type; union bpf_attr; union bpf_attr { u8 x; };
SEC("raw_tp/sys_enter") int ask(u64 *ctx)
{
  struct task_struct *task = (void *)ctx[0]; struct task_struct___bits *bits = (void *)task; struct sk_buff *skb = (void *)task;
  struct sock *sk = (void *)task; struct file *file = (void *)task; struct bpf_prog___odd *prog = (void *)task;
  FIELD(task->pid) PLACE(task->comm) PLACE(task->comm[3]) PLACE(task->mm) FIELD(task->state) FIELD(task->__state) FIELD(task->no_such_member)
  PLACE(task->tasks.prev) PLACE(task->tasks) PLACE(task[1].tasks) FIELD(bits->sched_reset_on_fork) FIELD(bits->in_execve) FIELD(bits->no_new_privs)
  FIELD(task->mm->start_code) FIELD(task->mm->task_size)
  FIELD(skb->len) FIELD(skb->pkt_type) FIELD(skb->cloned) FIELD(skb->ip_summed) FIELD(skb->vlan_tci) FIELD(skb->mark)
  FIELD(sk->__sk_common.skc_rcv_saddr) FIELD(sk->__sk_common.skc_state) FIELD(sk->__sk_common.skc_reuse) FIELD(sk->sk_type) FIELD(sk->sk_protocol)
  FIELD(file->f_pos) FIELD(prog->jited) FIELD(prog->gpl_compatible) FIELD(prog->len) FIELD(prog->type) FIELD(((struct no_such_struct *)task)->x)
  READ(task->pid) READ(task->start_time) READ(task->flags) READ(task->no_such_member) READ(task->mm) READ(task->comm[5]) READ(skb->hash)
  READ(skb->mark) READ(skb->protocol) READ(sk->sk_type) READ(sk->sk_mark) READ(file->f_pos) READ(file->f_flags) READ(prog->len) READ(task[2].tgid)
  TYPE(struct task_struct) TYPE(struct sk_buff) TYPE(gfp_t) TYPE(no_such_type) TYPE(union bpf_attr) TYPE(struct no_such_struct)
  VALUE(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF) VALUE(enum bpf_map_type, BPF_MAP_TYPE_ARENA) VALUE(enum bpf_map_type, BPF_MAP_TYPE_NONSENSE)
  VALUE(enum zone_stat_item, NR_VM_ZONE_STAT_ITEMS) VALUE(enum pid_type___x, PIDTYPE_PGID___x)
  return 0;
}
char LICENSE[] SEC("license") = "GPL";
`;
const IN_GUEST = '/run/core-oracle.bpf.o';

/**
 * Relocates one program by a kernel's own types, and has libbpf do the same in that kernel: what it says it has patched, instruction by
 * instruction, is what we have.
 * @param bpftool where bpftool lies in the guest
 */
export async function compareRelocationsWithLibbpf(
  t: Test,
  folder: string,
  { machine, place }: Guest,
  kernel: Kernel,
  bpftool: string,
): Promise<void> {
  const flags = ['-g', '-O2', '-Wno-everything', '-mcpu=v2'];
  const { path } = compileBpf(folder, 'core-oracle', SOURCE, { flags });
  const ours = await relocate(path, kernel);
  // It need not be loaded in the end: what libbpf patches it says before.
  const { stdout } = await machine.agent.execute({
    argv: [
      place.busybox,
      'sh',
      '-c',
      `cat >${IN_GUEST}; ${bpftool} -d prog load ${IN_GUEST} /sys/fs/bpf/core-oracle 2>&1`,
    ],
    environment: { PATH: `/bin:${APPLETS}` },
    input: new Uint8Array(readFileSync(path)),
    timeoutMs: 60_000,
  });
  const theirs = patchesIn(new TextDecoder().decode(stdout));
  t.ok(theirs.length > 200, `${theirs.length} instructions`);
  t.ok(theirs.some((line) => line.endsWith('poison')));
  t.same(ours, theirs, `${kernel.release} has the fields, types and enumerators for us that it has for libbpf`);
}

/** What we make of each instruction: its slot, its value, and its width if that is another one now. */
async function relocate(path: string, kernel: Kernel): Promise<string[]> {
  const spec = ObjectSpec.parse(new Uint8Array(readFileSync(path)), path);
  const program = spec.program('ask');
  const { code, poisoned } = applyCoreRelocations(spec, program, await kernel.facts());
  return program.coreRelocations.map(({ slot }) => {
    if (poisoned.some((one) => one.slot === slot)) return `${slot} poison`;
    const [before, { opcode, imm, offset }] = [readInstruction(program.code, slot), readInstruction(code, slot)];
    const isMemory = [1, 2, 3].includes(opcode & 7);
    const value = opcode === 0x18 ? readImm64(code, slot) : BigInt.asUintN(64, BigInt(isMemory ? offset : imm));
    const width = opcode === before.opcode ? '' : ` ${WIDTHS.get(opcode & 0x18)} bytes`;
    return `${slot} ${value}${width}`;
  });
}

/** BPF_B, BPF_H, BPF_W and BPF_DW. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [0x10, 1],
  [0x08, 2],
  [0x00, 4],
  [0x18, 8],
]);

/** The same from the lines that bpf_core_patch_insn and bpf_core_poison_insn print for -d (tools/lib/bpf/relo_core.c). */
function patchesIn(log: string): string[] {
  const patches = new Map<number, string>();
  for (const line of log.split('\n')) {
    const [, slot, value] = /patched insn #(\d+) \(.*?\) (?:imm|imm64|off) \d+ -> (\d+)/.exec(line) ?? [];
    if (slot !== undefined) patches.set(Number(slot), `${slot} ${value}`);
    const [, wide, size] = /patched insn #(\d+) .*mem_sz \d+ -> (\d+)/.exec(line) ?? [];
    if (wide !== undefined) patches.set(Number(wide), `${patches.get(Number(wide))} ${size} bytes`);
    const [, poisoned] = /substituting insn #(\d+) w\/ invalid insn/.exec(line) ?? [];
    // The second half of a 64-bit constant has no line of its own with us.
    const isHalf =
      poisoned !== undefined &&
      patches.get(Number(poisoned) - 1) === `${Number(poisoned) - 1} poison` &&
      /insn #\d+/.test(line);
    if (poisoned !== undefined && !isHalf) patches.set(Number(poisoned), `${poisoned} poison`);
  }
  return [...patches].sort(([a], [b]) => a - b).map(([, text]) => text);
}
