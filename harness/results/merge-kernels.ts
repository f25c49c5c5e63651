import { isDeepStrictEqual } from 'node:util';
import { ExplainedError } from '../../loader/errors.ts';
import type { KernelResult } from './results.ts';
import type { Shard } from './shard.ts';

/**
 * The kernels of all shards. One that several have, each with other programs, has the boots of all and the facts of the first on which it booted.
 * @throws ExplainedError `shards-differ`
 */
export function mergeKernels(shards: readonly Shard[]): KernelResult[] {
  const kernels = new Map<string, { readonly kernel: KernelResult; readonly shard: string }>();
  for (const { results, name: shard } of shards) {
    for (const kernel of results.kernels) {
      const other = kernels.get(kernel.name);
      if (other === undefined) kernels.set(kernel.name, { kernel, shard });
      else {
        refuseDifferent(other.kernel, kernel, `${other.shard} and ${shard}`);
        kernels.set(kernel.name, { ...other, kernel: join(other.kernel, kernel) });
      }
    }
  }
  return [...kernels.values()].map(({ kernel }) => kernel);
}

function join(one: KernelResult, other: KernelResult): KernelResult {
  return {
    ...one,
    facts: Object.keys(one.facts).length > 0 ? one.facts : other.facts,
    boots: [...one.boots, ...other.boots.filter((boot) => !one.boots.some((known) => isDeepStrictEqual(known, boot)))],
  };
}

const MUST_AGREE = ['version', 'release', 'sha256', 'source', 'kind', 'flavour'] as const;

function refuseDifferent(one: KernelResult, other: KernelResult, where: string): void {
  const part = MUST_AGREE.find((name) => one[name] !== other[name]);
  if (part === undefined) return;
  throw new ExplainedError('shards-differ', `kernel ${one.name} is not the same in two shards: ${part} differs`, {
    where,
    why: `${one[part] ?? 'none'} and ${other[part] ?? 'none'}`,
    fix: 'run all shards with the same lock file (`--locked`), or each kernel in one shard',
  });
}
