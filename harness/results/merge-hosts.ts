import { compareText } from './grid-order.ts';
import type { EngineDescription, HostDescription, RunResults } from './results.ts';

/** Machines that ran shards, as one: what differs is told of all, and it counts as emulated if one of them was. */
export function mergeHosts(hosts: readonly HostDescription[]): HostDescription {
  const emulated = hosts.filter(({ accelerator }) => accelerator === 'tcg');
  const mixed = emulated.length > 0 && emulated.length < hosts.length;
  const reasons = joined(
    hosts.map(({ accelerator, acceleratorReason }) =>
      mixed ? `${accelerator}: ${acceleratorReason}` : acceleratorReason,
    ),
  );
  return {
    clang: joined(hosts.map(({ clang }) => clang)),
    qemu: joined(hosts.map(({ qemu }) => qemu)),
    virtmeNg: joined(hosts.map(({ virtmeNg }) => virtmeNg)),
    accelerator: emulated.length > 0 ? 'tcg' : 'kvm',
    acceleratorReason: mixed ? `in ${emulated.length} of ${hosts.length} shards (${reasons})` : reasons,
    node: joined(hosts.map(({ node }) => node)),
    cpus: Math.max(...hosts.map(({ cpus }) => cpus)),
  };
}

/** How shards were run, as one: cells shared machines if they did in one of them, and machines were saved only if they were in all. */
export function mergeEngines(engines: readonly EngineDescription[]): EngineDescription {
  return {
    isolation: engines.every(({ isolation }) => isolation === 'cell') ? 'cell' : 'kernel',
    isolationReason: joined(engines.map(({ isolationReason }) => isolationReason)),
    jobs: Math.max(...engines.map(({ jobs }) => jobs)),
    jobsReason: joined(engines.map(({ jobsReason }) => jobsReason)),
    machineBytes: Math.max(...engines.map(({ machineBytes }) => machineBytes)),
    templates: engines.every(({ templates }) => templates),
    retries: Math.max(...engines.map(({ retries }) => retries)),
  };
}

/** Of each part the slowest shard's: shards run side by side. */
export function mergeTimings(timings: readonly RunResults['timings'][]): RunResults['timings'] {
  const merged: Record<string, number> = {};
  for (const [phase, milliseconds] of timings.flatMap((one) => Object.entries(one))) {
    merged[phase] = Math.max(merged[phase] ?? 0, milliseconds);
  }
  return merged;
}

/** Each text once, by name. */
function joined(texts: readonly string[]): string {
  return [...new Set(texts)].sort(compareText).join('; ');
}
