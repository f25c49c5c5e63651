import { z } from 'zod';

/** Capabilities by number, as in include/uapi/linux/capability.h. Kernels before 5.8 end at CAP_AUDIT_READ, and 5.8 before the last. */
export const CAPABILITIES = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID'],
  ...['CAP_SETUID', 'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE', 'CAP_NET_BIND_SERVICE', 'CAP_NET_BROADCAST'],
  ...['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK', 'CAP_IPC_OWNER', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO'],
  ...['CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_PACCT', 'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_NICE'],
  ...['CAP_SYS_RESOURCE', 'CAP_SYS_TIME', 'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD', 'CAP_LEASE', 'CAP_AUDIT_WRITE'],
  ...['CAP_AUDIT_CONTROL', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG', 'CAP_WAKE_ALARM'],
  ...['CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE'],
] as const;

/** The name of a capability. */
export type Capability = (typeof CAPABILITIES)[number];

const names = z.array(z.enum(CAPABILITIES).meta({ id: 'capability' }));

export const capabilitiesSchema = z
  .strictObject(
    {
      drop: names.min(1).optional().describe('These are taken away.'),
      only: names.optional().describe('All but these are taken away.'),
    },
    { error: 'capabilities are a mapping, as in {drop: [CAP_SYSLOG]} or {only: [CAP_BPF]}' },
  )
  .refine(({ drop, only }) => (drop === undefined) !== (only === undefined), {
    message: 'capabilities are either those to `drop` or the `only` ones that stay',
  })
  .meta({ oneOf: [{ required: ['drop'] }, { required: ['only'] }] })
  .transform(({ drop, only = [] }): CapabilityChange => (drop === undefined ? { only } : { drop }))
  .describe('What the process that loads and runs the program may do (capabilities(7)); root may do everything.');

/** What is taken away from root. */
export type CapabilityChange = { readonly drop: readonly Capability[] } | { readonly only: readonly Capability[] };
