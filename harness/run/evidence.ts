import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { Evidence, RunResults } from '../results/results.ts';
import { resultsJson } from '../results/results-json.ts';
import { toJson, writeWhole } from '../results/write.ts';
import type { Outcome } from './outcome.ts';

/** Runs that are kept under the cache; older ones go. */
const RUNS_KEPT = 20;

/** A folder for one run's evidence: consoles, verifier logs, resolutions. */
export class EvidenceFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes `PARENT/NAME`, and removes the oldest folders beside it. */
  static async create(parent: string, name: string): Promise<EvidenceFolder> {
    const path = join(parent, name);
    try {
      await mkdir(path, { recursive: true });
    } catch (cause) {
      throw new ExplainedError('evidence-not-writable', 'the folder for logs cannot be made', {
        where: path,
        why: cause instanceof Error ? cause.message : String(cause),
        cause,
      });
    }
    const runs = (await readdir(parent)).filter((entry) => /^\d{4}-\d\d-\d\dT/.test(entry)).sort();
    for (const old of runs.slice(0, -RUNS_KEPT)) await rm(join(parent, old), { recursive: true, force: true });
    return new EvidenceFolder(path);
  }

  /** Writes the results of the run, and makes it the one that `latest` names: a run that was killed is none to look at. */
  async writeResults(results: RunResults): Promise<void> {
    await writeWhole(join(this.path, 'results.json'), resultsJson(results));
    await pointTo(join(dirname(this.path), LATEST), basename(this.path));
  }

  /** A path in this folder as the results tell it. */
  relative(path: string): string {
    return relative(this.path, path);
  }

  /** Path for the console log of a machine; `machine` counts from one for each kernel. */
  async consolePath(kernel: string, machine: number): Promise<string> {
    const folder = join(this.path, kernel);
    await mkdir(folder, { recursive: true });
    return join(folder, `console-${machine}.log`);
  }

  /** Keeps the console log of a boot that machines were restored from, and says where; `boot` counts from one for each kernel. */
  async keepBootLog(kernel: string, boot: number, log: string): Promise<string> {
    const kept = join(this.path, kernel, `boot-${boot}.log`);
    await mkdir(join(this.path, kernel), { recursive: true });
    await copyFile(log, kept);
    return kept;
  }

  /**
   * Writes what a cell left behind, and says where, relative to this folder.
   * @param console the machine's console log
   * @param consoleLines what it printed while the cell ran
   */
  async writeCell(
    kernel: string,
    cell: string,
    outcome: Outcome,
    console: string | null,
    consoleLines: readonly string[],
  ): Promise<Evidence> {
    const folder = join(this.path, kernel, cell);
    await mkdir(folder, { recursive: true });
    const write = async (name: string, text: string | undefined): Promise<string | null> => {
      if (text === undefined) return null;
      await writeWhole(join(folder, name), text);
      return this.relative(join(folder, name));
    };
    const { resolutions, externs = [], printed, verifierLog, values } = outcome;
    const resolved = resolutions.length === 0 ? externs : resolutions;
    return {
      console: console === null ? null : this.relative(console),
      cellConsole: await write('console.log', consoleLines.length === 0 ? undefined : `${consoleLines.join('\n')}\n`),
      resolution: await write('resolution.json', resolved.length === 0 ? undefined : toJson(resolved)),
      verifierLog: await write('verifier.log', verifierLog),
      values: await write('values.json', values === undefined || values.length === 0 ? undefined : toJson(values)),
      ...(printed === undefined
        ? {}
        : {
            loaderLog: await write('loader.log', printed.log === '' ? undefined : printed.log),
            loaderAnswer: await write('loader.json', printed.document ?? undefined),
          }),
    };
  }
}

/** Name of the link to the newest run that has results. */
const LATEST = 'latest';

/** Makes a symbolic link, or turns it; a file system without them has to do without. */
async function pointTo(link: string, target: string): Promise<void> {
  const temporary = `${link}.${randomUUID()}.tmp`;
  try {
    await symlink(target, temporary);
    await rename(temporary, link);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
