import { bothSides, type CorpusResults, isLoaded } from './baseline.ts';
import { type Expectations, matches } from './expectations.ts';

/** Where we and libbpf do not agree. */
export interface Disagreement {
  readonly object: string;
  readonly kernel: string;
  /** Which of the two loads it. */
  readonly loads: 'libbpf' | 'ours';
  /** Programs that libbpf loads and we do not; empty if that is the whole object. */
  readonly programs: readonly string[];
  /** What the other one says. */
  readonly reason: string;
  /** Null: nobody knows, which is red. */
  readonly cause: string | null;
}

/** An object that is not parsed as it should be. */
export interface ParseFinding {
  readonly object: string;
  readonly code: string;
  /** The error that it must fail with; null if it must be parsed. */
  readonly wanted: string | null;
}

/** Figures of one source on one kernel. */
export interface SourceFigures {
  readonly source: string;
  readonly kernel: string;
  /** Objects that libbpf loads, and their programs. */
  readonly libbpfObjects: number;
  readonly libbpfPrograms: number;
  /** The programs among them that we load, too. */
  readonly agreeing: number;
  /** Objects that libbpf refuses, and how many of them we refuse, too. */
  readonly libbpfRefused: number;
  readonly bothRefuse: number;
  /** Of these, the ones that both refuse for the same program with the same errno. */
  readonly alike: number;
}

/** What results come to. */
export interface Judgement {
  readonly figures: readonly SourceFigures[];
  readonly disagreements: readonly Disagreement[];
  readonly parseFindings: readonly ParseFinding[];
  /** Objects that must fail, and do so as they should. */
  readonly failAsTheyMust: number;
  /** Words of expectations.yaml that nothing corresponds to (any more). */
  readonly unused: readonly string[];
}

/** Holds results against what people know of them. */
export function judgeResults(results: CorpusResults, expectations: Expectations): Judgement {
  const used = new Set<object>();
  const parseFindings: ParseFinding[] = [];
  let failAsTheyMust = 0;
  for (const [object, { parsed }] of Object.entries(results.objects)) {
    const wanted = expectations.mustFail.find((one) => matches(one.objects, object));
    if (wanted !== undefined) used.add(wanted);
    if (wanted !== undefined && parsed === wanted.code) failAsTheyMust += 1;
    else if (wanted !== undefined || parsed !== 'ok') {
      parseFindings.push({ object, code: parsed, wanted: wanted?.code ?? null });
    }
  }
  const disagreements = disagreementsOf(results).map((one): Disagreement => {
    const cause = expectations.causes.find(
      ({ objects, programs, kernels, loads }) =>
        loads === one.loads &&
        matches(objects, one.object) &&
        (kernels === undefined || kernels.includes(one.kernel)) &&
        // What explains some programs does not explain an object that is refused although each of its programs loads alone.
        (programs === undefined ||
          (one.programs.length > 0 && one.programs.every((program) => matches(programs, program)))),
    );
    if (cause !== undefined) used.add(cause);
    return { ...one, cause: cause?.why ?? null };
  });
  const unused = [...expectations.mustFail, ...expectations.causes]
    .filter((one) => !used.has(one))
    .map(({ objects, why }) => `${objects.join(', ')}: ${why}`);
  return { figures: figuresOf(results), disagreements, parseFindings, failAsTheyMust, unused };
}

/** Share of the programs of objects that libbpf loads which we load, too; 1 if there are none. */
export function agreement(figures: readonly SourceFigures[]): number {
  const sum = (of: (one: SourceFigures) => number): number => figures.reduce((total, one) => total + of(one), 0);
  const programs = sum(({ libbpfPrograms }) => libbpfPrograms);
  return programs === 0 ? 1 : sum(({ agreeing }) => agreeing) / programs;
}

function disagreementsOf(results: CorpusResults): Omit<Disagreement, 'cause'>[] {
  const found: Omit<Disagreement, 'cause'>[] = [];
  for (const [object, { verdicts }] of Object.entries(results.objects)) {
    for (const [kernel, verdict] of Object.entries(verdicts)) {
      const { libbpf, ours, refused } = bothSides(verdict);
      if (isLoaded(libbpf) === isLoaded(ours)) continue;
      const loads = isLoaded(libbpf) ? 'libbpf' : 'ours';
      const reason = isLoaded(libbpf) ? ours : libbpf;
      found.push({ object, kernel, loads, programs: Object.keys(refused), reason });
    }
  }
  return found;
}

function figuresOf(results: CorpusResults): SourceFigures[] {
  return Object.keys(results.sources).flatMap((source) =>
    Object.keys(results.kernels).map((kernel): SourceFigures => {
      const figures = { libbpfObjects: 0, libbpfPrograms: 0, agreeing: 0, libbpfRefused: 0, bothRefuse: 0, alike: 0 };
      for (const [id, { programs, verdicts }] of Object.entries(results.objects)) {
        const verdict = verdicts[kernel];
        if (verdict === undefined || !id.startsWith(`${source}/`)) continue;
        const { libbpf, ours, refused } = bothSides(verdict);
        if (!isLoaded(libbpf)) {
          figures.libbpfRefused += 1;
          if (!isLoaded(ours)) figures.bothRefuse += 1;
          if (ours === `program-rejected ${libbpf}`) figures.alike += 1;
          continue;
        }
        figures.libbpfObjects += 1;
        figures.libbpfPrograms += programs;
        const missed = Object.keys(refused).length;
        // An object whose programs load one by one, but not together, is not loaded.
        if (isLoaded(ours)) figures.agreeing += programs;
        else if (missed > 0) figures.agreeing += programs - missed;
      }
      return { source, kernel, ...figures };
    }),
  );
}
