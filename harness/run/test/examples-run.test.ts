import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import type { Kernel } from '../../../loader/index.ts';
import { INCLUDE } from '../../../loader/object/test/sources.ts';
import { bootKernel } from '../../boot-kernel.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';

/** What each example exports: its work on a kernel, with the path of the compiled object. */
interface Example {
  readonly main: (kernel: Kernel, path: string, argument?: number) => Promise<void>;
}

const EXAMPLES = join(PACKAGE_ROOT, 'examples', 'loader');
const folder = t.testdir();
const machine = await bootKernel('6.12');
t.teardown(() => machine.close());

/** Compiles an example's program as its first lines say, runs it on the machine's kernel, and gives the lines that it prints. */
async function linesOf(t: Test, name: string, argument?: number): Promise<string[]> {
  const source = readFileSync(join(EXAMPLES, `${name}.bpf.c`), 'utf8');
  const { path } = compileBpf(folder, name, source, { flags: ['-O2', '-g', '-Wall', '-Werror', INCLUDE] });
  const example = (await import(pathToFileURL(join(EXAMPLES, `${name}.mjs`)).href)) as Example;
  const said = t.capture(console, 'log');
  await example.main(machine.kernel, path, argument);
  return said().map(({ args }) => args.join(' '));
}

t.test('examples/loader/percpu.mjs prints a number for each CPU', async (t) => {
  const lines = await linesOf(t, 'percpu');
  t.match(lines[0], /^runqueues is a struct rq with BTF id \d+$/);
  const cpus = lines.slice(1).map((line) => /^CPU (\d+): \d+ ready to run$/.exec(line)?.[1]);
  t.strictSame(
    cpus,
    Array.from({ length: machine.kernel.agent.hello.cpus }, (_, cpu) => String(cpu)),
  );
});

t.test('examples/loader/exec-events.mjs prints the programs that are started', async (t) => {
  const lines = await linesOf(t, 'exec-events', 1);
  const names = lines.map((line) => /^\d+ (.*)$/.exec(line)?.[1]);
  // busybox starts its own sleep by its own name, /proc/self/exe.
  t.strictSame(names, ['sh', 'exe']);
});

t.test('examples/loader/block-port.mjs drops what it is told to drop', async (t) => {
  const lines = await linesOf(t, 'block-port', 80);
  t.strictSame(lines.slice(0, 3), [
    'a packet to port 53: pass',
    'a packet to port 80: drop',
    'a packet to port 53: pass',
  ]);
  t.strictSame(lines.slice(3).sort(), ['port 53: 2 packets', 'port 80: 1 packets']);
});

t.test('every example is started with node, is short, and says how; without an object it says what is missing', (t) => {
  const names = readdirSync(EXAMPLES).filter((name) => name.endsWith('.mjs'));
  t.equal(names.length, 3);
  for (const name of names) {
    const text = readFileSync(join(EXAMPLES, name), 'utf8');
    t.ok(text.split('\n').length <= 61, `${name} has at most 60 lines`);
    t.match(text, `clang -target bpf -O2 -g -c ${name.replace('.mjs', '.bpf.c')} && sudo node ${name}`);
  }
  const { status, stderr } = spawnSync(process.execPath, [join(EXAMPLES, 'percpu.mjs'), '/nowhere.o'], {
    encoding: 'utf8',
  });
  t.equal(status, 1);
  t.match(stderr, /\/nowhere\.o: the object cannot be read/);
  t.notMatch(stderr, /\n +at /, 'without a stack trace');
  t.end();
});
