import { z } from 'zod';
import { resultsSchema } from './schema.ts';
import { VERDICTS, type Verdict } from './verdicts.ts';

/** Raised when a part of a file of the history changes its meaning or goes. */
export const HISTORY_SCHEMA_VERSION = 1;

/** One letter for each verdict in a file of the history. */
export const VERDICT_LETTERS: Readonly<Record<Verdict, string>> = {
  pass: 'p',
  xfail: 'x',
  fail: 'F',
  xpass: 'X',
  panic: 'P',
  timeout: 'T',
  infra: 'I',
  flaky: 'Y',
};

/** The letter of a cell that was not run. */
export const NOT_RUN_LETTER = '.';

const letters = `${VERDICTS.map((verdict) => VERDICT_LETTERS[verdict]).join('')}${NOT_RUN_LETTER}`;

const { id, startedAt, origin, complete, totals, host } = resultsSchema.shape;

/** What is kept of a run for ever: which verdict each cell had, and nothing of why. A few kilobytes. */
export const historySchema = z
  .object({
    schemaVersion: z.literal(HISTORY_SCHEMA_VERSION),
    id,
    startedAt,
    toolVersion: z.string(),
    origin,
    accelerator: host.shape.accelerator,
    complete,
    totals,
    kernels: z
      .array(z.object({ name: z.string(), release: z.string(), version: z.string() }).readonly())
      .readonly()
      .describe('Oldest first, as far as their versions tell.'),
    rows: z
      .array(
        z
          .object({
            loader: z.string(),
            program: z.string(),
            variant: z.string(),
            verdicts: z
              .string()
              .regex(new RegExp(`^[${letters}]*$`))
              .describe('A letter for each kernel, in the order of `kernels`.'),
          })
          .readonly(),
      )
      .readonly()
      .describe('In the order of the grid.'),
  })
  .refine(({ kernels, rows }) => rows.every(({ verdicts }) => verdicts.length === kernels.length), {
    path: ['rows'],
    message: 'a row has not as many letters as there are kernels',
  })
  .readonly();
