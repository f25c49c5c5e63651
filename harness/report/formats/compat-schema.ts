import { z } from 'zod';
import { resultsSchema } from '../../results/schema.ts';

/** Raised when a part of compat.json changes its meaning or goes; a part that is added leaves it alone. */
export const COMPAT_SCHEMA_VERSION = 1;

const { id, startedAt, tool, origin, complete, host, programs, kernels } = resultsSchema.shape;

const finding = {
  works: z
    .boolean()
    .nullable()
    .describe('Whether the program loads, runs and reads the right values; null if that is not known.'),
  class: z.string().nullable().describe('How it fails, as in the results; null if it works or nothing is known.'),
  phase: z.string().nullable().describe('How far it comes; null if it works or nothing is known.'),
  cause: z
    .string()
    .nullable()
    .describe('Why it does not work, or why nothing is known, in a few words: `not run`, `flaky`, `harness broke`.'),
  notes: z.array(z.string()).describe("Why this is so, as the program's expectations have it, where they were met."),
};

const apartFinding = z.object(finding).describe('What became of a program on a kernel by itself.');

const range = z
  .object({
    ...finding,
    since: z.string().describe('The oldest kernel that was seen to end so.'),
    until: z.string().describe('The newest kernel that was seen to end so.'),
    after: z
      .string()
      .nullable()
      .describe(
        'The newest kernel before `since` that is known to end otherwise: the change lies after it, and no later than `since`. Null if none is known to: older kernels may end so as well.',
      ),
    before: z
      .string()
      .nullable()
      .describe(
        'The oldest kernel after `until` that is known to end otherwise. Null if none is known to: newer kernels may end so as well.',
      ),
    kernels: z.array(z.string()).describe('All kernels that were looked at in this range, oldest first.'),
  })
  .describe('Kernels that follow on each other and ended alike.');

const support = z.object({
  axes: z
    .record(z.string(), z.array(range))
    .describe('By axis: ranges from the oldest to the newest, without a gap between what was looked at.'),
  apart: z.record(z.string(), apartFinding).describe('By kernel, for those that lie on no axis.'),
});

/**
 * compat.json: since and until when each program works, for other programs to read. In the spirit of MDN's browser-compat-data, whose
 * `version_added` and `version_removed` are bounds here, because a matrix does not look at every kernel there is.
 */
export const compatSchema = z.object({
  schemaVersion: z.literal(COMPAT_SCHEMA_VERSION),
  run: z.object({ id, startedAt, tool, origin, accelerator: host.shape.accelerator, complete }),
  axes: z
    .record(z.string(), z.array(z.string()))
    .describe('Kernels of one source and flavour, oldest first; between two neighbours others may lie.'),
  kernels: z.record(
    z.string(),
    kernels.element.pick({ release: true, version: true, source: true, sha256: true }).extend({
      axis: z.string().nullable().describe('Null if it lies on none.'),
    }),
  ),
  programs: z.record(
    z.string(),
    programs.element.pick({ title: true, about: true, source: true, needs: true }).extend({
      variants: z.record(z.string(), z.object({ loaders: z.record(z.string(), support) })),
    }),
  ),
});

/** What {@link compatSchema} describes. */
export type Compat = z.infer<typeof compatSchema>;

/** Kernels that ended alike. */
export type CompatRange = z.infer<typeof range>;

/** What became of a program on one kernel. */
export type CompatFinding = z.infer<typeof apartFinding>;
