import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { BisectReport } from '../../run/bisect.ts';
import { processesWith } from '../../vm/test/host.ts';
import { createPlace } from './command.ts';

t.test(
  'bisect finds the first kernel with variables in its BTF, and looks at no more kernels than it must',
  async (t) => {
    const place = createPlace();
    t.teardown(() => place.end());
    const folder = join(place.folder, 'history');
    mkdirSync(folder);
    symlinkSync(join(PACKAGE_ROOT, 'programs'), join(folder, 'programs'));
    const matrix = join(folder, 'matrix.yaml');
    // Debian serves no 6.2. The newest comes first, and one is of another flavour.
    const kernels = ['"6.12"', '"6.2"', '"5.10"', '"6.1"', '"6.12", flavour: generic'];
    writeFileSync(
      matrix,
      `kernels: [${kernels.map((kernel) => `{debian: ${kernel}}`).join(', ')}]\nprograms: [typed-int-percpu, maps-and-globals]\n`,
    );
    const bisect = (...args: readonly string[]) => place.run(['bisect', '-m', matrix, ...args]);
    const [found, stepped, none, ...wrong] = await Promise.all([
      bisect('typed-int-percpu', '-k', '5.10', '6.1', '6.12*'),
      bisect('typed-int-percpu', '-k', '5.10', '6.2', '6.12', '--json'),
      bisect('maps-and-globals', '--from', '6.1', '--to', '5.10', '--json'),
      bisect('typed-int-percpux'),
      bisect('typed-int-percpu@nix'),
      bisect('typed-int-percpu', '--to', '6.13'),
      bisect('typed-int-percpu', '-k', '5.10'),
      bisect('typed-int-percpu', '--loader', 'libbpf-1.5'),
    ]);

    t.equal(found.code, 0, 'a change is found', { stdout: found.stdout, stderr: found.stderr });
    const lines = found.stdout.split('\n');
    t.equal(lines[0], 'typed-int-percpu over 3 kernels, 5.10 … 6.12 (Debian cloud): both ends, then at most 1 step');
    t.equal(lines[1], 'not in this row, and left out: 6.12-generic');
    t.match(lines[2], /^ {2}1 {2}5\.10 .*✗ btf-has-no-vars in phase resolve {2}\d+\.\d s$/);
    t.match(lines[3], /^ {2}2 {2}6\.12 .*✓ works/);
    t.match(lines[4], /^ {2}3 {2}6\.1 .*✓ works/);
    t.equal(
      lines[6],
      '6.1 is the first kernel on which typed-int-percpu changes: ✗ btf-has-no-vars in phase resolve → ✓ works',
    );
    t.match(found.stdout, /\n5\.10 \(5\.10\.0-.*Debian .*\): ✗ btf-has-no-vars.*\n +○ xfail: /);
    t.match(found.stdout, /\n6\.1 \(6\.1\.0-.*\): ✓ works\n +✔ pass: /);
    t.match(found.stdout, /\n +btf\.vars +0 → [1-9]\d\d\n/);
    const evidence = [...found.stdout.matchAll(/evidence: (.*)/g)].map(([, path = '']) => path);
    t.ok(evidence.length >= 4 && evidence.every((path) => existsSync(path)), 'all of the evidence is there', {
      evidence,
    });
    t.notMatch(found.stdout + found.stderr, '\u001b');

    t.equal(stepped.code, 0, 'exit code', { stderr: stepped.stderr });
    const report = JSON.parse(stepped.stdout) as BisectReport;
    t.equal(report.loader, 'ksym-matrix');
    t.same(report.kernels, ['5.10', '6.2', '6.12'], 'in the order of history');
    t.match(report.steps, [{ kernel: '5.10' }, { kernel: '6.12', outcome: 'works' }, { kernel: '6.2', outcome: null }]);
    t.match(report.finding, {
      kind: 'change',
      before: { item: '5.10' },
      after: { item: '6.12', evidence: { cell: { verdict: 'pass' }, kernel: { facts: { 'btf.present': true } } } },
      between: ['6.2'],
      skipped: [{ item: '6.2', why: /6\.2/ }],
    });
    t.match(stepped.stderr, 'skipped: ', 'with --json the steps are told on stderr');

    t.equal(none.code, 1, 'exit code', { stderr: none.stderr });
    t.match(JSON.parse(none.stdout), { finding: { kind: 'no-change', oldest: { item: '5.10', answer: 'works' } } });

    t.same(
      wrong.map(({ code, stdout }) => [code, stdout]),
      wrong.map(() => [2, '']),
    );
    const said = wrong.map(({ stderr }) => stderr);
    t.match(said, [
      /did you mean "typed-int-percpu"/,
      /unknown variant "nix"/,
      /unknown kernel "6\.13"/,
      /at least two kernels/,
      /unknown loader "libbpf-1\.5" \(known: ksym-matrix\)/,
    ]);
    t.notOk(existsSync(join(place.cache, 'runs')), 'what `logs` and `ranges` look at is left alone');
    t.same(processesWith(place.folder), [], 'no machine is left');
  },
);
