import type { Test } from 'tap';
import { ObjectError } from '../../errors.ts';
import { formatInstructions } from '../../insn/format.ts';
import { readInstruction } from '../../insn/instruction.ts';
import { applyCoreRelocations, CORE_POISON } from '../core.ts';
import { compileObject, kernel, kernelBtf } from './fake-kernel.ts';

/** Tests of {@link applyCoreRelocations}; files are compiled in `folder`. */
export function testCore(t: Test, folder: string): void {
  const kernelStructs = `
struct inner { char first; long deep; };
struct rq { long lock; union { int cpu; int alias; }; unsigned long width; short array[8]; struct inner in; struct rq *next; };
enum state { IDLE = 3, BUSY = 70000 };
`;
  const btf = kernelBtf(
    folder,
    `${kernelStructs} struct rq rq; enum state state; int main(void) { return rq.cpu + state; }`,
    'core',
  );
  const facts = kernel({ vmlinuxBtf: btf });
  const apply = (body: string) => {
    const spec = compileObject(folder, body);
    const [program] = spec.programs;
    if (program === undefined) throw new TypeError('no program');
    return { program, result: applyCoreRelocations(spec, program, facts) };
  };

  t.test('makes the code that clang makes from the kernel’s own structs', (t) => {
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
    const local = `
struct inner___mine { long deep; } __attribute__((preserve_access_index));
struct rq___mine { struct rq___mine *next; struct inner___mine in; unsigned int width; short array[4]; int cpu; } __attribute__((preserve_access_index));
${use('struct rq___mine')}`;
    const { program, result } = apply(local);
    const oracle = compileObject(folder, `${kernelStructs}${use('struct rq')}`).programs[0];
    t.ok(program.coreRelocations.length >= 6);
    t.equal(formatInstructions(result.code), formatInstructions(oracle?.code ?? new Uint8Array()));
    t.not(formatInstructions(program.code), formatInstructions(result.code));
    t.strictSame(result.poisoned, []);
    t.end();
  });

  t.test('answers what exists, how large it is, and what an enumerator is', (t) => {
    const question = (expression: string) => {
      const { program, result } = apply(`
struct rq___mine { int cpu; int gone; } __attribute__((preserve_access_index));
struct missing { int x; } __attribute__((preserve_access_index));
enum state___mine { BUSY___mine = 1, GONE = 2 };
SEC("raw_tp/x") long prog(struct rq___mine *rq) { return ${expression}; }`);
      const slot = program.coreRelocations[0]?.slot ?? -1;
      const instruction = readInstruction(result.code, slot);
      return instruction.opcode === 0x85 && instruction.imm === CORE_POISON ? 'poison' : instruction.imm;
    };
    t.equal(question('bpf_core_field_exists(rq->cpu)'), 1);
    t.equal(question('bpf_core_field_exists(rq->gone)'), 0);
    t.equal(question('bpf_core_field_size(rq->cpu)'), 4);
    t.equal(question('bpf_core_type_exists(struct rq___mine)'), 1);
    t.equal(question('bpf_core_type_exists(struct missing)'), 0);
    // struct rq above: 8 lock, 4 union, 4 padding, 8 width, 16 array, 16 inner, 8 next.
    t.equal(question('bpf_core_type_size(struct rq___mine)'), 64);
    t.equal(question('bpf_core_type_size(struct missing)'), 0);
    t.equal(question('bpf_core_enum_value_exists(enum state___mine, BUSY___mine)'), 1);
    t.equal(question('bpf_core_enum_value_exists(enum state___mine, GONE)'), 0);
    t.equal(question('bpf_core_enum_value(enum state___mine, BUSY___mine)'), 70000);
    t.equal(question('rq->gone'), 'poison');
    t.equal(question('bpf_core_enum_value(enum state___mine, GONE)'), 'poison');
    t.end();
  });

  t.test('names what it poisoned, and refuses what it cannot answer', (t) => {
    const { result } = apply(`
struct rq___mine { struct { int gone; } in; } __attribute__((preserve_access_index));
SEC("raw_tp/x") long prog(struct rq___mine *rq) { return rq->in.gone; }`);
    t.match(result.poisoned, [{ text: 'rq___mine.in.gone' }]);
    const refusals: readonly (readonly [body: string, code: string, why: RegExp])[] = [
      [
        'SEC("raw_tp/x") long prog(void *ctx) { return bpf_core_type_id_kernel(struct rq); }',
        'core-relocation-unsupported',
        /rq/,
      ],
      [
        'SEC("raw_tp/x") long prog(struct rq *rq) { return rq->width; }',
        'core-instruction',
        /8 bytes in the kernel, 4/,
      ],
    ];
    for (const [body, code, why] of refusals) {
      const struct = 'struct rq { int width; } __attribute__((preserve_access_index));';
      try {
        apply(`${struct}${body}`);
        t.fail(`${body} was accepted`);
      } catch (error) {
        t.ok(error instanceof ObjectError, `${error}`);
        t.match(error, { code, why, section: 'raw_tp/x', symbol: 'prog', instruction: 0 });
      }
    }
    t.end();
  });
  t.end();
}
