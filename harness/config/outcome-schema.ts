import { z } from 'zod';

/** Phases of a cell, in order; a cell's outcome says how far it came. */
export const PHASES = ['compile', 'boot', 'resolve', 'load', 'run', 'check'] as const;

/** Classes of failure that an expectation may name. Stable; docs/matrix-yaml.md explains each. */
export const CLASSES = [
  'compile-failed',
  'object-refused',
  'kernel-panic',
  'kernel-oops',
  'kernel-lockup',
  'kernel-hung-task',
  'kernel-splat',
  'guest-out-of-memory',
  'machine-ended',
  'agent-killed',
  'agent-hung',
  'vm-silent',
  'variant-unavailable',
  'module-missing',
  'module-load-failed',
  'ksym-not-in-kallsyms',
  'kallsyms-unreadable',
  'kallsyms-hidden',
  'ksym-ambiguous',
  'btf-missing',
  'btf-has-no-vars',
  'ksym-not-in-btf',
  'ksym-type-mismatch',
  'kernel-lacks-btf-id-loads',
  'module-btf-unavailable',
  'kfunc-not-found',
  'kfunc-signature-mismatch',
  'btf-rejected',
  'map-rejected',
  'ksym-address-unavailable',
  'load-refused',
  'verifier-rejected',
  'loader-lacks-feature',
  'loader-refused',
  'loader-crashed',
  'loader-timeout',
  'test-run-failed',
  'wrong-return-value',
  'wrong-value',
] as const;

/** A failure as an expectation names it. */
export const failureSchema = z.strictObject({
  phase: z.enum(PHASES),
  class: z.enum(CLASSES),
  errno: z
    .string()
    .regex(/^E[A-Z0-9]+$/, 'an errno is written by name, as in EACCES')
    .optional(),
  extern: z.string().optional().describe('The extern that could not be resolved.'),
  log: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe('Text that the verifier log must contain.'),
});

/** What an expectation says of a cell. */
export const outcomeSchema = z
  .union([z.literal('works'), failureSchema])
  .describe('`works`: loads, runs and every check holds; otherwise exactly how it fails.');

/** {@link outcomeSchema} as a type. */
export type ExpectedOutcome = z.infer<typeof outcomeSchema>;
/** {@link failureSchema} as a type. */
export type ExpectedFailure = z.infer<typeof failureSchema>;
/** One of {@link PHASES}. */
export type Phase = (typeof PHASES)[number];
/** One of {@link CLASSES}. */
export type FailureClass = (typeof CLASSES)[number];
