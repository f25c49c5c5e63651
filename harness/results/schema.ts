import { z } from 'zod';
import { SOURCE_NAMES } from '../../kernels/request.ts';
import { CLASSES, FEATURES, PHASES } from '../config/schema.ts';
import { differencesSchema } from './disagreement-schema.ts';
import { VERDICTS } from './verdicts.ts';

/** Raised when a part of the results changes its meaning or goes; a part that is added leaves it alone. */
export const RESULTS_SCHEMA_VERSION = 2;

const count = z.int().nonnegative();
const milliseconds = z.number().nonnegative();
const hex = z.string().regex(/^0x[0-9a-f]+$/);
const factValues = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** Paths of files, relative to the folder of the run. They are on the machine that ran it; what people need of them is in the cell itself. */
const evidence = z.object({
  console: z
    .string()
    .nullable()
    .describe('Console log of the machine that the cell ran on, which may have run others.'),
  cellConsole: z
    .string()
    .nullable()
    .describe('What the console printed while the cell ran; null if it printed nothing.'),
  resolution: z.string().nullable(),
  verifierLog: z.string().nullable(),
  values: z.string().nullable(),
  loaderLog: z.string().nullish().describe('Of another loader than ours: what it printed for people.'),
  loaderAnswer: z.string().nullish().describe('Of another loader than ours: what its adapter printed, as JSON.'),
});

const extern = z
  .object({
    name: z.string(),
    kind: z.enum(['typeless', 'typed', 'kfunc']),
    weak: z.boolean(),
    result: z.enum(['address', 'btf-id', 'null', 'error']),
    address: hex.optional().describe('For `address`: as /proc/kallsyms has it.'),
    btfId: count.optional().describe('For `btf-id`: the id in the BTF of vmlinux, or of `module`.'),
    module: z.string().optional().describe('For `btf-id`: the module, if it is not vmlinux.'),
    type: z.string().optional().describe('For `btf-id`: the type that the kernel gives it, in a few words.'),
    declaration: z.string().optional().describe("For `btf-id`: the kernel's declaration, printed as C."),
    reason: z.string().optional().describe('For `null` and `error`: a stable name.'),
    explanation: z.string().optional().describe('For `null` and `error`: a sentence.'),
    addresses: z.array(hex).optional().describe('All addresses of a symbol that has several.'),
  })
  .describe('What became of an extern.');

const observedValue = z
  .object({
    program: z.string(),
    cpu: count,
    variable: z.string(),
    value: hex,
    relation: z.enum(['equals', 'differs']),
    truth: hex,
    holds: z.boolean(),
  })
  .describe('A variable read after a test run, beside what it was compared with.');

const location = z
  .object({
    path: z.string().describe('Path of the C file, relative to the root of its repository, with slashes.'),
    line: z.int().positive(),
    text: z.string().describe('The line itself, without the white space around it.'),
    about: z.string().describe('What the line has to do with it: `the extern is declared here`.'),
  })
  .describe('The line of the C source that decided a cell.');

const splat = z.object({
  rule: z.string(),
  kind: z.string(),
  text: z.string(),
  allowed: z.string().nullable().describe('Why it does not count; null if it does.'),
  lines: z.array(z.string()).describe('The report on the console, as far as it is short.'),
});

const attempt = z.object({
  verdict: z.enum(VERDICTS),
  class: z.string(),
  why: z.string(),
  durationMs: milliseconds,
  console: z.string().nullable(),
  evidence,
});

/** A cell by itself. */
export const cellSchema = z.object({
  kernel: z.string(),
  loader: z.string(),
  program: z.string(),
  variant: z.string(),
  outcome: z
    .object({
      phase: z.enum(PHASES).describe('How far it came; `check` if everything worked.'),
      class: z.enum(['ok', 'infra', ...CLASSES]),
      fault: z.string().optional().describe('What broke, for `infra`, if a machine did: a stable name.'),
      message: z.string(),
      errno: z.string().optional(),
      extern: z.string().optional().describe('The extern that could not be resolved.'),
      program: z
        .string()
        .optional()
        .describe(
          'The BPF program, by the name of its function, that was loaded or run when it failed; absent if that is not known.',
        ),
    })
    .describe('What happened, whether expected or not.'),
  verdict: z.enum(VERDICTS),
  why: z.string().describe('Why the verdict is what it is.'),
  expected: z
    .object({ outcome: z.unknown(), reason: z.string(), source: z.string() })
    .nullable()
    .describe('What was expected, and where that is written; null if nothing covers the cell.'),
  difference: z
    .string()
    .optional()
    .describe(
      'Id of the known difference that the cell falls under, in `differences`; of ours, of what it does alone.',
    ),
  boot: z.string().optional().describe('The same for cells whose machines come from one boot: addresses are the same.'),
  durationMs: milliseconds,
  externs: z.array(extern),
  values: z.array(observedValue),
  verifierLog: z.string().nullable().describe('Lines are left out of the middle of a very long one, and it says so.'),
  console: z
    .array(z.string())
    .describe('What the console printed while the cell ran; the last lines, if there were many.'),
  loaderOutput: z
    .array(z.string())
    .optional()
    .describe(
      'What another loader than ours printed: the last lines, if there were many. Absent: it is ours, or none was run.',
    ),
  location: location.nullable(),
  evidence,
  splats: z.array(splat).describe('What the kernel complained of on its console while the cell ran.'),
  leftovers: z.array(z.string()).describe('What the cell left behind, so that its machine was replaced.'),
  attempts: z
    .array(attempt)
    .optional()
    .describe('Every time it was run, in order; only there if it was run more than once.'),
});

