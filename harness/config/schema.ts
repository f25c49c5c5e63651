import { z } from 'zod';
import { capabilitiesSchema } from './capabilities.ts';
import { type Condition, conditionSchema, conditionShape } from './condition-schema.ts';
import { differenceSchema } from './difference-schema.ts';
import { outcomeSchema } from './outcome-schema.ts';

export const expectationSchema = z.strictObject({
  when: conditionSchema.optional(),
  outcome: outcomeSchema,
  externs: z
    .record(z.string(), z.enum(['address', 'btf-id', 'null']))
    .optional()
    .describe('What each extern must resolve to.'),
  reason: z.string().min(10).describe('Why this is to be expected: the rule, the kernel commit or what was seen.'),
});

const scalarTruth = z.union([z.number().int(), z.string().regex(/^(0x[0-9a-fA-F]+|-?\d+)$/)]);

const simpleTruth = z.union([
  scalarTruth,
  z.literal('cpu').describe('The number of the CPU the program ran on.'),
  z.strictObject({ kallsyms: z.string() }).describe("The symbol's address in the guest's /proc/kallsyms."),
  z.strictObject({ 'file-size': z.string() }).describe('The length in bytes of a file in the guest.'),
  z.strictObject({ variable: z.string() }).describe('Another global variable of the program.'),
]);

export const truthSchema = z.union([
  simpleTruth,
  z.strictObject({ sum: z.array(simpleTruth).min(2) }).describe('Modulo 2^64.'),
]);

const checkSchema = z
  .strictObject({
    variable: z.string().describe('A global variable of the program, read after each run.'),
    equals: truthSchema.optional(),
    differs: truthSchema.optional(),
    when: conditionSchema.optional().describe('The check is made only where this holds.'),
  })
  .refine((check) => (check.equals === undefined) !== (check.differs === undefined), {
    message: 'a check has either `equals` or `differs`',
  });

const runSchema = z.strictObject({
  program: z.string().describe("The function's name in the C file."),
  cpus: z.enum(['one', 'each']).optional().describe('`each`: once on every CPU of the machine. Default: one.'),
  returns: z.number().int().optional().describe('What the program must return.'),
});

const needSchema = z.strictObject(
  {
    what: z.string().min(1).max(200).describe('In a few words: `bpf_per_cpu_ptr()`.'),
    commit: z
      .string({ error: 'a commit is a string: put it in quotes if it looks like a number' })
      .regex(/^[0-9a-f]{12,40}$/, 'a commit is written with 12 to 40 hex digits in lower case')
      .describe("The commit in the kernel's history that brought it."),
    since: z
      .string({ error: 'a version is a string: put it in quotes, as in "5.10"' })
      .regex(/^[1-9]\d*\.\d+$/, 'the first kernel with it is a release such as "5.10"')
      .describe('The first kernel that has it, as in "5.10".'),
  },
  {
    error: 'a need says what, commit and since, as in { what: bpf_per_cpu_ptr(), commit: eaa6bcb71ef6, since: "5.10" }',
  },
);

/** What a program can show a loader to support: the columns of the support page. */
export const FEATURES = ['control', 'typeless', 'typed', 'kfunc', 'weak', 'module'] as const;

/** One of {@link FEATURES}. */
export type Feature = (typeof FEATURES)[number];

/** programs/NAME.yaml: what a program is for, how it is run, and what is expected of it. */
export const programSchema = z.strictObject({
  $schema: z.string().optional(),
  title: z.string().min(1).describe('One line: what this program shows.'),
  about: z.string().optional().describe('More about it, for the report.'),
  source: z.string().optional().describe('The C file, beside this one. Default: NAME.bpf.c.'),
  needs: z
    .array(needSchema)
    .optional()
    .describe('What of the kernel it needs, with the commit that brought it; for the report.'),
  shows: z
    .array(z.enum(FEATURES))
    .min(1)
    .refine((features) => new Set(features).size === features.length, 'each is named once')
    .optional()
    .describe('What a loader supports that this program works with; for the page of what loaders support.'),
  variants: z.array(z.string()).min(1).optional().describe('Variants in which it is run. Default: [default].'),
  modules: z
    .array(z.string().regex(/^[A-Za-z0-9_-]+$/, 'a module is named as in lsmod, without .ko'))
    .optional()
    .describe('Modules of the kernel that are loaded before the program is, each after what it needs.'),
  run: z.array(runSchema).describe('Test runs, in order.'),
  checks: z.array(checkSchema).optional().describe('Made after each test run.'),
  expect: z.array(expectationSchema).min(1).describe('The first whose condition holds counts.'),
});

