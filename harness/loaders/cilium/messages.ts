import type { LoaderComplaint } from '../prepared-loader.ts';

/** What words of cilium/ebpf mean, any version's; null if they are none that is known. */
export function classify(message: string): LoaderComplaint | null {
  for (const { words, meaning } of PHRASES) {
    const found = words.exec(message);
    if (found !== null) return meaning(found);
  }
  return null;
}
const PHRASES: readonly { words: RegExp; meaning: (found: RegExpExecArray) => LoaderComplaint }[] = [];
