import t from 'tap';
import type { ExternOutcome, ExternResolution } from '../../../loader/resolve/outcome.ts';
import { type AskedExtern, parseExternPhrase, phraseHolds } from '../extern-phrase.ts';
import { loadMatrix } from '../load.ts';
import { complainOfLoaderRange, isLoaderVersionIn } from '../loader-version.ts';
import { complaint, folder } from './matrix-folder.ts';

const MISSING: ExternOutcome = { result: 'null', reason: 'VAR_NOT_IN_BTF', explanation: '', fix: '' };
const AT_ZERO: ExternOutcome = { result: 'address', address: 0n };
const IN_MODULE: ExternOutcome = { result: 'btf-id', id: 7, module: 'dummy', type: 'int', declaration: '' };
const HIDDEN: ExternOutcome = { result: 'error', reason: 'KALLSYMS_RESTRICTED', explanation: '', fix: '' };

function extern(kind: ExternResolution['kind'], outcome: ExternOutcome, weak: boolean = false): ExternResolution {
  return { name: 'x', kind, weak, outcome };
}

t.test('a phrase asks for an extern that is all of what it says', (t) => {
  const mixed = [extern('typeless', AT_ZERO), extern('typed', MISSING, true)];
  const holds = (text: string, externs: readonly AskedExtern[]): boolean => {
    const phrase = parseExternPhrase(text);
    t.ok(phrase, text);
    return phrase !== undefined && phraseHolds(phrase, externs);
  };
  t.ok(holds('typeless', mixed));
  t.ok(holds('weak typed missing', mixed));
  t.notOk(holds('strong typed', mixed), 'the strong one is typeless, the typed one weak');
  t.notOk(holds('weak typeless', mixed));
  t.ok(holds('zero', mixed));
  t.ok(holds('typeless found', mixed), 'an address of 0 is one');
  t.notOk(holds('no typed', mixed));
  t.ok(holds('no kfunc', mixed));
  t.ok(holds('no typed', []));
  t.ok(holds('typed module', [extern('typed', IN_MODULE)]));
  t.notOk(holds('typed vmlinux', [extern('typed', IN_MODULE)]));
  t.ok(holds('const typeless', [{ ...extern('typeless', AT_ZERO), isConst: true }]));
  t.notOk(holds('const typeless', [{ ...extern('typed', MISSING), isConst: true }, extern('typeless', AT_ZERO)]));
  t.ok(holds('weak typed missing listed', [{ ...extern('typed', MISSING, true), isListed: true }]));
  t.notOk(holds('listed', [extern('typed', MISSING, true)]), 'its name is not in kallsyms');
  t.ok(holds('any', [extern('kfunc', MISSING)]));
  t.notOk(holds('any', []));
  t.ok(holds('no any', []));
  t.ok(holds('hidden', [extern('typeless', HIDDEN)]));
  t.notOk(holds('missing', [extern('typeless', HIDDEN)]), 'what is hidden is there');
  t.end();
});

t.test('words that are unknown, or two of a sort, are no phrase', (t) => {
  for (const text of ['', 'no', 'typless', 'weak strong', 'typed typed', 'typed kfunc', 'weak, typed', 'any typed']) {
    t.equal(parseExternPhrase(text), undefined, JSON.stringify(text));
  }
  t.end();
});

t.test("a loader's version lies in a range by its numbers", (t) => {
  t.ok(isLoaderVersionIn('0.22.0+ds1', '0.22'));
  t.ok(isLoaderVersionIn('0.22.0+ds1', '>=0.17 <1.0'));
  t.notOk(isLoaderVersionIn('0.11.0', '>=0.17'), '11 is less than 17, though not by the alphabet');
  t.ok(isLoaderVersionIn('1.1.2', '<0.5 || 1.1'));
  t.notOk(isLoaderVersionIn('1.10.0', '1.1'));
  t.notOk(isLoaderVersionIn('0.10.0', '>=0.9 <0.10'), 'an end is not part of it');
  t.ok(isLoaderVersionIn('0.9.1', '>=0.9 <0.10'));
  t.notOk(isLoaderVersionIn('1.4.6', '>=0.5 <1.4'), 'a release of a line is not before it');
  t.notOk(isLoaderVersionIn('1.4.6', '<=1.4'), 'but after its first');
  t.ok(isLoaderVersionIn('1.4', '1.4'));
  t.ok(isLoaderVersionIn('v0.3', '<=0.3'));
  t.notOk(isLoaderVersionIn('3fa9c0de1122', '>=0.1'), 'a digest is no version, though it begins with a number');
  t.notOk(isLoaderVersionIn('', '>=0.0'));
  t.equal(complainOfLoaderRange('>=0.2 <1.2'), undefined);
  t.match(complainOfLoaderRange('^1.2'), /"\^1.2" is no range of versions/);
  t.end();
});

