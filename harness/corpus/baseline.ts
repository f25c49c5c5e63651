import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ExplainedError } from '../../loader/errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { writeWhole } from '../results/write.ts';

/** The committed results of a whole run. */
export const BASELINE_PATH = join(PACKAGE_ROOT, 'harness', 'corpus', 'baseline.json');

const LOADED = 'loaded';

const verdictSchema = z.union([
  /** Both loaders load it. */
  z.literal(LOADED),
  z.strictObject({
    /** `loaded`, or why it is refused. */
    libbpf: z.string(),
    ours: z.string(),
    /** Where libbpf loads it and we do not: the programs that we refuse each alone, with our reasons. */
    refused: z.record(z.string(), z.string()).optional(),
  }),
]);

const objectSchema = z.strictObject({
  /** `ok`, or our error's code. */
  parsed: z.string(),
  byteOrder: z.enum(['little', 'big']).nullable(),
  /** How many programs are loaded by default. */
  programs: z.number(),
  /** By kernel. */
  verdicts: z.record(z.string(), verdictSchema),
});

const baselineSchema = z.strictObject({
  schemaVersion: z.literal(1),
  tools: z.strictObject({ bpftool: z.string(), compiler: z.string() }),
  sources: z.record(z.string(), z.strictObject({ package: z.string(), version: z.string(), objects: z.number() })),
  /** Release and package version by kernel. */
  kernels: z.record(z.string(), z.string()),
  notCompiled: z.record(z.string(), z.string()),
  /** What bpf_testmod was compiled from, by kernel; the others have none. */
  testModules: z.record(z.string(), z.string()).default({}),
  /** Verdicts of the kernel's cases for CO-RE by what became of them; the ones that do not agree, with the reason. */
  coreCases: z.strictObject({
    agrees: z.number(),
    disagrees: z.record(z.string(), z.string()),
    notRun: z.record(z.string(), z.string()),
  }),
  objects: z.record(z.string(), objectSchema),
});

/** What a run of the corpus found, and nothing that is different in every run. */
export type CorpusResults = z.infer<typeof baselineSchema>;
/** An object's part of {@link CorpusResults}. */
export type ObjectResult = z.infer<typeof objectSchema>;
/** An object on a kernel. */
export type ResultVerdict = z.infer<typeof verdictSchema>;

/** A verdict with both loaders' words, whichever way it is written down. */
export function bothSides(verdict: ResultVerdict): {
  readonly libbpf: string;
  readonly ours: string;
  readonly refused: Readonly<Record<string, string>>;
} {
  if (verdict === LOADED) return { libbpf: LOADED, ours: LOADED, refused: {} };
  return { libbpf: verdict.libbpf, ours: verdict.ours, refused: verdict.refused ?? {} };
}

/** Whether a loader's word says that it loads the object. */
export function isLoaded(word: string): boolean {
  return word === LOADED;
}

/** The committed baseline. @throws ExplainedError `baseline-unreadable` */
export async function readBaseline(path: string = BASELINE_PATH): Promise<CorpusResults> {
  try {
    return baselineSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new ExplainedError('baseline-unreadable', 'the baseline of the corpus cannot be read', {
      where: path,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: 'Write another: npm run corpus -- --update',
      cause,
    });
  }
}

/** Writes a baseline. */
export async function writeBaseline(results: CorpusResults, path: string = BASELINE_PATH): Promise<void> {
  await writeWhole(path, formatBaseline(results));
}

/** One line for each object, so that a change of one verdict is a change of one line. */
export function formatBaseline(results: CorpusResults): string {
  const { objects, ...head } = results;
  const lines = Object.entries(objects).map(([id, one]) => `    ${JSON.stringify(id)}: ${JSON.stringify(one)}`);
  const start = JSON.stringify(head, null, 2).replace(/\n}$/, '');
  return `${start},\n  "objects": {\n${lines.join(',\n')}\n  }\n}\n`;
}
