import type { ElfFile } from '../../elf/elf.ts';
import { parseElf } from '../../elf/elf.ts';
import { compileBpf } from '../../elf/test/compile.ts';
import { Btf } from '../btf.ts';

/** C with every kind of type that clang 14 writes, and externs of each kind. */
export const SOURCE = `
#define SEC(name) __attribute__((section(name)))
typedef unsigned int u32;
typedef u32 word;
struct opaque;
union either { int a; char b[8]; };
enum color { RED, GREEN = 7 };
struct nested { int low:3; unsigned high:5; volatile long *restrict_me; struct opaque *opaque; union either either[4]; };
struct __attribute__((preserve_access_index)) task { int pid; struct { long deep; } inner; };
float real; double longer; _Bool flag = 1; char letter = 'x'; enum color color = GREEN;
struct nested nested = { .low = 1 };
const word table[3][5] = { { 1 } };
int (*handler)(int, void *) = 0;
int (*printer)(const char *, ...) = 0;
struct opaque *pointers[4] = { 0 };
const char *const volatile label = 0;
int (*(*factory)(void))[2] = 0;
extern const struct opaque runqueues SEC(".ksyms");
extern const void jiffies SEC(".ksyms");
extern void kernel_function(int, void *) SEC(".ksyms");
extern u32 LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
static volatile int counter = 4;
char _license[] SEC("license") = "GPL";
static __attribute__((noinline)) int sub(int x) { static volatile int counter = 9; return x + counter; }
SEC("socket")
int prog(struct task *task)
{
  kernel_function(1, 0); /* größer */
  counter++;
  return task->pid + task->inner.deep + (long)&runqueues + (long)&jiffies + LINUX_KERNEL_VERSION + sub(2);
}
`;

/** Compiles C, {@link SOURCE} unless it is given, and takes the object apart. */
export function compileObject(
  folder: string,
  target: 'bpfel' | 'bpfeb' = 'bpfel',
  source: string = SOURCE,
): { path: string; elf: ElfFile; section: (name: string) => Uint8Array; btf: Btf } {
  const { path, bytes } = compileBpf(folder, 'object', source, { target });
  const elf = parseElf(bytes, path);
  const section = (name: string): Uint8Array => elf.sections.find((found) => found.name === name)?.data ?? fail(name);
  const btf = Btf.parse(section('.BTF'), { name: path });
  return { path, elf, section, btf };
}

/** For what a test cannot do without. */
export function fail(what: string): never {
  throw new Error(`the test lacks ${what}`);
}