/** One line that is not too long for a heading. */
const titleSchema = z
  .string()
  .regex(/^\S([^\r\n]*\S)?$/, 'a title is one line')
  .max(120, 'a title has at most 120 characters');

/** Names of kernels and variants: they are shown in the grid, and folders are called by them. */
const nameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, 'a name has letters, digits, dots, dashes');

const flavour = z.enum(['cloud', 'generic', 'rt']).describe('Default: cloud.');

const kernelSchema = z
  .strictObject(
    {
      debian: z
        .string()
        .optional()
        .describe('A line such as "6.12" (the newest 6.12 that Debian serves), "latest", "all", or an exact version.'),
      'debian-snapshot': z
        .string()
        .optional()
        .describe(
          'A line such as "5.9", or an exact version, from the archive of every package that Debian published.',
        ),
      'ubuntu-mainline': z
        .string()
        .optional()
        .describe('A line such as "6.6" (its newest build), or an exact version, from Ubuntu\'s mainline builds.'),
      oci: z
        .string()
        .optional()
        .describe('An image in a container registry that holds /boot/vmlinuz and /lib/modules.'),
      image: z.string().optional().describe('Path of a bzImage.'),
      tree: z.string().optional().describe("Path of a kernel's source tree in which it was built."),
      host: z.literal(true).optional().describe('The kernel that this machine runs.'),
      build: z
        .strictObject(
          {
            source: z.string().describe('"debian-5.10", a folder or a tar archive.'),
            config: z
              .array(z.string())
              .optional()
              .describe('Fragments of configuration, in order: paths, or options such as CONFIG_KALLSYMS_ALL=n.'),
            modules: z.array(z.string()).optional().describe('Modules of the selftests, such as bpf_testmod.'),
          },
          { error: 'a build is a mapping, as in { source: debian-5.10, config: [my.config] }' },
        )
        .optional()
        .describe('A kernel that is configured and compiled here.'),
      flavour: flavour.optional(),
      modules: z.string().optional().describe('With `image`: the folder of its modules.'),
      config: z.string().optional().describe('With `image`: the path of its configuration.'),
      name: nameSchema.optional().describe('Name in the grid. Default: the line.'),
    },
    { error: 'a kernel is a source and what is wanted of it, as in debian: "6.12"' },
  )
  .describe('A kernel: exactly one key says where it comes from.');

const variantSchema = z.strictObject({
  sysctl: z
    .record(
      z.string().regex(/^[a-z0-9_]+([./][A-Za-z0-9_-]+)+$/, 'a sysctl is written as in kernel.kptr_restrict'),
      z.union([z.number().int(), z.string()]),
    )
    .optional()
    .describe('Set before the cell and restored after it.'),
  boot: z
    .array(z.string().min(1))
    .optional()
    .describe('Kernel parameters; the cell gets a machine that was booted with them.'),
  capabilities: capabilitiesSchema.optional(),
  user: z
    .number()
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe('Effective user id of the process that loads and runs the program. Default: 0, which is root.'),
  cpus: z.number().int().min(1).max(64).optional().describe('Processors; the cell gets a machine that has so many.'),
});

const exceptionFields = {
  program: z.string().optional(),
  outcome: outcomeSchema,
  reason: z.string().min(10).describe('Why this cell differs, with a link where there is one.'),
};

const localLoader = z.strictObject({ path: z.string().min(1) });
const libraryNumber = z
  .string({ error: 'a version is a string: put it in quotes, as in "1.5"' })
  .regex(/^\d+(\.\d+){0,3}$/, 'a version is written as in "1.5"');
const librarySchema = z.union(
  [
    libraryNumber.describe('The newest that Debian serves of this version: "1.5" stands for any 1.5.x.'),
    localLoader.describe("A build, or a source tree, of one's own."),
  ],
  { error: 'a version in quotes is wanted, as in "1.5", or a folder, as in { path: ../libbpf/src }' },
);

