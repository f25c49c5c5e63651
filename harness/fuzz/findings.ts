import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { Finding } from './batch.ts';
import type { RawSeeds } from './seeds.ts';
import type { Violation } from './target.ts';
import { makeTargets } from './targets/all.ts';
import { tryInput } from './try-input.ts';

/** A finding as it is kept in a file. */
export interface StoredFinding {
  readonly target: string;
  readonly kind: string;
  readonly message: string;
  readonly stack: string;
  /** What the input was made from, for people; repeating needs {@link StoredFinding.input} alone. */
  readonly seed: string;
  readonly mutations: readonly unknown[];
  /** The input's bytes, in base64. */
  readonly input: string;
}

/** Writes a finding to a file of its own in `folder`, and gives its path. */
export async function writeFinding(finding: Finding, folder: string): Promise<string> {
  const { target, kind, message, stack, seed, plan, input, key } = finding;
  const stored: StoredFinding = {
    target,
    kind,
    message,
    stack,
    seed,
    mutations: plan.mutations,
    input: Buffer.from(input).toString('base64'),
  };
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${key.replaceAll(/[^A-Za-z0-9]+/g, '-')}.json`);
  await writeFile(path, `${JSON.stringify(stored, null, 2)}\n`);
  return path;
}

/** Puts the input of a stored finding through its target again. Throws ExplainedError `finding-unreadable`, `no-such-target`. */
export async function repeatFinding(path: string, seeds: RawSeeds): Promise<Violation | undefined> {
  const { target: name, input } = await readFinding(path);
  const target = makeTargets(seeds).find((one) => one.name === name);
  if (target === undefined) throw new ExplainedError('no-such-target', `there is no target ${name}`, { where: path });
  return tryInput(target, new Uint8Array(Buffer.from(input, 'base64'))).violation;
}

async function readFinding(path: string): Promise<StoredFinding> {
  const unreadable = (why: string, cause?: unknown): ExplainedError =>
    new ExplainedError('finding-unreadable', 'no finding can be read there', { where: path, why, cause });
  let found: unknown;
  try {
    found = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  }
  if (isFinding(found)) return found;
  throw unreadable('the file has no target and input');
}

/** As far as repeating needs it. */
function isFinding(found: unknown): found is StoredFinding {
  if (typeof found !== 'object' || found === null) return false;
  return 'target' in found && typeof found.target === 'string' && 'input' in found && typeof found.input === 'string';
}
