import { z } from 'zod';
import { conditionSchema } from './condition-schema.ts';
import { PHRASE_WORDS, parseExternPhrase } from './extern-phrase.ts';
import { complainOfLoaderRange } from './loader-version.ts';
import { failureSchema } from './outcome-schema.ts';

const outcome = z
  .union([
    z.literal('works'),
    failureSchema.extend({
      message: z
        .union([z.string().min(3), z.array(z.string().min(3)).min(1)])
        .optional()
        .describe("Text that the loader's own words contain."),
    }),
  ])
  .describe('What happens with this loader instead of what is expected of the program.');

const oneLine = z.string().regex(/^\S([^\r\n]*\S)?$/, 'one line is wanted');
const patterns = z.array(z.string().min(1)).min(1).optional();

const externPhrase = z.string().superRefine((text, context) => {
  if (parseExternPhrase(text) !== undefined) return;
  const message = `"${text}" is not understood: one word of each sort, as in "weak typed missing" or "no typeless" (words: ${PHRASE_WORDS})`;
  context.addIssue({ code: 'custom', message });
});

/** A known difference: where a loader does not do what the programs expect, and why. */
export const differenceSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9]+([.-][a-z0-9]+)*$/, 'an id has lower-case words with dashes between them')
    .describe('A stable name: results and reports refer to it.'),
  loader: z
    .string()
    .min(1)
    .describe("The loader without its version: libbpf, cilium/ebpf, ksym-matrix, or the name of one's own."),
  versions: z
    .string({ error: 'a range is a string: put it in quotes, as in "<0.17"' })
    .superRefine((text, context) => {
      const message = complainOfLoaderRange(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .optional()
    .describe('Of the loader: "<0.17", ">=0.2 <1.2", "1.5" (every 1.5.x), "||" between alternatives. Default: all.'),
  when: conditionSchema.optional().describe('On which kernels, in which variants. Default: all.'),
  programs: patterns.describe('Names of programs; * is a wildcard. Default: all.'),
  sections: patterns.describe('ELF sections, of which the object has one with a program in it; * is a wildcard.'),
  externs: z
    .array(externPhrase)
    .min(1)
    .optional()
    .describe(
      'What the object has, all of it: "typeless", "weak typed missing", "no typed", "const typeless" (declared so), "any". What an extern is on the kernel (found, missing, ambiguous, mismatched, hidden, zero) is by the rules of ksym-matrix.',
    ),
  outcome,
  resolves: z
    .enum(['address', 'btf-id', 'null'])
    .optional()
    .describe(
      'What the loader may make of the externs that `externs` names, where the rules of ksym-matrix make something else of them. Without it nothing else will do, if the outcome is `works`; with it, a program that looks at them may find a wrong value.',
    ),
  elsewhere: z
    .literal(true)
    .optional()
    .describe('It was seen with a program that is not in the catalogue: a run that does not need it says nothing.'),
  what: oneLine.min(10).max(200).describe('One line, for people: what the loader does.'),
  why: z.string().min(20).describe('The cause, in the loader or the kernel.'),
  source: z
    .array(z.string().min(5))
    .min(1)
    .describe('Where that can be looked up: addresses of commits and issues, or a file of the loader and its version.'),
});

/** A file of known differences. */
export const differencesFileSchema = z.strictObject({
  $schema: z.string().optional(),
  differences: z.array(differenceSchema).describe('The first that applies to a cell counts.'),
});

/** {@link differenceSchema} as a type. */
export type Difference = z.infer<typeof differenceSchema>;

/** What {@link Difference.outcome} can be. */
export type DifferentOutcome = Difference['outcome'];
