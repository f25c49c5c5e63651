import type { FailureClass } from '../../config/schema.ts';
import type { LoaderComplaint } from '../prepared-loader.ts';

/**
 * What libbpf's words mean, from 0.3 to 1.7 (`pr_warn` in src/libbpf.c and src/btf.c), whether one line or several; null if they are none that is known.
 * Of several lines that are known the one that tells most counts.
 */
export function classify(message: string): LoaderComplaint | null {
  for (const { pattern, means } of RULES) {
    const groups = pattern.exec(message)?.groups;
    if (groups === undefined && !pattern.test(message)) continue;
    const extern = groups?.extern;
    const program = groups?.program;
    return {
      class: extern !== undefined && isSetting(extern) ? 'loader-refused' : means,
      ...(extern === undefined ? {} : { extern }),
      ...(program === undefined ? {} : { program }),
    };
  }
  return null;
}

/** An extern in `.kconfig` is no ksym, and the same sentence tells that it is missing. */
function isSetting(extern: string): boolean {
  return /^(?:CONFIG_|LINUX_)/.test(extern);
}

interface Rule {
  /** Its groups `extern` and `program` name what the message is about. */
  readonly pattern: RegExp;
  readonly means: FailureClass;
}

/** In the order of how much they tell: libbpf adds what came of an error to what it was. */
const RULES: readonly Rule[] = [
  // The verifier's sentence, for whoever passes its log: kernel/bpf/verifier.c, check_pseudo_btf_id().
  {
    pattern: /failed to find the address for kernel symbol '(?<extern>[^']+)'/,
    means: 'ksym-address-unavailable',
  },
  // bpf_object__resolve_externs(); without quotes and colon in 0.3.
  { pattern: /^extern '?(?<extern>[^' ]+)'? \(strong\):? not resolved/m, means: 'ksym-not-in-kallsyms' },
  // kallsyms_cb(), earlier bpf_object__read_kallsyms_file().
  { pattern: /^extern \(ksym\) '(?<extern>[^']+)':? resolution is ambiguous/m, means: 'ksym-ambiguous' },
  { pattern: /^failed to (?:open \/proc\/kallsyms|read kallsyms entry)/m, means: 'kallsyms-unreadable' },
  // bpf_object__resolve_ksym_var_btf_id(): both have `ksym` alone in 0.3, which looks only into vmlinux.
  {
    pattern:
      /^extern \((?:var )?ksym\) '(?<extern>[^']+)': (?:not found in kernel BTF|failed to find BTF ID in vmlinux BTF)/m,
    means: 'ksym-not-in-btf',
  },
  { pattern: /^extern \((?:var )?ksym\) '(?<extern>[^']+)': incompatible types/m, means: 'ksym-type-mismatch' },
  // bpf_object__resolve_ksym_func_btf_id().
  { pattern: /^extern \(func ksym\) '(?<extern>[^']+)': not found in kernel/m, means: 'kfunc-not-found' },
  {
    pattern: /^extern \(func ksym\) '(?<extern>[^']+)': func_proto \[\d+\] incompatible/m,
    means: 'kfunc-signature-mismatch',
  },
  {
    pattern: /^extern \(func ksym\) '(?<extern>[^']+)': module BTF fd index \d+ too big/m,
    means: 'loader-lacks-feature',
  },
  // btf_parse_type_sec() stops at a kind that it does not know: the kernel has BTF, and this version cannot read it.
  {
    pattern:
      /^Unsupported BTF_KIND:\d+$[\s\S]*^(?:failed to (?:find valid|read) kernel BTF|Error loading vmlinux BTF)/m,
    means: 'loader-lacks-feature',
  },
  { pattern: /^(?:kernel BTF is missing|failed to find valid kernel BTF)/m, means: 'btf-missing' },
  { pattern: /^(?:failed to read kernel BTF|Error loading vmlinux BTF)/m, means: 'btf-missing' },
  // find_extern_btf_id() of 0.3 looks for variables alone, so that a kfunc is not found (ENOENT); without BTF it is ESRCH.
  {
    pattern: /^failed to find BTF for extern '(?<extern>[^']+)': (?:-2|-ENOENT)$/m,
    means: 'loader-lacks-feature',
  },
  { pattern: /^failed to find BTF for extern '(?<extern>[^']+)'/m, means: 'loader-refused' },
  { pattern: /^unrecognized extern section '/m, means: 'loader-lacks-feature' },
  // 0.3 knows one setting that is no kernel configuration, LINUX_KERNEL_VERSION.
  { pattern: /^unrecognized extern 'LINUX_/m, means: 'loader-lacks-feature' },
  { pattern: /^extern '(?<extern>[^']+)': unrecognized extern kind/m, means: 'loader-lacks-feature' },
  { pattern: /^extern function (?<extern>\S+) is unsupported under/m, means: 'loader-refused' },
  { pattern: /^extern \(kcfg\) '?(?<extern>[^'=]+)'?[:= ]/m, means: 'loader-refused' },
  // load_program(), bpf_object_load_prog(): a section name that this version does not know.
  {
    pattern: /^prog '(?<program>[^']+)': missing BPF prog type, check ELF section name/m,
    means: 'loader-lacks-feature',
  },
  // bpf_program__record_reloc(): a data section that this version does not know, such as .data.own before 0.6.
  {
    pattern: /^prog '(?<program>[^']+)': bad map relo against '[^']*' in section '/m,
    means: 'loader-lacks-feature',
  },
  // parse_btf_map_def(): what a map is declared with; in 0.3, arrays of programs with their first contents.
  { pattern: /^map '[^']+': (?:unknown field '|should be map-in-map)/m, means: 'loader-lacks-feature' },
  // libbpf_find_attach_btf_id(): the function that the program's section names.
  { pattern: /^prog '(?<program>[^']+)': failed to find kernel BTF type ID of/m, means: 'loader-refused' },
  { pattern: /^Error loading \.BTF into kernel: .*BTF is mandatory/m, means: 'btf-rejected' },
  { pattern: /^map '[^']+': failed to (?:create|initialize slot)/m, means: 'map-rejected' },
  {
    pattern: /^map '[^']+': failed to set initial contents|^Error (?:setting initial|freezing) map/m,
    means: 'map-rejected',
  },
  // bpf_object__probe_loading(): not even a program of two instructions is taken.
  { pattern: /Couldn't load trivial BPF program/, means: 'load-refused' },
  // In 0.3 the first of two lines has no program.
  { pattern: /^prog '(?<program>[^']+)': BPF program load failed: /m, means: 'verifier-rejected' },
  {
    pattern: /^load bpf program failed: [\s\S]*^failed to load program '(?<program>[^']+)'$/m,
    means: 'verifier-rejected',
  },
  { pattern: /^load bpf program failed: /m, means: 'verifier-rejected' },
  {
    pattern:
      /^prog '(?<program>[^']+)': (?:relo #?\d+|failed to relocate|bad |invalid relo|map relo|data relo|extern relo)/m,
    means: 'loader-refused',
  },
  { pattern: /^elf: /m, means: 'loader-refused' },
  { pattern: /^BTF is required, but is missing or corrupted/m, means: 'loader-refused' },
];
