import { kconfigType } from '../object/kconfig.ts';
import type { KconfigSpec, ObjectContent } from '../object/spec.ts';
import { type Encoded, encodeKconfigNumber, encodeKconfigText } from './kconfig-value.ts';
import type { KernelConfig } from './kernel-config.ts';

/** What `__kconfig` externs want to know about a kernel. Plain data: the load step reads it through an agent, tests make it by hand. */
export interface KconfigFacts {
  /** Configurations to look into, in this order: the caller's own lines, then the kernel's. */
  readonly configs: readonly KernelConfig[];
  /** Where the kernel's configuration was looked for and not found; empty if it was found, or not looked for. */
  readonly missingConfigs: readonly string[];
  /** LINUX_VERSION_CODE; null if it is not known. */
  readonly version: number | null;
  /** Whether tracing programs have bpf_get_attach_cookie() (5.15); null if it was not probed. */
  readonly bpfCookie: boolean | null;
  /** Whether functions of system calls bear the architecture's prefix, `__x64_sys_…` (4.17); null if it is not known. */
  readonly syscallWrapper: boolean | null;
}

/** Why an extern has no value. Stable: programs may branch on these. */
export type KconfigReason =
  | 'KCONFIG_UNREADABLE'
  | 'KCONFIG_NOT_SET'
  | 'KCONFIG_TYPE'
  | 'KCONFIG_RANGE'
  | 'KCONFIG_UNKNOWN_NAME'
  | 'KCONFIG_VERSION_UNKNOWN';

/** What became of one `__kconfig` extern. */
export interface KconfigResolution {
  readonly name: string;
  readonly weak: boolean;
  readonly outcome: /** In the object's byte order; `text` as the configuration has it. */
    | { readonly result: 'value'; readonly bytes: Uint8Array; readonly text: string }
    /** A weak extern that is not set: zero. */
    | { readonly result: 'zero'; readonly reason: KconfigReason; readonly explanation: string }
    /** The object cannot be loaded on this kernel. */
    | { readonly result: 'error'; readonly reason: KconfigReason; readonly explanation: string };
}

/**
 * Says for each `__kconfig` extern what it is on a kernel. Pure, and nothing is thrown. Follows bpf_object__resolve_externs in libbpf's `src/libbpf.c`:
 * an option that is not set (`# CONFIG_X is not set` included) is zero if the extern is weak and an error if it is strong; a value that the
 * type cannot hold, and a configuration that cannot be read, are errors for both.
 */
export function resolveKconfig(spec: ObjectContent, facts: KconfigFacts): KconfigResolution[] {
  return (spec.kconfig ?? []).map((extern) => ({
    name: extern.name,
    weak: extern.weak,
    outcome: extern.name.startsWith('CONFIG_')
      ? resolveOption(spec, extern, facts)
      : resolveVirtual(spec, extern, facts),
  }));
}

/** The content of the map `.kconfig`; what has no value is zero. */
export function kconfigData(spec: ObjectContent, resolutions: readonly KconfigResolution[]): Uint8Array {
  const kconfig = spec.kconfig ?? [];
  const last = kconfig.at(-1);
  const data = new Uint8Array(last === undefined ? 0 : last.offset + last.size);
  for (const { name, outcome } of resolutions) {
    const place = kconfig.find((extern) => extern.name === name);
    if (place !== undefined && outcome.result === 'value') data.set(outcome.bytes, place.offset);
  }
  return data;
}

type Outcome = KconfigResolution['outcome'];

function resolveOption(spec: ObjectContent, extern: KconfigSpec, facts: KconfigFacts): Outcome {
  for (const config of facts.configs) {
    const text = config.get(extern.name);
    if (text === undefined) continue;
    return encode(spec, extern, text, `${config.source} has ${extern.name}=${text}`, (type) =>
      encodeKconfigText(text, type, spec.byteOrder),
    );
  }
  if (facts.missingConfigs.length > 0) {
    const explanation = `The kernel's configuration is in none of ${facts.missingConfigs.join(', ')}, so the value of ${extern.name} is not known. Give it with the load option kconfig, or hand the configuration in as kernelConfig.`;
    return { result: 'error', reason: 'KCONFIG_UNREADABLE', explanation };
  }
  const where = facts.configs.map(({ source }) => source).join(' and ') || 'no configuration';
  const explanation = `${extern.name} is not set in ${where}.`;
  return missing(extern, 'KCONFIG_NOT_SET', explanation, ' Declare it __weak to have zero then.');
}

/** `LINUX_…`: not of the configuration; loaders make them up. */
function resolveVirtual(spec: ObjectContent, extern: KconfigSpec, facts: KconfigFacts): Outcome {
  const number = (value: number): Outcome =>
    encode(spec, extern, `${value}`, `${extern.name} is ${value}`, (type) =>
      encodeKconfigNumber(BigInt(value), type, spec.byteOrder),
    );
  switch (extern.name) {
    case 'LINUX_KERNEL_VERSION':
      if (facts.version !== null) return number(facts.version);
      return { result: 'error', reason: 'KCONFIG_VERSION_UNKNOWN', explanation: 'The kernel’s release is no version.' };
    case 'LINUX_HAS_BPF_COOKIE':
      return number(facts.bpfCookie === true ? 1 : 0);
    case 'LINUX_HAS_SYSCALL_WRAPPER':
      return number(facts.syscallWrapper === true ? 1 : 0);
    default: {
      const known = 'CONFIG_…, LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE and LINUX_HAS_SYSCALL_WRAPPER';
      const explanation = `${extern.name} is none of what a __kconfig extern can be: ${known}.`;
      if (extern.name.startsWith('LINUX_')) return missing(extern, 'KCONFIG_UNKNOWN_NAME', explanation, '');
      return { result: 'error', reason: 'KCONFIG_UNKNOWN_NAME', explanation };
    }
  }
}

function encode(
  spec: ObjectContent,
  extern: KconfigSpec,
  text: string,
  from: string,
  write: (type: NonNullable<ReturnType<typeof kconfigType>>) => Encoded,
): Outcome {
  const type = spec.btf === null ? null : kconfigType(spec.btf, extern.typeId);
  if (type === null) {
    return { result: 'error', reason: 'KCONFIG_TYPE', explanation: `${extern.name} is of a type that holds no value.` };
  }
  const encoded = write(type);
  if ('bytes' in encoded) return { result: 'value', bytes: encoded.bytes, text };
  return { result: 'error', reason: encoded.reason, explanation: `${from}: ${encoded.why}.` };
}

function missing(extern: KconfigSpec, reason: KconfigReason, explanation: string, advice: string): Outcome {
  if (extern.weak) return { result: 'zero', reason, explanation };
  return { result: 'error', reason, explanation: `${explanation}${advice}` };
}
