/*
 * What the bench `loader` runs in a process of its own, so that its first turn is a cold one: `node loader-worker.js TURNS TASK FILE …`, with the tasks of
 * libbpf-bench.c. Prints the milliseconds of each turn, and what each part of it took, as JSON.
 */
import { readFileSync } from 'node:fs';
import { Btf, Kallsyms, ObjectSpec, resolveExterns } from '../../loader/index.ts';

/** Milliseconds by what they went into; `all` is their sum. */
export type Turn = Readonly<Record<string, number>>;

/** Where a kernel shows its BTF. */
const KERNEL_BTF = '/sys/kernel/btf/vmlinux';

const [turns = '1', task = '', file = '', ...names] = process.argv.slice(2);
const measured: Turn[] = [];
for (let turn = 0; turn < Number(turns); turn++) measured.push(run());
process.stdout.write(JSON.stringify(measured));

function run(): Turn {
  const parts: Record<string, number> = {};
  const started = performance.now();
  const time = <T>(part: string, work: () => T): T => {
    const start = performance.now();
    const result = work();
    parts[part] = performance.now() - start;
    return result;
  };
  if (task === 'btf') {
    const bytes = time('read BTF', () => readFileSync(file));
    const btf = time('index types', () => Btf.parse(bytes));
    for (const name of names) time(`look up ${name}`, () => need(btf.find(name, 'var'), name));
  } else if (task === 'kallsyms') {
    const bytes = time('read kallsyms', () => readFileSync(file));
    const kallsyms = time('check lines', () => Kallsyms.parse(bytes));
    for (const name of names) time(`look up ${name}`, () => need(kallsyms.find(name)[0], name));
  } else {
    const bytes = time('read object', () => readFileSync(file));
    const spec = time('parse object', () => ObjectSpec.parse(bytes, file));
    if (task === 'resolve') {
      const kernel = time('read kernel BTF', () => readFileSync(KERNEL_BTF));
      const vmlinuxBtf = time('index kernel BTF', () => Btf.parse(kernel, { name: 'vmlinux' }));
      const facts = { kallsyms: null, vmlinuxBtf, moduleBtfs: [], moduleBtfsUnavailable: null, btfIdLoads: true };
      for (const { name, outcome } of time('resolve externs', () => resolveExterns(spec, facts))) {
        need(outcome.result === 'btf-id' ? outcome : undefined, name);
      }
    }
  }
  return { ...parts, all: performance.now() - started };
}

function need<T>(found: T | undefined, name: string): T {
  if (found === undefined) throw new TypeError(`${name} is not there`);
  return found;
}
