import { z } from 'zod';
import { type AdapterAnswer, adapterAnswerSchema } from '../adapter-answer.ts';

/** What came of a loader of the user's that ended by itself. */
export type CommandVerdict =
  /** It printed what PROTOCOL.md describes. */
  | { readonly kind: 'answer'; readonly answer: AdapterAnswer }
  /** It ended with 0. */
  | { readonly kind: 'loaded' }
  /** It ended with something else. */
  | {
      readonly kind: 'refused';
      /** The last that it said. */
      readonly message: string;
      /** Everything that it said, standard error first, without empty lines. */
      readonly lines: readonly string[];
    }
  /** It printed a document of the protocol that is none, or contradicts its exit code. */
  | { readonly kind: 'broken'; readonly message: string };

/** Tells what a loader's exit code and output say. */
export function readCommandEnd(end: {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}): CommandVerdict {
  const document = asDocument(end.stdout);
  if (document === 'cut') {
    return { kind: 'broken', message: `what it printed begins as a document of PROTOCOL.md and does not end as one` };
  }
  if (document === null) return byExitCode(end);
  const result = adapterAnswerSchema.safeParse(document);
  if (!result.success) {
    return { kind: 'broken', message: `what it printed does not follow PROTOCOL.md: ${z.prettifyError(result.error)}` };
  }
  if (result.data.loaded && end.exitCode !== 0) {
    return { kind: 'broken', message: `it says that everything was loaded, and ended with ${end.exitCode}` };
  }
  return { kind: 'answer', answer: result.data };
}

/** JSON with the key `protocol`, or what was to become that; any other output is for people. */
function asDocument(stdout: string): object | 'cut' | null {
  if (!stdout.trimStart().startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(stdout);
    return typeof value === 'object' && value !== null && 'protocol' in value ? value : null;
  } catch {
    return /^\s*\{\s*"protocol"\s*:/.test(stdout) ? 'cut' : null;
  }
}

function byExitCode({
  exitCode,
  stdout,
  stderr,
}: {
  exitCode: number;
  stdout: string;
  stderr: string;
}): CommandVerdict {
  if (exitCode === 0) return { kind: 'loaded' };
  const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');
  const lines = [...linesOf(stderr), ...linesOf(stdout)];
  const last = linesOf(stderr).at(-1) ?? linesOf(stdout).at(-1);
  return { kind: 'refused', message: last ?? `it ended with ${exitCode} and said nothing`, lines };
}
