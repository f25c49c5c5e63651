import { Btf } from '../../../loader/btf/btf.ts';
import { parseBtfExt } from '../../../loader/btf/ext.ts';
import type { Refusals, Target } from '../target.ts';
import type { Context } from './context.ts';
import { inspectBtf } from './inspect-btf.ts';

/** BTF on its own. */
export function btfTarget({ btfs }: Context): Target {
  return { name: 'btf', seeds: btfs, words: [], run: (bytes, refusals) => inspect(bytes, refusals) };
}

/** Split BTF on a base that is as it should be. */
export function moduleBtfTarget({ module, facts }: Context): Target {
  const base = facts.vmlinuxBtf;
  return { name: 'module-btf', seeds: [module], words: [], run: (bytes, refusals) => inspect(bytes, refusals, base) };
}

/** BTF.ext with the BTF of another seed as often as not: its ids and strings then mean something else. */
export function btfExtTarget({ exts }: Context): Target {
  const btfs = exts.map(({ btf }) => btf);
  return {
    name: 'btf-ext',
    seeds: exts.map(({ seed }) => seed),
    words: [],
    run: (bytes, refusals) => {
      for (const btf of btfs.slice(0, 2)) {
        if (refusals.attemptTwice(() => parseBtfExt(bytes, btf).lines) !== undefined) refusals.accepted = true;
      }
    },
  };
}

function inspect(bytes: Uint8Array, refusals: Refusals, base?: Btf): void {
  const btf = refusals.attemptTwice(() => Btf.parse(bytes, { name: 'input', ...(base === undefined ? {} : { base }) }));
  if (btf === undefined) return;
  refusals.accepted = true;
  inspectBtf(btf, refusals);
}
