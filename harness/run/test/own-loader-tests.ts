import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { CellResult } from '../../results/results.ts';
import { requirements } from '../../setup/requirements.ts';
import { createRunPlace, runReal } from './real-run.ts';

/** examples/own-loader as its files say, with the loaders that docs/adding-a-loader.md names beside the one in its matrix. */
const EXAMPLE = join(PACKAGE_ROOT, 'examples', 'own-loader');

t.test("a user's own loaders: by exit code, by a script, by the protocol", async (t) => {
  const place = createRunPlace();
  t.teardown(() => place.end());
  const folder = join(place.folder, 'own-loader');
  cpSync(EXAMPLE, folder, { recursive: true });
  for (const name of ['my-loader', 'talking-loader']) {
    // The line that the file itself shows.
    const [, words = ''] = /^\/\/ +clang (.*)$/m.exec(readFileSync(join(folder, `${name}.c`), 'utf8')) ?? [];
    const built = spawnSync('clang', ['-Wall', '-Wextra', '-Werror', ...words.split(' ')], { cwd: folder });
    t.equal(built.status, 0, `${name}: ${built.stderr}`);
  }
  const bpftool = requirements()
    .find(({ name }) => name === 'bpftool')
    ?.find();
  const path = join(folder, 'matrix.yaml');
  const text = readFileSync(path, 'utf8');
  const libbpf = '  - libbpf: "1.5"\n';
  t.ok(text.includes(libbpf), 'a version of a library has its own tests');
  const others = [
    `{ name: talking-loader, command: "./talking-loader {object} {runs}" }`,
    `{ name: bpftool, command: "./load.sh ${bpftool} {object}" }`,
    `{ name: crashing, command: [./crash.sh, "{object}"] }`,
  ];
  writeFileSync(join(folder, 'crash.sh'), '#!/bin/sh\necho on its way >&2\nkill -SEGV $$\n', { mode: 0o755 });
  writeFileSync(
    path,
    text.replace(libbpf, '').replace('\nprograms:', `${others.map((one) => `  - ${one}\n`).join('')}$&`),
  );

  const { results, events } = await runReal(place, path);
  const cellOf = (loader: string, program: string): CellResult | undefined =>
    results.cells.find((cell) => cell.loader === loader && cell.program === program);
  const ours = cellOf('ksym-matrix', 'typeless');
  for (const loader of ['my-loader', 'talking-loader', 'bpftool']) {
    const loaded = cellOf(loader, 'typeless');
    t.match(loaded, { verdict: 'pass', outcome: { class: 'ok' } }, `${loader} loads what can be loaded`);
    t.match(
      cellOf(loader, 'missing'),
      {
        verdict: 'xfail',
        outcome: { phase: 'resolve', class: 'ksym-not-in-kallsyms', extern: 'ksym_matrix_nowhere' },
      },
      `${loader}: why it refuses the other is understood`,
    );
    // What the kernel was handed was seen, whatever the loader says of it.
    t.strictSame(
      loaded?.externs.map(({ name, address }) => [name, address]),
      ours?.externs.map(({ name, address }) => [name, address]),
      `${loader} finds the same address`,
    );
  }
  const addressOf = (cell: CellResult | undefined): string | undefined =>
    cell?.values.find(({ variable }) => variable === 'address')?.value;
  t.match(addressOf(ours), /^0xffffffff/);
  t.equal(addressOf(cellOf('talking-loader', 'typeless')), addressOf(ours), 'values are compared where they are told');
  t.equal(addressOf(cellOf('my-loader', 'typeless')), undefined);
  t.match(cellOf('crashing', 'typeless'), {
    verdict: 'fail',
    outcome: { class: 'loader-crashed', message: /SIGSEGV.*on its way/ },
  });
  t.same(
    events.filter(({ kind }) => kind === 'leftovers'),
    [],
    'the script removes what it pinned',
  );
  const versions = results.loaders.map(({ version }) => version);
  t.ok(
    versions.slice(1).every((version) => /^[0-9a-f]{12}$/.test(version)),
    versions.join(' '),
  );
});