const loaderSchema = z
  .union(
    [
      z.literal('ksym-matrix').describe("This project's own."),
      z.strictObject({
        libbpf: librarySchema.optional(),
        'cilium/ebpf': librarySchema.optional(),
        command: z
          .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
            error: 'a command is a text or a list of words, as in ./my-loader {object}',
          })
          .optional()
          .describe("A loader of one's own; `{object}` stands for the object's path. Its exit code is the verdict."),
        like: z
          .strictObject({ libbpf: libraryNumber.optional(), 'cilium/ebpf': libraryNumber.optional() })
          .optional()
          .describe(
            'Of a command or a path: the library that it is made with, and its version. What is known of them holds for it.',
          ),
        name: z
          .string()
          .regex(/^[A-Za-z0-9][A-Za-z0-9._+/-]*$/, 'a name has letters, digits, dots, dashes, slashes')
          .optional()
          .describe('Name in the grid. Default: the library and its version, as in libbpf-1.5.'),
      }),
    ],
    { error: 'a loader is `ksym-matrix`, or what it is and which one, as in libbpf: "1.5"' },
  )
  .describe('What loads the programs.');

/** What a cell's result is where it is not what the program expects; `when` says of which cells it is asked. */
export interface MatrixException extends z.infer<z.ZodObject<typeof exceptionFields>> {
  readonly when: Condition;
}

const exceptionSchema: z.ZodType<MatrixException> = z
  .strictObject({ ...conditionShape, ...exceptionFields })
  .transform(({ program, outcome, reason, ...when }) => ({ program, outcome, reason, when }));

/** matrix.yaml: which kernels, which programs, which variants, and where a result differs from what the programs expect. */
export const matrixSchema = z.strictObject({
  $schema: z.string().optional(),
  title: titleSchema.optional().describe('Heading of reports.'),
  kernels: z.array(kernelSchema).min(1),
  loaders: z.array(loaderSchema).min(1).optional().describe('What loads the programs. Default: [ksym-matrix].'),
  programs: z.array(z.string()).min(1).describe('Names of programs: programs/NAME.yaml, relative to this file.'),
  variants: z.record(nameSchema, variantSchema).optional().describe('`default` is always there and changes nothing.'),
  exceptions: z.array(exceptionSchema).optional().describe('Looked at before the expectations of the programs.'),
  differences: z
    .array(differenceSchema)
    .optional()
    .describe('Where other loaders do not do what the programs expect; looked at before what ksym-matrix knows.'),
  machine: z
    .strictObject({
      memory: z.number().int().min(128).max(65536).optional().describe('MiB. Default: 512.'),
      cpus: z.number().int().min(1).max(64).optional().describe('Default: 2.'),
    })
    .optional(),
  deadlines: z
    .strictObject({
      firstOutput: z.number().positive().optional().describe('Seconds to the first byte on the console. Default: 20.'),
      ready: z.number().positive().optional().describe('Seconds to the agent. Default: 180.'),
      restore: z.number().positive().optional().describe('Seconds for a saved machine to answer. Default: 30.'),
      request: z.number().positive().optional().describe('Seconds for one request. Default: 60.'),
      shutdown: z.number().positive().optional().describe('Seconds until QEMU is killed. Default: 5.'),
    })
    .optional(),
  mirror: z.url().optional().describe("A Debian mirror's address. Default: the system's own."),
});

export type { Condition } from './condition-schema.ts';
export {
  CLASSES,
  type ExpectedFailure,
  type ExpectedOutcome,
  type FailureClass,
  PHASES,
  type Phase,
} from './outcome-schema.ts';
export type Expectation = z.infer<typeof expectationSchema>;
export type Truth = z.infer<typeof truthSchema>;
export type Check = z.infer<typeof checkSchema>;
export type ProgramRun = z.infer<typeof runSchema>;
export type ProgramFile = z.infer<typeof programSchema>;
export type LoaderEntry = z.infer<typeof loaderSchema>;
export type KernelEntry = z.infer<typeof kernelSchema>;
export type MatrixFile = z.infer<typeof matrixSchema>;
