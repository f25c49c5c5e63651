import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const LOADER = join(dirname(fileURLToPath(import.meta.url)), '..');

t.test('the library is imported by its name, without the harness', (t) => {
  const script =
    "const loader = await import('ksym-matrix/loader'); console.log(Object.keys(loader).sort().join(' '));";
  const names = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: LOADER,
    encoding: 'utf8',
  });
  for (const name of [
    'parseObject',
    'resolveExterns',
    'loadObject',
    'readKernelFacts',
    'startLocalAgent',
    'connectAgent',
    'buildAgent',
    'Btf',
    'Kallsyms',
  ]) {
    t.match(names, new RegExp(`\\b${name}\\b`), name);
  }
  t.end();
});

t.test('the library imports nothing but Node and itself', (t) => {
  for (const file of compiledFiles(LOADER)) {
    const imports = [...readFileSync(file, 'utf8').matchAll(/^(?:import|export) .*?from '([^']+)'/gm)].map(
      (match) => match[1] ?? '',
    );
    for (const specifier of imports) {
      const target = specifier.startsWith('.') ? join(dirname(file), specifier) : specifier;
      t.ok(specifier.startsWith('node:') || target.startsWith(`${LOADER}/`), `${file} imports ${specifier}`);
    }
  }
  t.end();
});

/** The library's own modules, without its tests. */
function compiledFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === 'test' ? [] : compiledFiles(path);
    return name.endsWith('.js') ? [path] : [];
  });
}
