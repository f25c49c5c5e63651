import { z } from 'zod';

/** Version of what an adapter prints; PROTOCOL.md describes it. */
const ADAPTER_PROTOCOL = 1;

const errno = z
  .string()
  .regex(/^E[A-Z0-9]+$/)
  .nullable()
  .describe('By name, as in EINVAL; null if it is not known.');
const hexBytes = z.string().regex(/^([0-9a-f]{2})*$/);

/** What an adapter prints on its standard output: one JSON document. */
export const adapterAnswerSchema = z.object({
  protocol: z.literal(ADAPTER_PROTOCOL),
  loader: z.object({ name: z.string(), version: z.string() }),
  opened: z.boolean().describe('Whether the loader could parse the object.'),
  loaded: z.boolean().describe('Whether everything in it was loaded.'),
  failure: z
    .object({
      phase: z.enum(['open', 'load']),
      errno,
      message: z.string().describe("The loader's own words, the whole error as it would print it."),
    })
    .nullable()
    .describe('Null if everything was loaded.'),
  programs: z
    .array(
      z.object({
        name: z.string().describe("The function's name."),
        loaded: z.boolean(),
        errno,
        message: z.string().nullable(),
        verifierLog: z.string().nullable().describe('As far as the loader shows it.'),
      }),
    )
    .describe('Empty if the object could not be opened.'),
  externs: z
    .array(z.object({ name: z.string(), address: z.string().regex(/^0x[0-9a-f]+$/) }))
    .optional()
    .describe(
      'Addresses of typeless externs, where the loader can tell: looked at where its bpf(2) calls do not show them.',
    ),
  runs: z
    .array(
      z.object({
        program: z.string(),
        cpu: z.int().nonnegative(),
        returned: z
          .int()
          .nonnegative()
          .nullable()
          .describe('What the program returned, 32 bits; null if it did not run.'),
        errno,
        data: z
          .record(z.string(), hexBytes)
          .describe('The bytes of each global data section after the run, by name, as in .bss.'),
      }),
    )
    .describe('The test runs that were asked for, in order; empty if something was not loaded.'),
  messages: z.array(z.string()).describe('What else the loader said: warnings, libbpf: lines.'),
});

/** {@link adapterAnswerSchema} as a type. */
export type AdapterAnswer = z.infer<typeof adapterAnswerSchema>;
