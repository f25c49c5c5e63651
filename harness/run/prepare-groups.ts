import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { DebianSource } from '../../kernels/debian/source.ts';
import { evict } from '../../kernels/evict.ts';
import { locateVirtmeNg, type VirtmeNg } from '../../kernels/virtme-ng.ts';
import { buildAgent } from '../../loader/agent/build.ts';
import { type Accelerator, chooseAccelerator } from '../vm/accelerator.ts';
import { type PreparedMachine, prepareMachine } from '../vm/prepare.ts';
import { type FoundModules, findModules } from './module-files.ts';
import type { BootGroup } from './select.ts';

/** The machine of a group, with the modules that its programs want and the kernel has. */
export interface PreparedGroup {
  readonly machine: PreparedMachine;
  readonly modules: FoundModules;
}

/** What cells run on. */
export interface PreparedGroups {
  readonly groups: ReadonlyMap<BootGroup, PreparedGroup>;
  readonly accelerator: Accelerator;
  readonly virtme: VirtmeNg;
}

export interface PrepareGroupsOptions {
  readonly cache: string;
  /** Where virtme-ng comes from if this system has none. */
  readonly debian: DebianSource;
  readonly memoryMiB: number;
  /** Processors of a machine, unless its group has a number of its own. */
  readonly cpus: number;
  readonly accelerator: 'auto' | 'kvm' | 'tcg';
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * Plans a machine for each group, one for those that differ in kernel parameters alone, and finds out how machines can run on this host.
 * @throws MachineError `plan-failed` and others of {@link prepareMachine}; ExplainedError
 */
export async function prepareGroups(
  groups: readonly BootGroup[],
  options: PrepareGroupsOptions,
): Promise<PreparedGroups> {
  const { cache, debian, memoryMiB, onMessage, signal } = options;
  const agent = await buildAgent({ outputDirectory: join(cache, 'agent'), signal });
  const virtme = await locateVirtmeNg({ cache, source: debian });
  const prepare = async ({ kernel: { kernel }, cpus, modules: wanted }: BootGroup): Promise<PreparedGroup> => {
    const modules = await findModules(kernel, wanted);
    const machine = await prepareMachine({
      image: kernel.image,
      imageSha256: kernel.sha256,
      memoryMiB,
      cpus: cpus ?? options.cpus,
      modules: modules.files,
      agent,
      virtme,
      cache,
      onMessage,
      signal,
    });
    return { machine, modules };
  };
  const limit = pLimit(availableParallelism());
  const planned = new Map<string, Promise<PreparedGroup>>();
  const prepared = await Promise.all(
    groups.map(async (group) => {
      const key = JSON.stringify([group.kernel.name, group.cpus, group.modules]);
      const one = planned.get(key) ?? limit(() => prepare(group));
      planned.set(key, one);
      return [group, await one] as const;
    }),
  );
  await evict(join(cache, 'machines'), { maxAgeMs: 30 * DAY_MS, maxBytes: Number.POSITIVE_INFINITY, keepMs: DAY_MS });
  const [first] = prepared;
  const accelerator: Accelerator =
    first === undefined
      ? { name: 'tcg', reason: 'no kernel was selected' }
      : await chooseAccelerator({
          wanted: options.accelerator,
          image: first[1].machine.image,
          qemu: first[1].machine.plan.qemu,
          cache,
          signal,
        });
  return { groups: new Map(prepared), accelerator, virtme };
}
