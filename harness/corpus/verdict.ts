/** What became of an object on a kernel, in one loader's hands. */
export interface Verdict {
  readonly loaded: boolean;
  /** Why it was refused, in words that are the same in every run: our error's code or libbpf's complaint, the program, the errno. Empty if it was loaded. */
  readonly reason: string;
  /** What there is to read about it, for the person who looks into it. */
  readonly detail: string;
}

/** An object on a kernel. */
export interface KernelVerdict {
  /** Of libbpf, through bpftool. */
  readonly libbpf: Verdict;
  readonly ours: Verdict;
  /** Where libbpf loads an object that we refuse: the programs that we refuse when each is loaded alone, with our reasons. */
  readonly refusedPrograms: Readonly<Record<string, string>>;
  /** How long each took, in milliseconds. */
  readonly milliseconds: { readonly libbpf: number; readonly ours: number };
}

/** An object of the corpus. */
export interface CorpusObject {
  /** `SOURCE/NAME`. */
  readonly id: string;
  readonly source: string;
  readonly path: string;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** An object and what the loader's first step, which needs no kernel, makes of it. */
export interface ParsedObject extends CorpusObject {
  readonly parsed: boolean;
  /** Our error's code; empty if it was parsed. */
  readonly reason: string;
  readonly detail: string;
  readonly byteOrder: 'little' | 'big' | null;
  /** Names of the programs that are loaded by default. */
  readonly programs: readonly string[];
}

/** A verdict of an object that was loaded. */
export const LOADED: Verdict = { loaded: true, reason: '', detail: '' };
