import { Btf } from '../../../loader/btf/btf.ts';
import { type ElfFile, parseElf } from '../../../loader/elf/elf.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { ObjectSpec } from '../../../loader/object/object-spec.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import type { KernelFacts } from '../../../loader/resolve/outcome.ts';
import { wordFields } from '../fields.ts';
import type { RawSeed, RawSeeds } from '../seeds.ts';
import type { Seed } from '../target.ts';
import { moduleBtfBytes } from './module-blob.ts';

/** What the seeds hold, taken apart as far as it goes. */
export interface Context {
  /** Objects of both byte orders that the loader takes. */
  readonly specs: readonly ObjectSpec[];
  /** `.BTF` of each object, the kernel's first. */
  readonly btfs: readonly Seed[];
  /** `.BTF.ext` of each object with the object's BTF. */
  readonly exts: readonly { readonly seed: Seed; readonly btf: Btf }[];
  /** The code of each section with instructions. */
  readonly code: readonly { readonly name: string; readonly bytes: Uint8Array; readonly littleEndian: boolean }[];
  readonly module: Seed;
  readonly kallsyms: Uint8Array;
  /** A kernel with the seed's types. */
  readonly facts: KernelFacts & { readonly vmlinuxBtf: Btf };
}

const SHF_EXECINSTR = 4n;

/** Takes the seeds apart. Throws FormatError if one is no ELF file. */
export function readContext(seeds: RawSeeds): Context {
  const files = [seeds.kernel, ...seeds.objects].flatMap((seed) => {
    const elf = optional(() => parseElf(seed.bytes, seed.name));
    return elf === undefined ? [] : [elf];
  });
  const btfs = files.flatMap((elf) => sectionSeed(elf, '.BTF'));
  const exts = files.flatMap((elf) => {
    const [btf] = sectionSeed(elf, '.BTF');
    const [seed] = sectionSeed(elf, '.BTF.ext');
    return btf === undefined || seed === undefined ? [] : [{ seed, btf: Btf.parse(btf.bytes, { name: btf.name }) }];
  });
  const code = files.flatMap((elf) =>
    elf.sections
      .filter(({ flags, data }) => (flags & SHF_EXECINSTR) !== 0n && data.length > 0)
      .map(({ name, data }) => ({
        name: `${elf.name} ${name}`,
        bytes: data,
        littleEndian: elf.byteOrder === 'little',
      })),
  );
  const [kernelBtf] = btfs;
  const vmlinuxBtf = Btf.parse(kernelBtf?.bytes ?? new Uint8Array(), { name: 'vmlinux' });
  const moduleBytes = moduleBtfBytes(vmlinuxBtf);
  const module = { name: 'module', bytes: moduleBytes, fields: wordFields(0, moduleBytes.length, true) };
  const kallsyms = new TextEncoder().encode(kallsymsText());
  const facts = {
    kallsyms: Kallsyms.parse(kallsyms),
    vmlinuxBtf,
    moduleBtfs: [{ name: 'module', btf: Btf.parse(moduleBytes, { base: vmlinuxBtf, name: 'module' }) }],
    moduleBtfsUnavailable: null,
    btfIdLoads: true,
  };
  return { specs: readSpecs(seeds.objects), btfs, exts, code, module, kallsyms, facts };
}

function readSpecs(objects: readonly RawSeed[]): ObjectSpec[] {
  return objects.flatMap(({ bytes, name }) => {
    const spec = optional(() => ObjectSpec.parse(bytes, name));
    return spec === undefined ? [] : [spec];
  });
}

/** Some seeds are refused as they stand: files of a corpus, say. */
function optional<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ExplainedError) return undefined;
    throw error;
  }
}

function sectionSeed(elf: ElfFile, name: string): Seed[] {
  const section = elf.sections.find((one) => one.name === name);
  if (section === undefined) return [];
  const bytes = section.data.slice();
  return [{ name: `${elf.name} ${name}`, bytes, fields: wordFields(0, bytes.length, elf.byteOrder === 'little') }];
}

function kallsymsText(): string {
  const lines = Array.from(
    { length: 24 },
    (_, index) => `ffffffff8100${(index * 16).toString(16).padStart(4, '0')} t f${index}`,
  );
  lines.push('ffffffff82000000 D jiffies', '0000000000000000 A __per_cpu_start', '0000000000020100 A runqueues');
  lines.push('ffffffff81300000 T bpf_rcu_read_lock', 'ffffffff81400000 t s_show', 'ffffffff81500000 t s_show');
  lines.push('ffffffff81600000 d hashed.llvm.1234567', 'ffffffffc0100000 d module_variable\t[module]');
  lines.push('ffffffffc0000000 t bpf_module_function\t[module]', 'ffffffffc0200000 t bpf_prog_6deef7357e7b4530\t[bpf]');
  return `${lines.join('\n')}\n`;
}
