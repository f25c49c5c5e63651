import { Btf } from '../../../loader/btf/btf.ts';
import { applyCoreRelocations } from '../../../loader/resolve/core.ts';
import { resolveExterns } from '../../../loader/resolve/externs.ts';
import { type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

/** Every input is held against as many objects, the fuzzer's own first. */
const MOST_OBJECTS = 10;

/** A kernel's BTF, against which objects that are as they should be are resolved. */
export function kernelTarget({ btfs, specs, facts }: Context): Target {
  const objects = specs
    .filter(
      (spec) => spec.externs.length > 0 || spec.programs.some(({ coreRelocations }) => coreRelocations.length > 0),
    )
    .slice(0, MOST_OBJECTS);
  return {
    name: 'kernel',
    // The kernel's own comes first; another object's has other types of the same names.
    seeds: btfs.slice(0, 1),
    words: [],
    run: (bytes, refusals) => {
      const vmlinuxBtf = refusals.attemptTwice(() => Btf.parse(bytes, { name: 'vmlinux' }));
      if (vmlinuxBtf === undefined) return;
      refusals.accepted = true;
      const kernel = { ...facts, vmlinuxBtf, moduleBtfs: [] };
      for (const spec of objects) {
        const resolved = refusals.attempt(() => resolveExterns(spec, kernel));
        // Declarations are printed only when they are asked for.
        refusals.attempt(() =>
          JSON.stringify(resolved, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
        );
        if (resolved !== undefined && resolved.length !== spec.externs.length) {
          throw new Violation('wrong-count', `${resolved.length} outcomes of ${spec.externs.length} externs`);
        }
        for (const program of spec.programs) refusals.attempt(() => applyCoreRelocations(spec, program, kernel));
      }
    },
  };
}
