import type { AgentConnection } from '../agent/connection.ts';
import { readKconfigFacts } from '../facts/kconfig-facts.ts';
import { LoadError } from '../load-error.ts';
import { KCONFIG_SECTION } from '../object/kconfig.ts';
import type { MapSpec, ObjectContent } from '../object/spec.ts';
import { type KconfigResolution, kconfigData, resolveKconfig } from '../resolve/kconfig.ts';
import type { ExternResolution, KernelFacts } from '../resolve/outcome.ts';

/** What resolving `__kconfig` externs takes. */
export interface KconfigContext {
  readonly agent: AgentConnection;
  readonly facts: KernelFacts;
  /** Lines of a configuration that go before the kernel's. */
  readonly own: string | undefined;
  /** For errors. */
  readonly resolutions: readonly ExternResolution[];
}

/** Says what the `__kconfig` externs of an object are; asks the kernel for nothing if it has none. Throws LoadError of phase `resolve`; AgentError. */
export async function resolveObjectKconfig(spec: ObjectContent, context: KconfigContext): Promise<KconfigResolution[]> {
  if ((spec.kconfig ?? []).length === 0) return [];
  const resolved = resolveKconfig(spec, await readKconfigFacts(context.agent, spec, context.facts, context.own));
  const broken = resolved.flatMap(({ name, outcome }) => (outcome.result === 'error' ? [{ name, outcome }] : []));
  if (broken.length === 0) return resolved;
  const names = broken.map(({ name }) => name).join(', ');
  throw new LoadError('resolve', `cannot resolve ${broken.length === 1 ? 'extern' : 'externs'} ${names}`, {
    object: spec.name,
    resolutions: context.resolutions,
    summary: broken.map(({ outcome }) => `${outcome.reason}: ${outcome.explanation}`).join('; '),
  });
}

/** The maps to create, `.kconfig` with its values. */
export function withKconfig(
  maps: readonly MapSpec[],
  spec: ObjectContent,
  kconfig: readonly KconfigResolution[],
): readonly MapSpec[] {
  if (kconfig.length === 0) return maps;
  return maps.map((map) => (map.name === KCONFIG_SECTION ? { ...map, data: kconfigData(spec, kconfig) } : map));
}
