import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseElf } from '../../../loader/elf/elf.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { Turn } from '../loader-worker.ts';

t.test('libbpf and the loader are given the same work, and both say how long each turn took', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ksym-bench-loader-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  const [source, object, btf] = [file('one.bpf.c'), file('one.bpf.o'), file('one.btf')];
  const [kallsyms, program] = [file('kallsyms'), file('libbpf-bench')];
  writeFileSync(
    source,
    'int one = 1; int two = 2; __attribute__((section("socket"))) int main(void) { return one + two; }\n',
  );
  execFileSync('clang', ['-target', 'bpf', '-g', '-O2', '-c', source, '-o', object]);
  writeFileSync(kallsyms, 'ffffffff81000000 T first\nffffffff81000010 t second\t[module]\nffffffff81000020 d third\n');
  const bench = join(PACKAGE_ROOT, 'harness', 'bench', 'libbpf-bench.c');
  execFileSync('clang', ['-O2', '-Wall', '-Werror', bench, '-o', program, '-lbpf']);
  const worker = fileURLToPath(new URL('../loader-worker.js', import.meta.url));
  const section = parseElf(readFileSync(object), object).sections.find(({ name }) => name === '.BTF');
  writeFileSync(btf, section?.data ?? new Uint8Array());
  for (const args of [
    ['btf', btf, 'one', 'two'],
    ['kallsyms', kallsyms, 'third', 'second'],
    ['open', object],
  ]) {
    const theirs = execFileSync(program, ['3', ...args], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
    const ours: Turn[] = JSON.parse(execFileSync(process.execPath, [worker, '3', ...args], { encoding: 'utf8' }));
    t.equal(theirs.length, 3);
    t.ok(theirs.every((value) => value > 0 && value < 10_000));
    t.equal(ours.length, 3);
    for (const { all = 0, ...parts } of ours) {
      const sum = Object.values(parts).reduce((total, value) => total + value, 0);
      t.ok(all >= sum && sum > 0 && Object.keys(parts).length >= 2, JSON.stringify(parts));
    }
  }
  for (const [args, what] of [
    [['btf', btf, 'three'], 'a variable'],
    [['kallsyms', kallsyms, 'fourth'], 'a symbol'],
  ] as const) {
    const missing = { stdio: 'ignore' } as const;
    t.throws(() => execFileSync(program, ['1', ...args], missing), `libbpf's side fails without ${what}`);
    t.throws(() => execFileSync(process.execPath, [worker, '1', ...args], missing), `and so does ours`);
  }
  t.end();
});