const boot = z.object({
  parameters: z.array(z.string()),
  cpus: count.nullable().describe('Null for as many processors as every machine of the matrix has.'),
  modules: z.array(z.string()),
  bootMs: milliseconds.nullable().describe('Null if it did not come up.'),
  console: z.string(),
  when: z
    .enum(['this-run', 'earlier'])
    .describe('When it was booted: in this run, or in an earlier one that saved the machine.'),
  machine: z
    .string()
    .nullish()
    .describe(
      'Digest of all that the restored machines were made from: kernel, initramfs, agent, QEMU and its hardware; null if the machine was booted itself.',
    ),
  restored: count.describe('Machines that were restored from it; 0 if the booted machine was used itself.'),
  restoreMs: milliseconds.nullable(),
});

const kernel = z.object({
  name: z.string().describe('Name in the grid.'),
  release: z.string().describe('`uname -r`.'),
  version: z.string().describe("The package's version."),
  source: z.string().describe('Where it comes from, for people.'),
  kind: z.enum(SOURCE_NAMES),
  flavour: z.string().nullable(),
  sha256: z.string().describe('SHA256 of vmlinuz, in hex.'),
  facts: factValues.describe('Empty if it did not boot.'),
  boots: z.array(boot),
});

const program = z.object({
  name: z.string(),
  title: z.string(),
  about: z.string().nullable(),
  source: z.string().describe('Path of the C file, relative to the root of its repository, with slashes.'),
  text: z.string().describe('The C source.'),
  needs: z
    .array(
      z.object({
        what: z.string(),
        commit: z.string().regex(/^[0-9a-f]{12,40}$/),
        since: z.string().describe('The first kernel that has it, as in 5.10.'),
      }),
    )
    .describe('What of the kernel it needs, and the commit that brought it.'),
  shows: z.array(z.enum(FEATURES)).optional().describe('What a loader supports that this program works with.'),
  objectSha256: z.string().nullable(),
  compilerWarnings: z.string(),
});

const range = z.object({
  axis: z.string().nullable().describe('Null for a kernel by itself.'),
  since: z.string().describe('The oldest kernel, by name.'),
  until: z.string().describe('The newest one; at the end of its axis nobody has looked further.'),
  kernels: z.array(z.string()),
  outcome: z.enum(['works', 'fails', 'unknown']),
  class: z.string().nullable(),
  phase: z.string().nullable(),
  cause: z.string().nullable(),
});

const ranges = z.object({
  axes: z.array(z.object({ name: z.string(), kernels: z.array(z.string()) })),
  apart: z.array(z.string()).describe('Names of kernels that lie on no axis.'),
  programs: z.array(z.object({ program: z.string(), variant: z.string(), loader: z.string(), ranges: z.array(range) })),
});

const phases = ['setup', 'compile', 'kernels', 'loaders', 'machines', 'cells', 'total'] as const;

/** Everything that a run found out: what `--json` writes. The types of results.ts are made from it, and schema/results.schema.json. */
export const resultsSchema = z.object({
  schemaVersion: z.literal(RESULTS_SCHEMA_VERSION),
  id: z
    .string()
    .regex(/^[\w.-]{1,100}$/)
    .describe('Names this run and no other.'),
  startedAt: z.iso.datetime().describe('Start of the run, as in 2026-01-31T12:00:00.000Z.'),
  tool: z.object({ name: z.literal('ksym-matrix'), version: z.string() }),
  origin: z
    .object({
      repository: z.string().nullable().describe('OWNER/NAME on GitHub, if it is known.'),
      commit: z
        .string()
        .regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)
        .nullable(),
      modified: z.boolean().nullable().describe('Whether files differed from the commit.'),
      url: z
        .url({ protocol: /^https?$/ })
        .nullable()
        .describe('Where the run itself can be looked at.'),
    })
    .describe('What was run: the repository that the matrix lies in.'),
  matrix: z.object({
    path: z.string().describe('Relative to the root of its repository.'),
    title: z.string().nullable(),
  }),
  shards: count.describe('How many runs were merged into this one; 1 for a run by itself.'),
  host: z.object({
    clang: z.string(),
    qemu: z.string(),
    virtmeNg: z.string(),
    accelerator: z.enum(['kvm', 'tcg']),
    acceleratorReason: z.string(),
    node: z.string(),
    cpus: count,
  }),
  engine: z.object({
    isolation: z.enum(['cell', 'kernel']),
    isolationReason: z.string(),
    jobs: count,
    jobsReason: z.string(),
    machineBytes: z
      .number()
      .nonnegative()
      .describe('The most memory that one machine had of its own, QEMU included; 0 if none ran.'),
    templates: z.boolean(),
    retries: count,
  }),
  totals: z.record(z.enum(VERDICTS), count),
  timings: z.partialRecord(z.enum(phases), milliseconds).describe('Wall time in milliseconds of each part of the run.'),
  loaders: z.array(
    z.object({
      name: z.string().describe('In the grid.'),
      version: z.string(),
      family: z.string().optional().describe('Its name without a version: libbpf, cilium/ebpf.'),
      about: z.string().optional().describe('What it was built from.'),
      unavailable: z.string().optional().describe('Why it could not be had; absent if it could.'),
    }),
  ),
  kernels: z.array(kernel),
  programs: z.array(program),
  cells: z.array(cellSchema),
  ranges: ranges.describe('Since when, and until when, each program works.'),
  differences: differencesSchema.optional().describe('What loaders disagree about; absent if there is one.'),
  directory: z.string().describe('Folder with all evidence, on the machine that ran it.'),
  complete: z.boolean().describe('False if the run was interrupted: cells are then missing.'),
});
