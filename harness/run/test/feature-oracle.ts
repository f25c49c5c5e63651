import type { Test } from 'tap';
import { helperName } from '../../../loader/insn/helpers.ts';
import type { Kernel } from '../../../loader/kernel.ts';
import { mapTypeName } from '../../../loader/object/map-types.ts';
import { PROGRAM_TYPES } from '../../../loader/object/program-types.ts';
import type { ProgramType } from '../../../loader/object/spec.ts';
import { APPLETS, installApplets } from '../../guest/guest-place.ts';
import type { Guest } from '../../guest/open-guest.ts';
import { findProgram } from '../../guest/program-files.ts';
import { pushFiles } from '../../guest/transfer.ts';
import { requirements } from '../../setup/requirements.ts';

/** The one whose helpers are compared; bpftool asks for thousands of them, and the machine is emulated. */
const TYPE = 'socket_filter';
const NEXT_TYPE = 'kprobe';

/** bpftool asks for these with `full` alone: a kernel warns of programs that use them. */
const NOT_ASKED = ['bpf_trace_printk', 'bpf_trace_vprintk', 'bpf_probe_write_user'];

/** What a kernel says of a helper that is not for a program type since 6.12; libbpf before 1.5 takes it for anything but a refusal. */
const NEW_REFUSAL = /^program of this type cannot use helper /;

/**
 * libbpf 1.4 and later set this field of `union bpf_attr` where they ask for struct_ops maps (src/libbpf_probes.c, probe_map_create). Kernels before 6.9
 * do not have it and answer E2BIG, which libbpf takes for a map type that is not there.
 */
const NEW_FIELD = 'value_type_btf_obj_fd';

/**
 * Asks for every program and map type, and for the helpers of socket filters, and has bpftool ask the same kernel. bpftool of Debian 12 and
 * Ubuntu 24.04 knows fewer types and helpers than there are; what it does not name is not compared.
 */
export async function compareWithBpftool(t: Test, guest: Guest, kernel: Kernel, bpftool: string): Promise<void> {
  const oracle = await askBpftool(guest, bpftool);
  const differences: string[] = [];
  let compared = 0;
  const compare = (what: string, ours: string, theirs: boolean | undefined): void => {
    if (theirs === undefined) return;
    compared++;
    if ((ours === 'supported') !== theirs) differences.push(`${what} is ${ours}, and ${theirs} for bpftool`);
  };
  for (const type of Object.keys(PROGRAM_TYPES) as ProgramType[]) {
    if (type === 'unspecified') continue;
    compare(`program type ${type}`, (await kernel.features.programType(type)).support, oracle.programTypes.get(type));
  }
  for (let number = 1; ; number++) {
    const type = mapTypeName(number);
    if (type === null) break;
    compare(`map type ${type}`, (await kernel.features.mapType(type)).support, oracle.mapTypes.get(type));
  }
  t.ok(compared > 55, `${compared} types`);
  const misled = differences.indexOf('map type struct_ops is supported, and false for bpftool');
  if (misled >= 0 && !(await hasNewField(kernel))) differences.splice(misled, 1);
  t.ok(oracle.helpers.size > 20, `bpftool has ${oracle.helpers.size} helpers`);
  let explained = 0;
  let helpers = 0;
  for (let number = 1; ; number++) {
    const name = helperName(number);
    if (name === undefined) break;
    const { support, reason } = await kernel.features.helper(TYPE, number);
    const theirs = oracle.helpers.has(name);
    helpers++;
    // Both ways round: what bpftool has and we do not is to be refused in the new words, and what we have bpftool has, unless it does not ask.
    if (support === 'supported') {
      if (!theirs && !NOT_ASKED.includes(name) && number <= oracle.lastHelper) differences.push(`helper ${name}`);
    } else if (theirs) {
      if (NEW_REFUSAL.test(reason)) explained++;
      else differences.push(`helper ${name}: ${reason}`);
    }
  }
  t.same(
    differences,
    [],
    `${kernel.release} is to us what it is to bpftool, in ${compared} types and ${helpers} helpers`,
  );
  t.comment(`${explained} helpers for which this bpftool does not understand the refusal`);
}

interface Oracle {
  readonly programTypes: ReadonlyMap<string, boolean>;
  readonly mapTypes: ReadonlyMap<string, boolean>;
  readonly helpers: ReadonlySet<string>;
  /** The highest number of those helpers: bpftool does not ask for later ones. */
  readonly lastHelper: number;
}

/** Copies bpftool into a guest; gives its path there. */
export async function pushBpftool({ place }: Guest): Promise<string> {
  const path = requirements()
    .find(({ name }) => name === 'bpftool')
    ?.find();
  const program = await findProgram(path ?? 'bpftool', {
    path: process.env.PATH ?? '',
    libraryPath: '',
    hostRoot: false,
  });
  await installApplets(place);
  await pushFiles(place, program.files);
  return program.path;
}

async function hasNewField(kernel: Kernel): Promise<boolean> {
  const { vmlinuxBtf } = await kernel.facts();
  return Buffer.from(vmlinuxBtf?.bytes ?? []).includes(`\0${NEW_FIELD}\0`);
}

async function askBpftool({ machine, place }: Guest, bpftool: string): Promise<Oracle> {
  const { stdout } = await machine.agent.execute({
    argv: [place.busybox, 'sh', '-c', `${bpftool} feature probe kernel | sed '/program type ${NEXT_TYPE}:/q'`],
    environment: { PATH: `/bin:${APPLETS}` },
    timeoutMs: 60_000,
  });
  const text = new TextDecoder().decode(stdout);
  const answers = (kind: string): Map<string, boolean> =>
    new Map(
      [...text.matchAll(new RegExp(`^eBPF ${kind} (\\w+) is (NOT )?available`, 'gm'))].map(([, name = '', not]) => [
        name,
        not === undefined,
      ]),
    );
  const section = text.split(`program type ${TYPE}:`)[1]?.split('\n\n')[0]?.split('eBPF helpers')[0] ?? '';
  const helpers = new Set([...section.matchAll(/- (bpf_\w+)/g)].map(([, name = '']) => name));
  const numbers = Array.from({ length: 250 }, (_, index) => index).filter((number) =>
    helpers.has(helperName(number) ?? ''),
  );
  return {
    programTypes: answers('program_type'),
    mapTypes: answers('map_type'),
    helpers,
    lastHelper: Math.max(...numbers),
  };
}
