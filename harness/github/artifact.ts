import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { parseResults } from '../results/read.ts';
import type { RunResults } from '../results/results.ts';
import { countVerdicts } from '../results/verdicts.ts';
import { artifactBad, type JsonLimits, parseBoundedJson } from './bounded-json.ts';
import type { PublishTarget } from './event.ts';
import { redact } from './token.ts';

/** The files that an artifact may have: the results, and those of the base that they are held against. */
export const ARTIFACT_FILES = ['results.json', 'base.json'] as const;

/** What results by strangers may be: some 25,000 cells, with two kilobytes of evidence each. */
export const ARTIFACT_LIMITS: JsonLimits & {
  /** UTF-16 units of a name of a kernel, program, variant or loader. */
  readonly name: number;
} = { bytes: 64 << 20, depth: 32, values: 4_000_000, string: 256 << 10, key: 200, name: 200 };

/** Results whose form was checked; what they say is still only what the run says. */
export interface Artifact {
  readonly results: RunResults;
  readonly base: RunResults | null;
}

/**
 * Reads results of a run that was not trusted, such as that of a pull request from a fork: a folder as actions/download-artifact leaves it, or a file.
 * Taken are regular files of exactly the names expected, of bounded size, that follow the schema and agree with themselves.
 *
 * @throws ExplainedError `artifact-bad`
 */
export async function readArtifact(place: string, limits = ARTIFACT_LIMITS): Promise<Artifact> {
  const found = await lstat(place).catch(() => null);
  if (found === null) throw artifactBad(place, 'there is no such file or folder');
  if (!found.isDirectory()) return { results: await readChecked(place, limits), base: null };
  const names = await readdir(place);
  const foreign = names.filter((name) => !ARTIFACT_FILES.some((one) => one === name));
  if (foreign.length > 0) {
    throw artifactBad(place, `it holds ${foreign.length} other files than ${ARTIFACT_FILES.join(' and ')}`);
  }
  const [results, base] = ARTIFACT_FILES;
  return {
    results: await readChecked(join(place, results), limits),
    base: names.includes(base) ? await readChecked(join(place, base), limits) : null,
  };
}

/** Results that name as their origin what the event says, whatever they said themselves: reports link to it. */
export function withTrustedOrigin(results: RunResults, { repository, sha, run }: PublishTarget): RunResults {
  return {
    ...results,
    origin: {
      repository: `${repository.owner}/${repository.repo}`,
      commit: sha,
      modified: null,
      url: run?.url ?? null,
    },
  };
}

/** The base's results: its commit is said to be what it says, since a commit that does not exist leads nowhere; its other addresses are not used. */
export function withoutOrigin(results: RunResults, { repository }: PublishTarget): RunResults {
  const { commit } = results.origin;
  return {
    ...results,
    origin: { repository: `${repository.owner}/${repository.repo}`, commit, modified: null, url: null },
  };
}

async function readChecked(path: string, limits: typeof ARTIFACT_LIMITS): Promise<RunResults> {
  const value = parseBoundedJson(await readRegularFile(path, limits.bytes), path, limits);
  const results = parseStrange(JSON.stringify(value), path);
  const wrong = contradiction(results, limits.name);
  if (wrong !== null) throw artifactBad(path, wrong);
  return { ...results, totals: countVerdicts(results.cells) };
}

/** Names in the file may be part of the message. */
function parseStrange(text: string, path: string): RunResults {
  try {
    return parseResults(text, path);
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    throw artifactBad(path, redact(error.why ?? error.message, '').slice(0, 300));
  }
}

/** Links, pipes and devices are not followed or waited for. */
async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
    throw artifactBad(path, cause.code === 'ELOOP' ? 'it is a link' : `it cannot be read (${cause.code})`);
  });
  try {
    const { size, ...stats } = await file.stat().then((one) => ({ size: one.size, isFile: one.isFile() }));
    if (!stats.isFile) throw artifactBad(path, 'it is no regular file');
    if (size > maxBytes) throw artifactBad(path, `it has more than ${maxBytes} bytes`);
    // It may still grow: not more is read than it had.
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(bytes, length, size - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** Why results cannot be true as they stand; null if they can. */
function contradiction({ kernels, programs, loaders, cells }: RunResults, nameLimit: number): string | null {
  const known = { kernel: names(kernels), program: names(programs), loader: names(loaders) };
  for (const [what, list] of [
    ['kernel', kernels],
    ['program', programs],
    ['loader', loaders],
  ] as const) {
    if (known[what].size !== list.length) return `it has a ${what} twice`;
  }
  for (const name of [...known.kernel, ...known.program, ...known.loader, ...cells.map((one) => one.variant)]) {
    if (name.length > nameLimit || name === '') return `it has a name of ${name.length} characters`;
  }
  const seen = new Set<string>();
  for (const cell of cells) {
    for (const what of ['kernel', 'program', 'loader'] as const) {
      if (!known[what].has(cell[what])) return `it has a cell of a ${what} that it does not have`;
    }
    seen.add(JSON.stringify([cell.kernel, cell.program, cell.loader, cell.variant]));
  }
  return seen.size === cells.length ? null : 'it has a cell twice';
}

function names(list: readonly { readonly name: string }[]): ReadonlySet<string> {
  return new Set(list.map(({ name }) => name));
}
