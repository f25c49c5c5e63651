import type { RawSeeds } from '../seeds.ts';
import type { Target } from '../target.ts';
import { btfExtTarget, btfTarget, moduleBtfTarget } from './btf.ts';
import { readContext } from './context.ts';
import { instructionsTarget } from './instructions.ts';
import { kernelTarget } from './kernel.ts';
import { objectTarget } from './object.ts';
import { recordsTarget } from './records.ts';
import { kallsymsTarget, kconfigTarget, verifierLogTarget } from './text.ts';

/** How many of each dozen batches go to a target: more to those that have more behind them. */
export const SHARES = {
  object: 4,
  btf: 2,
  'module-btf': 1,
  'btf-ext': 1,
  kernel: 2,
  instructions: 1,
  kallsyms: 1,
  kconfig: 1,
  records: 1,
  'verifier-log': 1,
} as const satisfies Readonly<Record<string, number>>;

/** A name that `--target` takes. */
export type TargetName = keyof typeof SHARES;

/** Every target. Seeds that the loader does not take whole serve the targets that need no more than a part of them. */
export function makeTargets(seeds: RawSeeds): Target[] {
  const context = readContext(seeds);
  return [
    objectTarget(seeds, context),
    btfTarget(context),
    moduleBtfTarget(context),
    btfExtTarget(context),
    kernelTarget(context),
    instructionsTarget(context),
    kallsymsTarget(context),
    kconfigTarget(context),
    recordsTarget(),
    verifierLogTarget(),
  ];
}
