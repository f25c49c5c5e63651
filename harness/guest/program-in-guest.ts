import { lstat } from 'node:fs/promises';
import { ExplainedError } from '../../loader/errors.ts';
import { filesBelow } from './archive.ts';
import type { FilePair } from './file-pair.ts';
import type { GuestFile } from './guest-file.ts';
import { installApplets, isVisible } from './guest-place.ts';
import type { Guest } from './open-guest.ts';
import type { ProgramFiles } from './program-files.ts';
import { type ProgramEnd, type ProgramRun, runProgram } from './run-program.ts';
import { pullFile, pushFiles } from './transfer.ts';

/** A program of the host, for a guest. */
export interface GuestJob extends Omit<ProgramRun, 'argv'> {
  readonly program: ProgramFiles;
  readonly arguments: readonly string[];
  readonly filesIn: readonly FilePair[];
  readonly filesOut: readonly FilePair[];
  /** Told of a file that could not be fetched. */
  readonly onMissing: (error: ExplainedError) => void;
}

/**
 * Pushes a program with what it needs, runs it, and fetches what it wrote, however it ended.
 * @throws ExplainedError if the files do not fit or the program does not start; MachineError if the machine is lost, or its kernel reported a fault
 */
export async function runInGuest(guest: Guest, job: GuestJob): Promise<ProgramEnd> {
  const { machine, place } = guest;
  try {
    await installApplets(place);
    await pushFiles(place, await filesFor(guest, job));
  } catch (error) {
    throw machine.spoilt ? await machine.diagnose(error) : error;
  }
  const end = await runProgram(machine, place, { ...job, argv: [job.program.path, ...job.arguments] });
  for (const pair of job.filesOut) {
    try {
      await pullFile(place, pair.guest, pair.host);
    } catch (error) {
      if (machine.spoilt) break;
      if (!(error instanceof ExplainedError)) throw error;
      job.onMissing(error);
    }
  }
  // The program may well have ended as usual before the kernel's last words came through.
  if (machine.spoilt) throw await machine.diagnose(undefined);
  return end;
}

async function filesFor({ place }: Guest, job: GuestJob): Promise<GuestFile[]> {
  const folder: GuestFile = { kind: 'folder', path: job.workingDirectory };
  const needed = job.program.files.filter((file) => !isVisible(place, file.path));
  const wanted = await Promise.all(job.filesIn.map(({ host, guest }) => filesBelow(host, guest)));
  return [...(isVisible(place, job.workingDirectory) ? [] : [folder]), ...needed, ...wanted.flat()];
}

/**
 * Looks for what would spoil a run at its end or its beginning.
 * @throws ExplainedError `file-unreadable`, `output-exists`
 */
export async function checkFiles(filesIn: readonly FilePair[], filesOut: readonly FilePair[]): Promise<void> {
  for (const { host } of filesIn) {
    await lstat(host).catch((cause: unknown) => {
      throw new ExplainedError('file-unreadable', `there is no ${host} to put into the guest`, { cause });
    });
  }
  for (const { host } of filesOut) {
    const about = await lstat(host).catch(() => null);
    if (about?.isDirectory() !== true) continue;
    throw new ExplainedError('output-exists', 'a folder is in the way of a file from the guest', {
      where: host,
      fix: `remove it, or write --out GUEST:${host}/ to put the file into it`,
    });
  }
}
