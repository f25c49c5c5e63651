import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { populateDirectory } from '../../kernels/populate.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { pad, writeCpio } from './cpio.ts';
import { type MachinePlan, planMachine, type VirtmeRun } from './plan.ts';

/** A machine that is ready to start: everything that does not change from boot to boot. */
export interface PreparedMachine {
  readonly plan: MachinePlan;
  /** The kernel's image. */
  readonly image: string;
  /** virtme-ng's initramfs with ours behind it. */
  readonly initrd: string;
}

export interface PrepareRequest {
  readonly image: string;
  /** SHA256 of the image, in hex: the same path may hold another kernel tomorrow. */
  readonly imageSha256: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** The built agent. */
  readonly agent: string;
  readonly virtme: VirtmeRun;
  readonly cache: string;
}

/** Part of the key, so that folders laid out by an older version of this file are not used. */
const LAYOUT = 1;

/**
 * Plans the machine and writes its initramfs, once for each combination of kernel, size, agent and virtme-ng version; later
 * calls find it in the cache.
 * @throws MachineError `plan-failed`
 */
export async function prepareMachine(request: PrepareRequest): Promise<PreparedMachine> {
  const init = await readFile(join(PACKAGE_ROOT, 'harness', 'vm', 'init.sh'));
  const agent = await readFile(request.agent);
  const key = createHash('sha256')
    .update(JSON.stringify([LAYOUT, request.image, request.imageSha256, request.memoryMiB, request.cpus]))
    .update(request.virtme.version)
    .update(init)
    .update(agent)
    .digest('hex')
    .slice(0, 32);
  const directory = join(request.cache, 'machines', key);
  await populateDirectory(directory, async (temporary) => {
    const planned = join(temporary, 'planned.cpio');
    const plan = await planMachine(request.virtme, { ...request, initramfs: planned });
    // The kernel unpacks archive after archive, so our /init takes the place of virtme-ng's.
    const ours = writeCpio([
      { path: 'init', mode: 0o755, content: init },
      { path: 'agent', mode: 0o755, content: agent },
    ]);
    await writeFile(join(temporary, INITRD), Buffer.concat([pad(await readFile(planned)), ours]));
    await rm(planned);
    await writeFile(join(temporary, PLAN), JSON.stringify(plan, undefined, 2));
  });
  const plan = JSON.parse(await readFile(join(directory, PLAN), 'utf8')) as MachinePlan;
  return { plan, image: request.image, initrd: join(directory, INITRD) };
}

const INITRD = 'initrd.cpio';
const PLAN = 'plan.json';
