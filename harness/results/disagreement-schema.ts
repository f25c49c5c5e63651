import { z } from 'zod';

const knownDifference = z.object({
  id: z.string(),
  loader: z.string().describe('Its name without a version.'),
  versions: z.string().nullable().describe('Null for all.'),
  what: z.string(),
  why: z.string(),
  source: z.array(z.string()),
  from: z.enum(['built-in', 'matrix']),
  resolves: z
    .string()
    .optional()
    .describe('What it makes of externs, where loaders that do the same see other values; absent: it explains none.'),
});

const disagreement = z
  .object({
    kernel: z.string(),
    program: z.string(),
    variant: z.string(),
    answers: z
      .array(z.object({ kind: z.string(), class: z.string(), loaders: z.array(z.string()) }))
      .describe('Loaders that gave the same answer, in order; failures that only some loaders tell apart are one.'),
    values: z
      .array(
        z.object({
          name: z.string().describe('Of an extern, or of a variable of the program.'),
          seen: z.array(z.object({ value: z.string(), loaders: z.array(z.string()) })),
        }),
      )
      .describe('What loaders resolved or read differently, though they gave the same answer.'),
    causes: z
      .array(z.object({ difference: z.string().nullable(), loaders: z.array(z.string()) }))
      .describe('The known difference behind each loader that stands apart; null if there is none.'),
    explained: z.boolean(),
  })
  .describe('A program on a kernel, on which loaders disagree.');

/** What the loaders of a run disagree about. */
export const differencesSchema = z.object({
  compared: z.int().nonnegative().describe('Programs on kernels, by variant, that several loaders were tried on.'),
  known: z.array(knownDifference).describe('The known differences that cells fall under.'),
  disagreements: z.array(disagreement),
});
