import { createHash } from 'node:crypto';
import { readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { noteUse } from '../../kernels/evict.ts';
import { sha256OfFile } from '../../kernels/kernel.ts';
import { populateDirectory } from '../../kernels/populate.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { type CpioFile, pad, writeCpio } from './cpio.ts';
import { MachineError } from './errors.ts';
import { type MachinePlan, planMachine, type VirtmeRun } from './plan.ts';
import { findQemu } from './qemu.ts';

/** A machine that is ready to start: everything that does not change from boot to boot. */
export interface PreparedMachine {
  readonly plan: MachinePlan;
  /** The kernel's image. */
  readonly image: string;
  /** virtme-ng's initramfs with ours behind it. */
  readonly initrd: string;
  readonly memoryMiB: number;
  /** Differs where kernel, initramfs, agent, size, or the versions of virtme-ng and QEMU differ. */
  readonly key: string;
}

/** A module that the machine's init loads, in the order of the list. */
export interface WantedModule {
  /** As in lsmod. */
  readonly name: string;
  /** The .ko file on the host, not compressed. */
  readonly path: string;
}

export interface PrepareRequest {
  readonly image: string;
  /** SHA256 of the image, in hex: the same path may hold another kernel tomorrow. */
  readonly imageSha256: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Modules beside those that the machine itself needs. Default: none. */
  readonly modules?: readonly WantedModule[];
  /** The built agent. */
  readonly agent: string;
  readonly virtme: VirtmeRun;
  readonly cache: string;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
  /** Told why a machine in the cache is planned again. */
  readonly onMessage?: (message: string) => void;
}

/** Part of the key, so that folders laid out by an older version of this file are not used. */
const LAYOUT = 4;

/**
 * Plans the machine and writes its initramfs, once for each combination of kernel, size, agent and version of virtme-ng and QEMU; later
 * calls find it in the cache.
 * @throws MachineError `plan-failed`, `qemu-missing`, `qemu-failed`
 */
export async function prepareMachine(request: PrepareRequest): Promise<PreparedMachine> {
  const qemu = await findQemu();
  const init = await readFile(join(PACKAGE_ROOT, 'harness', 'vm', 'init.sh'));
  const agent = await readFile(request.agent);
  const modules = await readModules(request.modules ?? []);
  // virtme-ng takes the modules that lie beside the image, so the place counts, by whatever name it is reached.
  const image = await realpath(request.image);
  const key = createHash('sha256')
    .update(JSON.stringify([LAYOUT, image, request.imageSha256, request.memoryMiB, request.cpus, qemu]))
    .update(request.virtme.version)
    .update(init)
    .update(agent)
    .update(JSON.stringify(modules.map(({ path, content }) => [path, sha256(content)])))
    .digest('hex')
    .slice(0, 32);
  const directory = join(request.cache, 'machines', key);
  const fill = async (temporary: string): Promise<void> => {
    const planned = join(temporary, 'planned.cpio');
    const plan = await planMachine(request.virtme, { ...request, initramfs: planned });
    // The kernel unpacks archive after archive, so our /init takes the place of virtme-ng's.
    const ours = writeCpio([
      { path: 'init', mode: 0o755, content: init },
      { path: 'agent', mode: 0o755, content: agent },
      // The kernel calls it some 20 times per boot. virtme-ng's is a shell script that always says no, which an emulated 5.10 takes a tenth
      // of its boot for; what cannot be executed says the same at once.
      { path: 'bin/modprobe', mode: 0o644, content: Buffer.alloc(0) },
      ...modules,
    ]);
    const initrd = join(temporary, INITRD);
    await writeFile(initrd, Buffer.concat([pad(await readFile(planned)), ours]));
    await rm(planned);
    const record: PlanRecord = { plan, image, initrdSha256: await sha256OfFile(initrd) };
    await writeFile(join(temporary, PLAN), JSON.stringify(record, undefined, 2));
  };
  await populateDirectory(directory, fill, {
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    damageOf: async () => ((await readRecord(directory)) === null ? 'a file is missing or altered' : null),
    onDamage: (damage) => request.onMessage?.(`${directory} is damaged (${damage}): the machine is planned again`),
  });
  await noteUse(directory);
  const record = await readRecord(directory);
  if (record === null)
    throw new MachineError('plan-failed', 'the machine in the cache is damaged', 'boot', { where: directory });
  return {
    plan: record.plan,
    image: request.image,
    initrd: join(directory, INITRD),
    memoryMiB: request.memoryMiB,
    key: `${key}-${record.initrdSha256}`,
  };
}

/** The list, which init.sh goes through, and its files. They lie in the root, since not every archive of virtme-ng has a folder for modules. */
async function readModules(modules: readonly WantedModule[]): Promise<CpioFile[]> {
  if (modules.length === 0) return [];
  const files = modules.map(async ({ name, path }) => ({
    path: `wanted-${name}.ko`,
    mode: 0o644,
    content: await readFile(path),
  }));
  const list = `${modules.map(({ name }) => name).join('\n')}\n`;
  return [...(await Promise.all(files)), { path: 'wanted-modules', mode: 0o644, content: Buffer.from(list) }];
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

const recordSchema = z.object({
  plan: z.object({
    qemu: z.string(),
    arguments: z.array(z.string()).readonly(),
    kernelParameters: z.array(z.string()).readonly(),
  }),
  /** The kernel's image, for {@link machineImage}; older records lack it. */
  image: z.string().optional(),
  /** SHA256 in hex: a kernel whose initramfs is cut off panics, and would be blamed for it. */
  initrdSha256: z.string(),
});

type PlanRecord = z.infer<typeof recordSchema>;

/** Path of the kernel's image that a folder of CACHE/machines was made for; null if it does not say. */
export async function machineImage(directory: string): Promise<string | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(join(directory, PLAN), 'utf8'))).image ?? null;
  } catch {
    return null;
  }
}

/** What lies in a machine's folder; null if something is missing or is not what was written. */
async function readRecord(directory: string): Promise<PlanRecord | null> {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(join(directory, PLAN), 'utf8')));
    return (await sha256OfFile(join(directory, INITRD))) === record.initrdSha256 ? record : null;
  } catch {
    return null;
  }
}

const INITRD = 'initrd.cpio';
const PLAN = 'plan.json';
