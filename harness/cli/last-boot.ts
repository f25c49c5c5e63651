import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheItem } from '../../kernels/inventory.ts';
import type { RunResults } from '../results/results.ts';
import type { FactValues } from '../run/facts.ts';
import { GuestStates } from '../run/guest-observer.ts';
import { glanceAtTemplate, TEMPLATE } from '../vm/template-files.ts';

/** What a boot of a kernel showed. */
export interface LastBoot {
  /** As in 2026-01-31T12:00:00.000Z. */
  readonly when: string;
  /** Kernel parameters beside those of every machine, where a run tells; else the whole command line. */
  readonly parameters: string;
  /** What tells: the folder of a run, or of a saved machine. */
  readonly from: string;
  readonly facts: FactValues;
}

/** The facts of a kernel in the newest run that has them; null if none has. @param sha256 of its image */
export async function lastBootOfRuns(cache: string, sha256: string): Promise<LastBoot | null> {
  const parent = join(cache, 'runs');
  const names = (await readdir(parent).catch(() => [])).filter((name) => /^\d{4}-/.test(name)).sort();
  for (const name of names.reverse()) {
    const results = await readRun(join(parent, name, 'results.json'));
    const kernel = results?.kernels?.find((one) => one.sha256 === sha256);
    if (results?.startedAt === undefined || kernel === undefined) continue;
    const { facts, boots } = kernel;
    if (facts === undefined || Object.keys(facts).length === 0) continue;
    const parameters = (boots?.[0]?.parameters ?? []).join(' ');
    return { when: results.startedAt, parameters, from: join(parent, name), facts };
  }
  return null;
}

/**
 * The facts beside the newest saved machine of a kernel; null if there is none, or none that this version can read.
 *
 * @param config path of the kernel's configuration
 */
export async function lastBootOfTemplates(
  items: readonly CacheItem[],
  config: string | null,
): Promise<LastBoot | null> {
  const templates = items.filter((item) => item.part === 'templates').sort((left, right) => right.used - left.used);
  for (const { path } of templates) {
    const record = await glanceAtTemplate(path);
    if (record === null) continue;
    const read = (name: string): Promise<Uint8Array> => readFile(join(path, TEMPLATE.observations, name));
    try {
      const { values } = await new GuestStates(1).of({ key: path, read }, config);
      return { when: record.created, parameters: record.commandLine, from: path, facts: values };
    } catch {
      // Damaged, or written by another version.
    }
  }
  return null;
}

async function readRun(path: string): Promise<Partial<RunResults> | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Partial<RunResults>;
  } catch {
    return null;
  }
}
