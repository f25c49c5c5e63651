import type { Test } from 'tap';
import { formatInstructions } from '../../insn/format.ts';
import { applyCoreRelocations } from '../core.ts';
import { testCoreCandidates } from './core-candidate-tests.ts';
import { testCoreFields } from './core-field-tests.ts';
import { testCoreTypes } from './core-type-tests.ts';
import { compileObject, kernel, kernelBtf } from './fake-kernel.ts';

/** Tests of {@link applyCoreRelocations}; files are compiled in `folder`. */
export function testCore(t: Test, folder: string): void {
  t.test('makes the code that clang makes from the kernel’s own structs', (t) => {
    const kernelStructs = `
struct inner { char first; long deep; };
struct rq { long lock; union { int cpu; int alias; }; unsigned long width; short array[8]; struct inner in; struct rq *next; };`;
    const btf = kernelBtf(folder, `${kernelStructs} struct rq rq; int main(void) { return rq.cpu; }`, 'core');
    // Every field goes to memory by itself, so that the order of a sum cannot make the two differ.
    const use = (type: string) => `
static volatile long sink;
SEC("raw_tp/x") int prog(void **ctx)
{
  ${type} *rq = ctx[0];
  sink = rq->cpu;
  sink = rq->width;
  sink = rq->array[3];
  sink = rq->in.deep;
  sink = rq->next->cpu;
  return 0;
}`;
    const spec = compileObject(
      folder,
      `struct inner___mine { long deep; } __attribute__((preserve_access_index));
struct rq___mine { struct rq___mine *next; struct inner___mine in; unsigned int width; short array[4]; int cpu; } __attribute__((preserve_access_index));
${use('struct rq___mine')}`,
    );
    const [program] = spec.programs;
    if (program === undefined) throw new TypeError('no program');
    const result = applyCoreRelocations(spec, program, kernel({ vmlinuxBtf: btf }));
    const oracle = compileObject(folder, `${kernelStructs}${use('struct rq')}`).programs[0];
    t.ok(program.coreRelocations.length >= 6);
    t.equal(formatInstructions(result.code), formatInstructions(oracle?.code ?? new Uint8Array()));
    t.not(formatInstructions(program.code), formatInstructions(result.code));
    t.strictSame(result.poisoned, []);
    t.end();
  });
  t.test('fields', (t) => testCoreFields(t, folder));
  t.test('types and enumerators', (t) => testCoreTypes(t, folder));
  t.test('candidates and refusals', (t) => testCoreCandidates(t, folder));
  t.end();
}
