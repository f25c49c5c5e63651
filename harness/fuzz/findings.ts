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
  try {
    return JSON.parse(await readFile(path, 'utf8')) as StoredFinding;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ExplainedError('finding-unreadable', 'no finding can be read there', { where: path, why, cause: error });
  }
}
