import type { Test } from 'tap';
import { Btf } from '../../btf/btf.ts';
import { btfBlob, KIND } from '../../btf/test/blob.ts';
import { CoreKind } from '../core-kinds.ts';
import { answers, compileQuestions, typesOf } from './core-question.ts';

/** EXISTS and SIZE of __builtin_preserve_type_info, TARGET of __builtin_btf_type_id (llvm's BPFCORE.h). */
const [EXISTS, SIZE] = [0, 1];
const [LOCAL_ID, TARGET_ID] = [0, 1];

/** Tests of relocations about types and enumerators. */
export function testCoreTypes(t: Test, folder: string): void {
  t.test('types are found by name and kind, and have the kernel’s size and id', (t) => {
    const types = typesOf(
      folder,
      'struct s { u64 a[3]; }; typedef struct { u8 x; } anonymous; typedef u32 (*function)(u64, struct s *); typedef u32 word; enum e { A };',
      ['struct s', 'anonymous', 'function', 'word', 'enum e'],
    );
    const question = compileQuestions(
      folder,
      `struct s___mine { u8 a; }; struct e { u8 a; }; struct gone { u8 a; }; typedef struct { u64 y; } anonymous; typedef u8 *word;
       typedef s8 (*function)(s8, struct gone *); typedef s8 (*function___less)(s8);`,
      `TYPE(struct s___mine, ${EXISTS}) TYPE(struct s___mine, ${SIZE}) TYPE(struct e, ${EXISTS}) TYPE(struct gone, ${EXISTS}) TYPE(struct gone, ${SIZE})
       TYPE(anonymous, ${SIZE}) TYPE(word, ${EXISTS}) TYPE(function, ${EXISTS}) TYPE(function___less, ${EXISTS})
       ID(struct s___mine, ${TARGET_ID}) ID(struct gone, ${TARGET_ID}) ID(struct s___mine, ${LOCAL_ID}) ID(struct { u8 mark; }, ${LOCAL_ID})`,
    );
    const struct = types.find('s', 'struct')?.id;
    const own = question.spec.btf?.find('s___mine', 'struct')?.id;
    const mark = [...(question.spec.btf?.types() ?? [])].find(
      (type) => type.kind === 'struct' && type.members[0]?.name === 'mark',
    );
    t.not(struct, own);
    // A typedef of an integer is none of a pointer; functions are told apart by their parameters, of which structs are all alike.
    t.strictSame(answers(question, types).map(Number), [1, 24, 0, 0, 0, 1, 0, 1, 0, struct, 0, own, mark?.id]);
    t.end();
  });

  t.test('types match if all that the program knows of them is in the kernel’s', (t) => {
    const declarations = `
struct other { u32 x; }; union either { u32 x; u64 y; }; struct unknown; enum e { A = 1, B = 2, C = 3 };
struct s { u32 a; u64 b; struct other in; struct other *to; union either u; u8 array[4]; enum e e; struct unknown *fwd; u32 (*call)(u64, struct other *); };`;
    const types = typesOf(folder, declarations, ['struct s', 'union either', 'enum e']);
    const declared = `
struct other___mine { u32 x; }; struct other___less { u8 nothing; }; union either___y { u64 y; }; union either___z { u64 z; };
struct unknown___mine { u8 y; }; struct nowhere { u8 x; }; enum e___b { B___b = 9 }; enum e___d { A___d, D };`;
    const cases: readonly (readonly [member: string, matches: 0 | 1])[] = [
      ['u64 b; u32 a;', 1],
      ['const volatile u32 a;', 1],
      ['s32 a;', 0],
      ['u64 a;', 0],
      ['u32 missing;', 0],
      ['struct other___mine in;', 1],
      ['struct other___less in;', 0],
      // Behind a pointer, name and kind are enough, and a declaration stands for the struct.
      ['struct other___less *to;', 1],
      ['union either___y *to;', 0],
      ['struct nowhere *to;', 0],
      ['struct unknown___mine *fwd;', 1],
      ['u8 array[4];', 1],
      ['u8 array[5];', 0],
      ['union either___y u;', 1],
      ['union either___z u;', 0],
      ['enum e___b e;', 1],
      ['enum e___d e;', 0],
      ['u32 (*call)(u64, struct other___less *);', 1],
      ['u64 (*call)(u64, struct other___less *);', 0],
      ['u32 (*call)(u64);', 0],
    ];
    const question = compileQuestions(
      folder,
      declared + cases.map(([member], index) => `struct s___${index} { ${member} };`).join(' '),
      cases.map((_, index) => `TYPE(struct s___${index}, ${EXISTS})`).join(' '),
    );
    // clang knows this kind from 15 on; the relocation is the same but for its number.
    const coreRelocations = question.program.coreRelocations.map((one) => ({ ...one, kind: CoreKind.TYPE_MATCHES }));
    const found = answers({ ...question, program: { ...question.program, coreRelocations } }, types);
    t.equal(found.length, cases.length);
    for (const [index, [member, matches]] of cases.entries()) t.equal(found[index], matches, member);
    t.end();
  });

  t.test('enumerators are found by name, in enums of 32 and 64 bits, with their sign', (t) => {
    const types = Btf.parse(
      btfBlob([
        {
          name: 'e',
          kind: KIND.enum,
          vlen: 3,
          sizeOrType: 4,
          words: ['MINUS', 0xffff_fffe, 'BIG', 0x8000_0001, 'SMALL', 7],
        },
        {
          name: 'wide',
          kind: KIND.enum64,
          vlen: 2,
          kindFlag: true,
          sizeOrType: 8,
          words: ['LOW', 0xffff_fffe, 0xffff_ffff, 'HIGH', 5, 1],
        },
        { kind: KIND.enum, vlen: 1, sizeOrType: 4, words: ['NAMELESS', 33] },
        { name: 'alias', kind: KIND.typedef, sizeOrType: 3 },
      ]),
    );
    const question = compileQuestions(
      folder,
      `enum e___mine { MINUS = -7, BIG___mine = 2, SMALL = 3, GONE = 4 }; enum wide { LOW = 1, HIGH = 2 };
       typedef enum { NAMELESS = 1 } alias; enum nowhere { SOMETHING = 1 };`,
      [
        'e___mine, MINUS',
        'e___mine, BIG___mine',
        'e___mine, SMALL',
        'e___mine, GONE',
        'wide, LOW',
        'nowhere, SOMETHING',
      ]
        .map((one) => `VALUE(enum ${one}, 0) VALUE(enum ${one}, 1)`)
        .join(' ')
        .concat(' VALUE(enum wide, HIGH, 1) VALUE(alias, NAMELESS, 1)'),
    );
    t.strictSame(answers(question, types), [
      ...[1n, -2n],
      ...[1n, -0x7fff_ffffn],
      ...[1n, 7n],
      ...[0n, 'poison'],
      ...[1n, -2n],
      ...[0n, 'poison'],
      0x1_0000_0005n,
      33n,
    ]);
    t.end();
  });
  t.end();
}
