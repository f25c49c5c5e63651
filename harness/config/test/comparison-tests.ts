import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ExplainedError } from '../../../loader/errors.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { factHolds } from '../fact-condition.ts';
import { FACTS, KERNEL_OPTIONS } from '../fact-registry.ts';
import { suggest } from '../suggest.ts';
import { compareKernelVersions, isInRange, parseKernelVersion, parseVersionRange } from '../version-range.ts';

t.test('versions are compared number by number, and ranges mean what docs/matrix-yaml.md says', (t) => {
  // uname -r and package versions of Debian's kernels.
  t.same(parseKernelVersion('6.12.117+deb13-cloud-amd64'), [6, 12, 117]);
  t.same(parseKernelVersion('7.3.4-1~bpo13+1'), [7, 3, 4]);
  t.same(parseKernelVersion('v6.12-rc3'), [6, 12]);
  t.throws(() => parseKernelVersion('bookworm'), { code: 'bad-kernel-version' });
  t.ok(compareKernelVersions([5, 9], [5, 10]) < 0, '5.9 is older than 5.10');
  t.equal(compareKernelVersions([6, 12], [6, 12, 0]), 0);
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['6.12.117', '6.12', true],
    ['6.1.12', '6.12', false],
    ['6.120.1', '6.12', false],
    ['6.12.3', '6.12.3', true],
    ['6.12.4', '6.12.3', false],
    ['6.2.0', '>=6.2 <6.15', true],
    ['6.14.99', '>=6.2 <6.15', true],
    ['6.15.0', '>=6.2 <6.15', false],
    ['6.12.5', '>6.12', true],
    ['6.12', '>6.12', false],
    ['6.12.5', '<=6.12', false],
    ['5.15.200', '<5.16 || >=6.1', true],
    ['6.0.9', '<5.16 || >=6.1', false],
    ['6.1.0', '<5.16 || >= 6.1', true],
  ];
  for (const [version, range, expected] of cases) {
    t.equal(isInRange(parseKernelVersion(version), parseVersionRange(range)), expected, `${version} in "${range}"`);
  }
  for (const range of ['', '>=', '6', '6.x', '>=6.2,<6.15', '6.2 ||', '6.1 - 6.2', '=>6.1']) {
    t.throws(() => parseVersionRange(range), ExplainedError, `"${range}" is refused`);
  }
  t.end();
});

t.test('a condition on a fact compares as docs/matrix-yaml.md says', (t) => {
  const cases: readonly (readonly [boolean | number | string | undefined, boolean | number | string, boolean])[] = [
    [356, '>0', true],
    [0, '>0', false],
    [3, '>=1 <5', true],
    [5, '>=1 <5', false],
    [3, '!=3', false],
    [4, '!= 3', true],
    [3, '3', true],
    [3, 3, true],
    [3, 4, false],
    [3, true, true],
    [0, false, true],
    [0, true, false],
    [true, true, true],
    [false, true, false],
    ['none', 'none', true],
    ['integrity', '!=none', true],
    ['none', '!=none', false],
    ['y', 'y', true],
    ['m', '!=n', true],
    ['125', '>=122', true],
    ['0', '>=122', false],
    ['125', 125, true],
    ['n', '>=122', false],
    ['n', '!=122', true],
    [undefined, '!=3', false],
    [undefined, false, false],
  ];
  for (const [found, wanted, expected] of cases) {
    t.equal(factHolds(found, wanted), expected, `${JSON.stringify(found)} with ${JSON.stringify(wanted)}`);
  }
  t.end();
});

t.test('docs/matrix-yaml.md has every fact that is recorded, in the same words, and no other', (t) => {
  const text = readFileSync(join(PACKAGE_ROOT, 'docs', 'matrix-yaml.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z][\w.-]*)` \| (number|boolean|text|option) \| (.*) \|$/gm)];
  const described = FACTS.filter(({ type }) => type !== 'option').map(({ name, type, about, values }) => {
    const all = values === undefined ? about : `${about}: ${values.map((value) => `\`${value}\``).join(', ')}`;
    return [name, type, all];
  });
  t.same(
    rows.map(([, name, type, about]) => [name, type, about]),
    described,
  );
  const options = /`config\.NAME`: ((?:`\w+`(?:, )?\s*)+)/.exec(text)?.[1] ?? '';
  t.same(
    [...options.matchAll(/\w+/g)].map(([name]) => name),
    KERNEL_OPTIONS,
  );
  t.end();
});

t.test('a suggestion is given only for a word that is near', (t) => {
  t.equal(suggest('kernel', ['program', 'kernels']), 'kernels');
  t.equal(suggest('preogram', ['program', 'kernels']), 'program');
  t.equal(suggest('erxtern', ['extern']), 'extern');
  t.equal(suggest('zebra', ['program', 'kernels']), undefined);
  t.equal(suggest('x', []), undefined);
  t.end();
});
