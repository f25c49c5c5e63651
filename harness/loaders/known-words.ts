import { classify as classifyCilium } from './cilium/messages.ts';
import { classify as classifyLibbpf } from './libbpf/messages.ts';
import type { LoaderComplaint } from './prepared-loader.ts';

/** What a message means if it is one of libbpf's or of cilium/ebpf's: a user's own loader is mostly one of them in a program of its own. */
export function classifyKnownWords(message: string): LoaderComplaint | null {
  return classifyLibbpf(message) ?? classifyCilium(message);
}
