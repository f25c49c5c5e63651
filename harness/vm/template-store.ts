import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { evict, noteUse } from '../../kernels/evict.ts';
import { requireSpace } from '../../kernels/free-space.ts';
import { populateDirectory, removeDirectory } from '../../kernels/populate.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { runGuarded } from '../../loader/guarded-process.ts';
import { isConnectionLost } from './diagnose.ts';
import { MachineError } from './errors.ts';
import { Machine } from './machine.ts';
import type { MachineOptions } from './machine-parts.ts';
import type { Observer } from './observations.ts';
import { hardwareArguments, kernelCommandLine } from './qemu-arguments.ts';
import { saveState } from './saved-state.ts';
import { TEMPLATE, type Template, verifyTemplate, writeRecord } from './template-files.ts';

/** Part of every key: templates laid out by an older version of these files are not used. */
const LAYOUT = 1;

/** Beside the RAM: state, kallsyms, BTF, console. */
const OTHER_BYTES = 64 * 2 ** 20;

const DAY_MS = 24 * 3600 * 1000;
const LIMITS = { maxAgeMs: 30 * DAY_MS, keepMs: 3600 * 1000 };

/** Room for templates, in bytes: one takes some 120 MB, so the eleven lines of Debian with two ways to boot each need 2.6 GB. */
const DEFAULT_SPACE = 8 * 2 ** 30;

/** Bytes that templates may take, from KSYM_MATRIX_TEMPLATE_SPACE in MiB. Throws ExplainedError `template-space-invalid`. */
function templateSpace(): number {
  const text = process.env.KSYM_MATRIX_TEMPLATE_SPACE ?? '';
  if (text === '') return DEFAULT_SPACE;
  if (/^\d+$/.test(text)) return Number(text) * 2 ** 20;
  throw new ExplainedError('template-space-invalid', 'this is no number from 0 up', {
    where: `KSYM_MATRIX_TEMPLATE_SPACE=${text}`,
    fix: 'give the room for saved machines in MiB, such as 8192',
  });
}

/** What a template is made for. */
export interface TemplateRequest {
  readonly machine: Omit<MachineOptions, 'memory'>;
  readonly observer: Observer;
  /** Told that a template is being made, why one is made again, and that another run is making it. */
  readonly onMessage: (text: string) => void;
  /** Told when a boot begins. */
  readonly onBoot: () => void;
}

/** Why no template can be had although the kernel may well boot: a full disk, a QEMU that cannot save. */
export class TemplateError extends ExplainedError {}
TemplateError.prototype.name = 'TemplateError';

/** The templates of a cache: CACHE/templates/KEY, where the key stands for all that a saved state depends on. */
export class TemplateStore {
  readonly directory: string;
  readonly #space: number;
  #evicted = false;

  /** @throws ExplainedError `template-space-invalid` */
  constructor(cache: string) {
    this.#space = templateSpace();
    this.directory = join(cache, 'templates');
  }

  /** The key of the template for a machine. */
  keyOf({ machine, observer }: Pick<TemplateRequest, 'machine' | 'observer'>): string {
    // The processor model matters to `-cpu host`, and to what QEMU emulates with `max` only by the version, which is in the machine's key.
    const processor = machine.accelerator.name === 'kvm' ? (cpus()[0]?.model ?? '') : '';
    const parts = [LAYOUT, machine.prepared.key, hardwareArguments(machine), kernelCommandLine(machine), processor];
    return createHash('sha256')
      .update(JSON.stringify([...parts, machine.accelerator.name, observer.version]))
      .digest('hex')
      .slice(0, 32);
  }

  /** Whether there is a template for a machine, whole or not. */
  has(request: Pick<TemplateRequest, 'machine' | 'observer'>): boolean {
    return existsSync(join(this.directory, this.keyOf(request), TEMPLATE.record));
  }

