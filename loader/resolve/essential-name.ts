/**
 * A name without its flavour: what stands before the last `___` that has something else than an underscore on both sides
 * (`rq___old` is `rq`), as bpf_core_essential_name_len in libbpf's `src/relo_core.c` cuts it.
 */
export function essentialName(name: string): string {
  return /^(.*[^_])___[^_]/s.exec(name)?.[1] ?? name;
}
