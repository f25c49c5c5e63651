import t from 'tap';
import { mutate, seededRandom } from '../../elf/test/compile.ts';
import { FormatError } from '../../errors.ts';
import { Btf } from '../btf.ts';
import { printDeclaration, printDefinition, printWithDefinition } from '../print-c.ts';
import { btfBlob, INT, KIND } from './blob.ts';
import { bpftoolDefinitions } from './bpftool.ts';
import { compileObject, fail } from './object.ts';

/** Everything that a definition may hold, in places where it is hard to write. */
const SOURCE = `
typedef unsigned int u32;
struct list { struct list *next, *prev; };
enum state { IDLE, BUSY = 4, LAST = 2147483647 };
union word { u32 whole; unsigned char bytes[4]; };
struct hard {
	u32 low: 3;
	u32 high: 29;
	enum state state;
	const char *const names[2][3];
	volatile u32 *const volatile register_;
	struct list list;
	union { long number; struct { void *left; void *right; }; } either[2];
	struct { u32 inner; } named;
	int (*compare)(const void *, struct list *, ...);
	void (*(*factory)(int, char *))(void);
	int (*table[4])(union word);
	u32 (*matrix)[3][5];
	struct {} nothing;
	const u32 constant[2];
	u32 flexible[0];
};
typedef int (*callback)(struct hard *, u32);
struct hard hard; enum state state; union word word; callback callbacks[2];
extern const struct hard array[3] __attribute__((section(".ksyms")));
extern int kernel_function(const struct list *entry, void (*hook)(int cpu), u32 words[4]) __attribute__((section(".ksyms")));
long user(void) { return (long)&array + kernel_function(0, 0, 0); }
`;

/** Without what bpftool adds: padding, attributes, other white space. */
function normal(text: string): string {
  return text
    .replace(/^\s*(long|int|short|char|u32|u16|u8)\s*: ?\d+;$/gm, '')
    .replace(/ __attribute__\(\([^)]*\)\)/g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?\* ?/g, '*')
    .replaceAll('(void)', '()');
}

t.test('definitions are what bpftool prints of the same types', (t) => {
  const { path, btf } = compileObject(t.testdir({}), 'bpfel', SOURCE);
  const expected = bpftoolDefinitions(path);
  for (const name of ['struct hard', 'struct list', 'union word', 'enum state', 'u32', 'callback']) {
    const [kind, tag] = name.split(' ');
    const isTagged = kind === 'struct' || kind === 'union' || kind === 'enum';
    const type = isTagged ? btf.find(tag ?? '', kind) : btf.find(name, 'typedef');
    const printed = printDefinition(btf, type?.id ?? fail(name), { members: 1000 });
    t.equal(normal(printed ?? ''), normal(expected.get(name) ?? fail(name)), name);
  }
  t.equal(printDefinition(btf, btf.find('hard', 'var')?.id ?? 0), null, 'a variable is no definition');
  t.end();
});

t.test(
  'variables and functions are declared as a program would declare them, structs no further than people read',
  (t) => {
    const { btf } = compileObject(t.testdir({}), 'bpfel', SOURCE);
    const id = (name: string, kind: 'var' | 'func' | 'struct'): number => btf.find(name, kind)?.id ?? fail(name);
    t.equal(
      printDeclaration(btf, id('kernel_function', 'func')),
      'extern int kernel_function(const struct list *, void (*)(int), u32 *);',
      'clang 14 leaves the names of parameters of externs out',
    );
    t.equal(printDeclaration(btf, id('callbacks', 'var')), 'extern callback callbacks[2];');
    t.equal(printWithDefinition(btf, id('callbacks', 'var')), 'extern callback callbacks[2];');
    t.equal(
      printWithDefinition(btf, id('state', 'var')),
      'extern enum state state;\n\nenum state {\n\tIDLE = 0,\n\tBUSY = 4,\n\tLAST = 2147483647,\n};',
    );
    t.equal(
      printWithDefinition(btf, id('array', 'var'), { members: 2 }),
      'extern const struct hard array[3];\n\nstruct hard {\n\tu32 low: 3;\n\tu32 high: 29;\n\t/* 13 more members */\n};',
    );
    t.match(
      printDefinition(btf, id('hard', 'struct'), { members: 10 }),
      '\tunion {\n\t\tlong number;\n\t\tstruct {\n\t\t\tvoid *left;\n\t\t\t/* 1 more member */\n\t\t};\n\t} either[2];\n\t/* 8 more members */\n};',
      'members of nested structs count',
    );
    t.ok(printWithDefinition(btf, id('hard', 'var')).split('\n').length < 30, 'few by default');

    const named = Btf.parse(
      btfBlob([
        INT,
        { kind: KIND.funcProto, sizeOrType: 0, vlen: 2, words: ['cpu', 1, 'data', 3] },
        { kind: KIND.ptr, sizeOrType: 0 },
        { name: 'kfunc', kind: KIND.func, sizeOrType: 2 },
        { name: 'wide', kind: KIND.enum64, vlen: 1, sizeOrType: 8, words: ['TOP', 0, 0x80000000] },
        { kind: KIND.ptr, sizeOrType: 2 },
        { name: 'hook', kind: KIND.var, sizeOrType: 6, words: [0] },
      ]),
    );
    t.equal(
      printDeclaration(named, 4),
      'extern void kfunc(int cpu, void *data);',
      'pahole calls every function static',
    );
    t.equal(printDeclaration(named, 7), 'extern void (*hook)(int cpu, void *data);');
    t.equal(printDefinition(named, 5), 'enum wide {\n\tTOP = 9223372036854775808,\n};');
    t.equal(printDeclaration(named, 0), 'void;');
    t.throws(() => printDeclaration(named, 99), { code: 'btf-type-id' });
    t.end();
  },
);

t.test('damaged BTF is printed within bounds, or refused as damaged', (t) => {
  // A struct without a name whose only member is an array of itself, and a pointer to itself.
  const loop = Btf.parse(
    btfBlob([
      INT,
      { kind: KIND.struct, vlen: 2, sizeOrType: 8, words: ['a', 3, 0, 'b', 2, 0] },
      { kind: KIND.array, words: [2, 1, 4] },
      { kind: KIND.ptr, sizeOrType: 4 },
    ]),
  );
  t.ok((printDefinition(loop, 2, { members: 10_000 }) ?? '').length < 100_000);
  t.match(printDeclaration(loop, 4), /…/);
  const { section } = compileObject(t.testdir({}), 'bpfel', SOURCE);
  const random = seededRandom(7);
  let printed = 0;
  for (let round = 0; round < 300; round += 1) {
    try {
      const btf = Btf.parse(mutate(section('.BTF'), random));
      for (const type of btf.types()) printed += printWithDefinition(btf, type.id).length > 20_000 ? Number.NaN : 1;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  t.ok(printed > 300, `${printed} types`);
  t.end();
});
