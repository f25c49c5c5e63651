import { classify as classifyCilium } from './cilium/messages.ts';
import { classify as classifyLibbpf } from './libbpf/messages.ts';
import type { LoaderComplaint } from './prepared-loader.ts';

/**
 * What a line means if it is one of libbpf's or of cilium/ebpf's: a user's own loader is mostly one of them in a program of its own. libbpf begins each line
 * with its name (`__base_pr`, src/libbpf.c), and programs put the time and the like before that.
 */
export function classifyKnownWords(message: string): LoaderComplaint | null {
  return classifyLibbpf(message.replaceAll(/^.*?\blibbpf: /gm, '')) ?? classifyCilium(message);
}
