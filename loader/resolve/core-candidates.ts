import type { Btf } from '../btf/btf.ts';
import { readBtfHeader } from '../btf/header.ts';
import type { BtfKind, BtfType } from '../btf/types.ts';
import type { ObjectContent } from '../object/spec.ts';
import { essentialName } from './essential-name.ts';
import type { KernelFacts } from './outcome.ts';

/** A kernel's type that a program's may stand for. */
export interface Candidate {
  readonly btf: Btf;
  readonly type: BtfType;
}

/**
 * Finds a kernel's types by the name and kind of a program's, flavours aside on both sides: `struct rq___old` stands for
 * `struct rq`, and a kernel may have a `struct rq___2` (bpf_core_find_cands in libbpf's `src/libbpf.c`). What was found is kept, so one
 * of these serves all programs of a load.
 */
export class CoreCandidates {
  readonly #vmlinux: Btf;
  readonly #modules: readonly Btf[];
  readonly #found = new Map<string, readonly Candidate[]>();
  readonly #flavours = new Map<Btf, ReadonlyMap<string, readonly string[]>>();

  constructor(vmlinux: Btf, modules: readonly Btf[] = []) {
    this.#vmlinux = vmlinux;
    this.#modules = modules;
  }

  /** Those of a kernel, or of the types given instead of its own; null if it has no BTF. */
  static of(facts: KernelFacts): CoreCandidates | null {
    if (facts.coreBtf !== undefined) return new CoreCandidates(facts.coreBtf);
    if (facts.vmlinuxBtf === null) return null;
    return new CoreCandidates(
      facts.vmlinuxBtf,
      facts.moduleBtfs.map(({ btf }) => btf),
    );
  }

  /** The types of vmlinux that have this one's name and kind, by ascending id; if there are none, those of all modules. */
  find(root: BtfType): readonly Candidate[] {
    const name = essentialName(root.name);
    if (name === '') return [];
    const kinds: readonly BtfKind[] = isEnum(root) ? ['enum', 'enum64'] : [root.kind];
    const key = `${kinds.join()} ${name}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      const inVmlinux = this.#search(this.#vmlinux, name, kinds);
      found = inVmlinux.length > 0 ? inVmlinux : this.#modules.flatMap((btf) => this.#search(btf, name, kinds));
      this.#found.set(key, found);
    }
    return found;
  }

  #search(btf: Btf, name: string, kinds: readonly BtfKind[]): Candidate[] {
    const names = [name, ...this.#flavoursOf(btf, name)];
    return names
      .flatMap((one) => kinds.flatMap((kind): BtfType[] => btf.findAll(one, kind, { own: true })))
      .sort((a, b) => a.id - b.id)
      .map((type) => ({ btf, type }));
  }

  /** Names of that flavour in a BTF and in its base, where split BTF keeps the names that both have. */
  #flavoursOf(btf: Btf, name: string): readonly string[] {
    let flavours = this.#flavours.get(btf);
    if (flavours === undefined) {
      flavours = collectFlavours(btf);
      this.#flavours.set(btf, flavours);
    }
    const own = flavours.get(name) ?? [];
    return btf.base === null ? own : [...new Set([...own, ...this.#flavoursOf(btf.base, name)])];
  }
}

/**
 * Whether any CO-RE relocation of these programs starts from a type that vmlinux has none of, so that it may be a module's. Tells a
 * loader whether it is worth while to read the BTF of modules.
 */
export function needsModuleTypes(spec: ObjectContent, vmlinux: Btf): boolean {
  const { btf } = spec;
  if (btf === null) return false;
  const candidates = new CoreCandidates(vmlinux);
  const roots = new Set(spec.programs.flatMap((one) => one.coreRelocations.map(({ typeId }) => typeId)));
  return [...roots].some((id) => candidates.find(btf.type(id)).length === 0);
}

/** Names with a flavour by the name without. They are few, so the bytes are searched, and no other name is made text of. */
function collectFlavours(btf: Btf): Map<string, string[]> {
  const { strings } = readBtfHeader(btf.bytes, btf.name, btf.base !== null);
  const bytes = Buffer.from(strings.buffer, strings.byteOffset, strings.length);
  const flavours = new Map<string, string[]>();
  for (let at = bytes.indexOf(SEPARATOR); at !== -1; ) {
    const start = bytes.lastIndexOf(0, at) + 1;
    const end = bytes.indexOf(0, at);
    const name = end - start > LONGEST_NAME ? '' : bytes.toString('utf8', start, end);
    const essential = essentialName(name);
    if (essential !== name) {
      const known = flavours.get(essential);
      if (known === undefined) flavours.set(essential, [name]);
      else known.push(name);
    }
    at = bytes.indexOf(SEPARATOR, end);
  }
  return flavours;
}

const SEPARATOR = '___';
/** KSYM_NAME_LEN of the kernel; its types' names are no longer. Lines of source code, which objects have among the strings, may be. */
const LONGEST_NAME = 512;

function isEnum(type: BtfType): boolean {
  return type.kind === 'enum' || type.kind === 'enum64';
}