  /**
   * The template for a machine: from the cache if it is there and whole, else from a boot. If several runs want the same one at once, one boots.
   * @throws MachineError if the kernel does not boot; TemplateError if it cannot be saved
   */
  async get(request: TemplateRequest): Promise<Template> {
    const key = this.keyOf(request);
    const directory = join(this.directory, key);
    const usable = async (): Promise<string | null> => {
      const found = await verifyTemplate(directory);
      return 'damage' in found ? found.damage : null;
    };
    const { onMessage } = request;
    const built = await populateDirectory(directory, (temporary) => build(temporary, request), {
      damageOf: usable,
      onDamage: (damage) => onMessage(`a saved machine is damaged (${damage}): the kernel is booted and saved again`),
      onWait: () => onMessage('another run is booting the same kernel: waiting for the machine it saves'),
    }).catch((error: unknown) => {
      // A folder that may not be written, say. What came of the boot itself passes as it is.
      throw error instanceof ExplainedError || !(error instanceof Error && 'code' in error) ? error : notSaved(error);
    });
    const found = await verifyTemplate(directory);
    if ('damage' in found) throw new TemplateError('template-damaged', found.damage, { where: directory });
    await noteUse(directory);
    if (built || !this.#evicted) await evict(this.directory, { ...LIMITS, maxBytes: this.#space });
    this.#evicted = true;
    return { key, directory, record: found };
  }

  /** Takes a template out of use, whoever made it; machines that run from it keep their files. */
  async discard(template: Template): Promise<void> {
    await removeDirectory(template.directory).catch(() => undefined);
  }
}

/** Boots the machine with its RAM in a file, observes it, and saves it. */
async function build(directory: string, request: TemplateRequest): Promise<void> {
  const { machine: options, observer } = request;
  const ram = join(directory, TEMPLATE.ram);
  await orTemplateError(() =>
    requireSpace(directory, options.prepared.memoryMiB * 2 ** 20 + OTHER_BYTES, 'saving a booted machine'),
  );
  request.onBoot();
  const machine = await bootIntoFile(options, ram);
  let observed: string[] = [];
  try {
    const seen = await observer.observe(machine.agent);
    // The agent waits for another host then: what is saved is a machine that nobody is connected to.
    await machine.agent.close();
    await orTemplateError(async () => {
      observed = await writeObservations(join(directory, TEMPLATE.observations), seen);
      const qmp = await machine.connectQmp();
      const never = new AbortController().signal;
      await saveState(qmp, join(directory, TEMPLATE.state), options.signal ?? never).finally(() => qmp.close());
    });
  } catch (error) {
    throw machine.spoilt || isConnectionLost(error) ? await machine.diagnose(error, 'boot') : error;
  } finally {
    await machine.close();
  }
  await orTemplateError(async () => {
    await rename(options.consolePath, join(directory, TEMPLATE.console)).catch(async () => {
      await copyFile(options.consolePath, join(directory, TEMPLATE.console));
      await rm(options.consolePath);
    });
    // A quarter of what the guest has touched is zeroes by now. A filesystem without holes loses nothing but space.
    await runGuarded('fallocate', ['--dig-holes', ram], { signal: options.signal });
    const files = observed.map((name) => `${TEMPLATE.observations}/${name}`);
    await writeRecord(directory, [TEMPLATE.ram, TEMPLATE.state, TEMPLATE.console, ...files], {
      bootMs: machine.readyMs,
      kernel: options.prepared.image,
      commandLine: kernelCommandLine(options),
    });
  });
}

/** A QEMU whose RAM cannot be written to its file any more dies of SIGBUS, which is no fault of the kernel. */
async function bootIntoFile(options: TemplateRequest['machine'], ram: string): Promise<Machine> {
  try {
    return await Machine.start({ ...options, memory: { path: ram, share: true } });
  } catch (error) {
    if (!(error instanceof MachineError) || !error.message.includes('SIGBUS')) throw error;
    throw new TemplateError('template-not-saved', "the machine's memory cannot be written to the disk", {
      where: ram,
      why: 'QEMU was ended by SIGBUS, as when a disk is full',
      cause: error,
    });
  }
}

async function writeObservations(directory: string, seen: ReadonlyMap<string, Uint8Array>): Promise<string[]> {
  await mkdir(directory);
  for (const [name, content] of seen) await writeFile(join(directory, name), content);
  return [...seen.keys()];
}

/** What goes wrong here is no reason not to boot. */
async function orTemplateError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw notSaved(error);
  }
}

function notSaved(error: unknown): TemplateError {
  const why =
    error instanceof ExplainedError ? error.explain() : error instanceof Error ? error.message : String(error);
  return new TemplateError('template-not-saved', 'the booted machine cannot be saved', { why, cause: error });
}
