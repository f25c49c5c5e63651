import type { Test } from 'tap';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import { readKallsyms } from '../../../loader/facts/kernel-facts.ts';
import { decodeInstructions } from '../../../loader/insn/decode.ts';
import type { Kernel } from '../../../loader/kernel.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { INCLUDE } from '../../../loader/object/test/sources.ts';
import { formatProgram, readProgramBtf } from '../../../loader/programs/listing.ts';
import { APPLETS, installApplets } from '../../guest/guest-place.ts';
import type { Guest } from '../../guest/open-guest.ts';
import { findProgram } from '../../guest/program-files.ts';
import { pushFiles } from '../../guest/transfer.ts';
import { requirements } from '../../setup/requirements.ts';

/** A program with what a listing shows: two kinds of ksym, a map, data, a subprogram, helpers. Of the typed variable 5.10 of Debian knows nothing. */
const LISTED_PROGRAM = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
extern const void bpf_link_fops __ksym;
extern const int bpf_prog_active __ksym __attribute__((weak));
__u64 address;
const volatile int limit = 3;
static __attribute__((noinline)) int sub(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &key);

	return value ? *value : limit;
}
SEC("tc") int listed(struct __sk_buff *skb)
{
	int active = 0;

	address = (__u64)&bpf_link_fops;
	if (&bpf_prog_active)
		active = *(const int *)bpf_this_cpu_ptr(&bpf_prog_active);
	return active + sub(skb->len);
}
char LICENSE[] SEC("license") = "GPL";
`;

/** Compiles {@link LISTED_PROGRAM} in a folder: of standard input clang keeps no source lines. */
export function compileListed(folder: string): ObjectSpec {
  const { bytes } = compileBpf(folder, 'listed', LISTED_PROGRAM, { flags: ['-g', '-O2', INCLUDE] });
  return ObjectSpec.parse(bytes, 'listed.o');
}

/**
 * Loads {@link LISTED_PROGRAM}, reads it back, and compares the listing with what bpftool prints in the same guest, and the addresses in its instructions
 * with /proc/kallsyms.
 */
export async function compareListing(
  t: Test,
  guest: Guest,
  kernel: Kernel,
  spec: ObjectSpec,
  option: keyof typeof OPTIONS,
): Promise<void> {
  await using object = await kernel.load(spec, { programs: ['listed'] });
  const program = object.program('listed');
  const info = await program.info();
  t.equal(info.name, 'listed');
  t.equal(info.functions.length, 2);
  t.equal(info.mapIds.length, 3, 'the map, .bss and .rodata');
  // After the load: its functions are listed, too.
  const kallsyms = await readKallsyms(kernel.agent);
  const constants = decodeInstructions(info.instructions ?? new Uint8Array()).flatMap(({ instruction }) =>
    instruction.kind === 'load-immediate' && instruction.immediate.source === 'value'
      ? [instruction.immediate.value]
      : [],
  );
  for (const { name, outcome } of object.resolutions) {
    const address = kallsyms?.find(name)[0]?.address;
    const [typeless, typed] = [name === 'bpf_link_fops', outcome.result === 'btf-id'];
    if (!typeless && !typed) continue;
    t.ok(
      address !== undefined && constants.includes(address),
      `${kernel.release}: the ${typed ? 'typed' : 'typeless'} ${name} became the address that kallsyms shows`,
    );
  }
  const ours = formatProgram(info, { btf: await readProgramBtf(kernel.agent, info), kallsyms }, OPTIONS[option]);
  const theirs = await bpftool(guest, `prog dump xlated id ${info.id} ${option}`);
  t.match(ours, /^; address = \(__u64\)&bpf_link_fops;/m);
  t.equal(
    olderWords(ours, theirs),
    theirs,
    `${kernel.release}: ${ours.split('\n').length - 1} lines as bpftool has them`,
  );
}

/** bpftool's options; one at a time, as older ones take no more. */
const OPTIONS = { opcodes: { opcodes: true }, linum: { lineNumbers: true } } as const;

/** bpftool before 7.5 takes the kernel's own move that makes a per-CPU address (6.8) for a plain one. */
function olderWords(ours: string, theirs: string): string {
  return theirs.includes('__percpu') ? ours : ours.replaceAll(/&\(void __percpu \*\)\((r\d+)\)/g, '$1');
}

async function bpftool({ machine, place }: Guest, args: string): Promise<string> {
  const found = requirements()
    .find(({ name }) => name === 'bpftool')
    ?.find();
  const environment = { path: process.env.PATH ?? '', libraryPath: '', hostRoot: false };
  const program = await findProgram(found ?? 'bpftool', environment);
  await installApplets(place);
  await pushFiles(place, program.files);
  const { stdout, stderr, exitCode } = await machine.agent.execute({
    argv: [place.busybox, 'sh', '-c', `${program.path} ${args}`],
    environment: { PATH: `/bin:${APPLETS}` },
    timeoutMs: 60_000,
  });
  if (exitCode !== 0) throw new TypeError(`bpftool ${args}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