const KNOWN =
  'id: a-b, loader: libbpf, outcome: works, what: it does otherwise, why: because it was written so, source: [lib.c 1.5]';

t.test('a matrix may know differences of its own', async (t) => {
  const path = folder(
    t,
    `kernels: [{debian: "6.12"}]\nprograms: [one]\ndifferences:\n  - {${KNOWN}, versions: "<1.2", externs: [typeless, weak typed missing], when: {variant: default, btf.vars: true}}\n`,
  );
  const { differences } = await loadMatrix(path);
  t.match(differences, [{ id: 'a-b', versions: '<1.2', externs: ['typeless', 'weak typed missing'] }]);
});

for (const [what, text, message] of [
  ['an unknown word about externs', `{${KNOWN}, externs: [typless]}`, /externs\[0\]: "typless" is not understood/],
  ['a range that is none', `{${KNOWN}, versions: "~1"}`, /versions: "~1" is no range of versions/],
  ['a variant that there is not', `{${KNOWN}, when: {variant: strct}}`, /when\.variant: unknown variant "strct"/],
  [
    'a cause that is not told',
    `{${KNOWN.replace('why: because it was written so, ', '')}}`,
    /differences\[0\].why: missing/,
  ],
  [
    'an unknown class',
    `{${KNOWN.replace('works', '{phase: load, class: verifier-rejectd}')}}`,
    /did you mean "verifier-rejected"/,
  ],
  [
    'what externs resolve to, of none',
    `{${KNOWN}, externs: [no typed], resolves: "null"}`,
    /differences\[0\].resolves: `externs` names none that could resolve to it/,
  ],
  ['an id that is there twice', `{${KNOWN}}\n  - {${KNOWN}}`, /differences\[1\].id: "a-b" is there twice/],
] as const) {
  t.test(`differences: ${what} is told at its place`, async (t) => {
    const path = folder(t, `kernels: [{debian: "6.12"}]\nprograms: [one]\ndifferences:\n  - ${text}\n`);
    t.match(await complaint(path), message);
  });
}

const LOADERS = (entries: string): string => `kernels: [{debian: "6.12"}]\nprograms: [one]\nloaders: ${entries}\n`;

t.test('a loader of one’s own may be like a version of a library', async (t) => {
  const entries = '[{command: "./a {object}", like: {libbpf: "1.5"}}, {libbpf: {path: ./b}}, ksym-matrix]';
  const { loaders } = await loadMatrix(folder(t, LOADERS(entries)));
  t.strictSame(
    loaders.map(({ name, like }) => [name, like]),
    [
      ['a', { library: 'libbpf', version: '1.5' }],
      ['libbpf-local', undefined],
      ['ksym-matrix', undefined],
    ],
  );
});

for (const [what, entries, message] of [
  [
    'a library of Debian',
    '[{libbpf: "1.5", like: {libbpf: "1.4"}}]',
    /loaders\[0\]\.like: a version of Debian's is what/,
  ],
  ['a build of another library', '[{libbpf: {path: b}, like: {cilium/ebpf: "0.22"}}]', /a build of libbpf is like/],
  ['two libraries', '[{command: "./a {object}", like: {libbpf: "1", cilium/ebpf: "0.2"}}]', /one library and its/],
  ['none', '[{command: "./a {object}", like: {}}]', /one library and its version are wanted/],
  ['a number', '[{command: "./a {object}", like: {libbpf: 1.5}}]', /put it in quotes, as in "1\.5"/],
] as const) {
  t.test(`like: ${what} is told at its place`, async (t) => {
    t.match(await complaint(folder(t, LOADERS(entries))), message);
  });
}

for (const [what, entries, message] of [
  ['no object', '[{command: "./a"}]', /loaders\[0\]\.command: `\{object\}` has to stand in it/],
  ['two loaders in one', '[{command: "./a {object}", libbpf: "1.5"}]', /this one has two: libbpf and command/],
  ['neither', '[{name: a}]', /a loader is `ksym-matrix`, or has one of the keys/],
  [
    'a program that has the name of a library',
    '[{command: "./a {object}", name: libbpf}]',
    /"libbpf" is a library: give the program another name, and say `like: \{ libbpf: VERSION \}`/,
  ],
  [
    'a name that is there twice',
    '[libbpf: "1.5", {libbpf: {path: b}, name: libbpf-1.5}]',
    /another loader of the name/,
  ],
] as const) {
  t.test(`loaders: ${what} is told at its place`, async (t) => {
    t.match(await complaint(folder(t, LOADERS(entries))), message);
  });
}
