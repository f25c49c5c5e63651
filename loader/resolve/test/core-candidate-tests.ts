import type { Test } from 'tap';
import { Btf } from '../../btf/btf.ts';
import { btfBlob, INT, KIND, type RawType } from '../../btf/test/blob.ts';
import { ObjectError } from '../../errors.ts';
import type { ProgramSpec } from '../../object/spec.ts';
import { applyCoreRelocations } from '../core.ts';
import { needsModuleTypes } from '../core-candidates.ts';
import type { KernelFacts } from '../outcome.ts';
import { answers, compileQuestions, typesOf, valueAt } from './core-question.ts';
import { kernel } from './fake-kernel.ts';

/** Tests of which types of a kernel are asked, and of what is refused. */
export function testCoreCandidates(t: Test, folder: string): void {
  const every = compileQuestions(
    folder,
    'struct s { u32 a; u32 b; u32 c; } CORE;',
    ['a', 'b', 'c'].map((name) => `FIELD(p->${name}, 0) FIELD(p->${name}, 1) FIELD(p->${name}, 2)`).join(' '),
    { pointer: 'struct s' },
  );
  /** Questions for the offset, size or existence of members: `a offset, c exists`. */
  const ask = (words: string) => {
    const coreRelocations = words.split(', ').flatMap((one) => {
      const [name = '', kind = ''] = one.split(' ');
      const index = 'abc'.indexOf(name) * 3 + ['offset', 'size', 'exists'].indexOf(kind);
      return every.program.coreRelocations.slice(index, index + 1);
    });
    return { spec: every.spec, program: { ...every.program, coreRelocations } };
  };
  const refusal = (work: () => unknown): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    return undefined;
  };

  t.test('types of the same name in other flavours count, have to agree, and are not mixed', (t) => {
    const types = typesOf(
      folder,
      'struct s___2 { u64 x; u32 b; u32 a; }; struct s___3 { u64 x; u64 c; u32 a; }; struct s__no_flavour { u32 a; };',
      ['struct s___2', 'struct s___3', 'struct s__no_flavour'],
    );
    t.strictSame(answers(ask('b offset'), types), [8]);
    t.strictSame(answers(ask('c offset'), types), [8]);
    // Once b was read, the kernel's s is taken to be the second, which has no c, and a at 12; the other way round it has no b.
    t.strictSame(answers(ask('b offset, a offset, c exists'), types), [8, 12, 0]);
    t.strictSame(answers(ask('c offset, a offset, b offset'), types), [8, 16, 'poison']);
    const error = refusal(() => answers(ask('a offset'), types));
    t.ok(error instanceof ObjectError, `${error}`);
    t.match(error, {
      code: 'core-ambiguous',
      section: 'raw_tp/x',
      symbol: 'ask',
      why: /s___2 .* gives 12 at bit 96, struct s___3 .* gives 16/,
    });
    // The same size in both, and yet not the same field.
    t.match(
      refusal(() => answers(ask('a size'), types)),
      { code: 'core-ambiguous' },
    );
    t.end();
  });

  t.test('modules are asked for what vmlinux does not have, and types can be given instead of the kernel’s', (t) => {
    const vmlinuxBtf = typesOf(folder, 'struct t { u32 x; };', ['struct t']);
    const word = vmlinuxBtf.find('u32', 'typedef')?.id ?? 0;
    const struct = (name: string, offset: number, type = word): RawType => ({
      name,
      kind: KIND.struct,
      vlen: 1,
      sizeOrType: 16,
      words: ['a', type, offset],
    });
    const baseStrings = new DataView(vmlinuxBtf.bytes.buffer, vmlinuxBtf.bytes.byteOffset).getUint32(20, true);
    const module = (name: string, types: readonly RawType[]) => {
      const btf = Btf.parse(btfBlob(types, { baseStrings }), { base: vmlinuxBtf, name });
      return { name, btf };
    };
    const moduleBtfs = [module('one', [struct('t', 0), struct('s', 64)]), module('two', [struct('s___x', 64)])];
    const { spec, program } = ask('a offset');
    const valueWith = (facts: Partial<KernelFacts>) =>
      valueAt(
        applyCoreRelocations(spec, program, kernel({ vmlinuxBtf, ...facts })).code,
        program.coreRelocations[0]?.slot ?? 0,
      );
    t.equal(valueWith({}), 'poison');
    t.equal(valueWith({ moduleBtfs }), 8);
    t.match(
      refusal(() => valueWith({ moduleBtfs: [...moduleBtfs, module('three', [struct('s', 32)])] })),
      {
        code: 'core-ambiguous',
        why: /of one\).*of three\)/,
      },
    );
    const coreBtf = Btf.parse(btfBlob([INT, struct('s', 96, 1)]));
    t.equal(valueWith({ coreBtf, moduleBtfs }), 12);
    t.equal(valueWith({ coreBtf, vmlinuxBtf: null }), 12);
    t.equal(needsModuleTypes(spec, vmlinuxBtf), true);
    t.equal(needsModuleTypes(spec, coreBtf), false);
    t.match(
      refusal(() => valueWith({ vmlinuxBtf: null })),
      { code: 'core-without-kernel-btf', instruction: 0, fix: /coreBtf/ },
    );
    t.end();
  });

  t.test('what is missing is poisoned, named as in C, with the reason; a guard makes it dead code', (t) => {
    const types = typesOf(folder, 'struct inner { u32 x; }; struct s { struct inner a; u32 b[3]; u32 *c; };', [
      'struct s',
    ]);
    const question = compileQuestions(
      folder,
      `struct inner { u32 x; u32 gone; } CORE; struct s { struct inner a; u32 b[9]; u32 c; } CORE; struct absent { u32 x; } CORE;
       enum none { VALUE = 1 };`,
      `sink = p->a.gone; sink = p->b[7]; sink = p->c; sink = ((struct absent *)p)->x; VALUE(enum none, VALUE, 1) FIELD(p->a.gone, 2)
       VALUE(enum none, VALUE, 0)`,
      { pointer: 'struct s' },
    );
    const { code, poisoned } = applyCoreRelocations(question.spec, question.program, kernel({ vmlinuxBtf: types }));
    t.match(poisoned, [
      { text: 'struct s.a.gone', why: 'struct s.a has no member gone there' },
      { text: 'struct s.b[7]', why: 'struct s.b has 3 elements there, and none with index 7' },
      { text: 'struct s.c', why: /^struct s\.c is `u32 \*` there, which the program’s `u32` is not compatible with$/ },
      { text: 'struct absent.x', why: 'there is no struct absent' },
      { text: 'enum none, VALUE', why: 'there is no enum none' },
    ]);
    const wide = poisoned[4]?.slot ?? 0;
    // Both slots of a wide load are replaced: half of one would be no instruction.
    t.strictSame([valueAt(code, wide), valueAt(code, wide + 1)], ['poison', 'poison']);
    const guards = question.program.coreRelocations.slice(5).map(({ slot }) => Number(valueAt(code, slot)));
    t.strictSame(guards, [0, 0]);
    t.end();
  });

  t.test('relocations that contradict the object are refused, with their instruction', (t) => {
    const types = typesOf(folder, 'struct s { u32 a; u32 b; u32 c; };', ['struct s']);
    const { spec, program } = compileQuestions(folder, 'struct s { u32 a; u32 b; u32 c; } CORE;', 'sink = p->b;', {
      pointer: 'struct s',
    });
    const [relocation] = program.coreRelocations;
    if (relocation === undefined) throw new TypeError('there is no relocation');
    const apply = (change: Partial<typeof relocation>, more: Partial<ProgramSpec> = {}) =>
      refusal(() =>
        applyCoreRelocations(
          spec,
          { ...program, ...more, coreRelocations: [{ ...relocation, ...change }] },
          kernel({ vmlinuxBtf: types }),
        ),
      );
    const u32 = spec.btf?.find('u32', 'typedef')?.id ?? 0;
    const pointer = [...(spec.btf?.types() ?? [])].find(({ kind }) => kind === 'ptr')?.id ?? 0;
    t.equal(apply({}), undefined);
    for (const [change, code, why] of [
      [{ kind: 13 }, 'core-relocation-unknown', /struct s/],
      [{ accessString: '0:3' }, 'core-access', /a struct has no member 3/],
      [{ accessString: '0:1:0' }, 'core-access', /a int has no member 0|an int has no member 0/],
      [{ accessString: '' }, 'core-access', /numbers joined with colons/],
      [{ accessString: '0:' }, 'core-access', /numbers joined with colons/],
      [{ accessString: '0:99999999999999999999' }, 'core-access', /numbers joined/],
      [{ accessString: '0:1'.padEnd(200, ':1') }, 'core-access', /1 to 64 numbers/],
      [{ accessString: '0:2' }, 'core-instruction', /gives 8 for struct s\.c, the instruction has 4/],
      [{ accessString: '0:1', kind: 8 }, 'core-access', /has the access 0/],
      [{ typeId: u32, accessString: '0', kind: 11 }, 'core-access', /0 enumerators/],
      [{ typeId: pointer, accessString: '0' }, 'core-anonymous-type', /cannot be looked up/],
      [{ accessString: '0', kind: 3 }, 'core-access', /no member of a struct/],
      [{ slot: program.code.length / 8 - 1 }, 'core-instruction', /a constant, a load or a store was expected/],
    ] as const) {
      const error = apply(change);
      t.ok(error instanceof ObjectError, `${code}: ${error}`);
      t.match(error, { code, why, symbol: 'ask' }, JSON.stringify(change));
    }
    const far = Btf.parse(
      btfBlob([
        INT,
        { kind: KIND.array, words: [1, 1, 0x4000] },
        { name: 's', kind: KIND.struct, vlen: 2, sizeOrType: 0x10004, words: ['x', 2, 0, 'b', 1, 0x80000] },
      ]),
    );
    t.match(
      refusal(() => applyCoreRelocations(spec, program, kernel({ vmlinuxBtf: far }))),
      { code: 'core-out-of-range', why: /comes to 65536, and there is room for 16 bits/ },
    );
    t.end();
  });

  t.test('types that contain themselves neither hang nor overflow', (t) => {
    const types = Btf.parse(
      btfBlob([
        INT,
        { name: 's', kind: KIND.struct, vlen: 3, sizeOrType: 8, words: [0, 2, 0, 0, 2, 0, 'c', 3, 0] },
        { kind: KIND.array, words: [3, 1, 1] },
      ]),
    );
    t.match(
      refusal(() => answers(ask('a exists'), types)),
      { code: 'core-too-deep' },
    );
    t.match(
      refusal(() => answers(ask('c exists'), types)),
      { code: 'core-too-deep' },
    );
    // Forty structs, each of which holds the next one twice.
    const nested = Btf.parse(
      btfBlob([
        INT,
        ...Array.from({ length: 40 }, (_, level): RawType => {
          const next = level === 39 ? 1 : level + 3;
          return {
            ...(level === 0 ? { name: 's' } : {}),
            kind: KIND.struct,
            vlen: 2,
            sizeOrType: 8,
            words: [0, next, 0, 0, next, 0],
          };
        }),
      ]),
    );
    t.strictSame(answers(ask('a exists'), nested), [0]);
    t.end();
  });
  t.end();
}
