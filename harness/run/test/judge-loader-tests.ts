import t from 'tap';
import type { ExternResolution } from '../../../loader/resolve/outcome.ts';
import { type KnownDifference, knownDifferences } from '../../loaders/differences.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { judgeCell } from '../judge-cell.ts';
import { findLoaderExpectation, judgeLoader, type LoaderExpectation } from '../judge-loader.ts';
import { findDifference, type LoaderSituation } from '../known-differences.ts';
import type { Outcome } from '../outcome.ts';
import { unusedDifferences } from '../used-differences.ts';
import { STATE } from './fake-machine.ts';
import { OK, OURS, sampleProgram, selected, WORKS } from './samples.ts';

const HERE: LoaderSituation = {
  version: [6, 12, 3],
  variant: 'default',
  facts: {},
  family: 'libbpf',
  loaderVersion: '1.5.0',
  program: 'typeless-one',
  spec: null,
  externs: [],
};

const DIFFERENCE: KnownDifference = {
  id: 'libbpf-does-otherwise',
  loader: 'libbpf',
  outcome: { phase: 'load', class: 'verifier-rejected', errno: 'EINVAL', message: 'pseudo btf_id' },
  what: 'libbpf gives the verifier id 0.',
  why: 'It takes the address of kallsyms for an answer.',
  source: ['src/libbpf.c 1.5'],
  from: 'built-in',
};

function failed(kind: Outcome['class'], more: Partial<Outcome> = {}): Outcome {
  return { phase: 'load', class: kind, message: `libbpf-1.5: ${kind} happened`, resolutions: [], ...more };
}

const REJECTED = failed('verifier-rejected', { errno: 'EINVAL', verifierLog: "pseudo btf_id 0 isn't KIND_VAR" });

t.test('a difference applies where its loader, version, program, variant, section and externs are', (t) => {
  const weakMissing: ExternResolution = {
    name: 'jiffies',
    kind: 'typed',
    weak: true,
    outcome: { result: 'null', reason: 'VAR_NOT_IN_BTF', explanation: '', fix: '' },
  };
  const there = { ...HERE, externs: [weakMissing] };
  const applies = (more: Partial<KnownDifference>, at: LoaderSituation = there): boolean =>
    findDifference([{ ...DIFFERENCE, ...more }], at) !== undefined;
  t.ok(applies({}));
  t.notOk(applies({ loader: 'cilium/ebpf' }));
  t.notOk(applies({ versions: '<1.5' }));
  t.ok(applies({ versions: '1.5' }));
  t.ok(applies({ programs: ['typed-*', 'typeless-*'] }));
  t.notOk(applies({ programs: ['typed-*'] }));
  t.notOk(applies({ when: { kernel: '<6.12' } }));
  t.ok(applies({ when: { kernel: '6.12', variant: ['default', 'strict'] } }));
  t.ok(applies({ externs: ['weak typed missing', 'no typeless'] }));
  t.notOk(applies({ externs: ['weak typed missing', 'typeless'] }), 'all phrases must hold');
  t.notOk(applies({ sections: ['tc'] }), 'an object that cannot be read has no section');
  t.end();
});

t.test('a loader that is like a library has the known differences of that version, and its own', (t) => {
  const own: LoaderSituation = {
    ...HERE,
    family: 'mine',
    loaderVersion: '3fa9c0de1122',
    like: { library: 'libbpf', version: '1.4' },
  };
  const applies = (more: Partial<KnownDifference>, at: LoaderSituation = own): boolean =>
    findDifference([{ ...DIFFERENCE, ...more }], at) !== undefined;
  t.ok(applies({ versions: '<1.5' }));
  t.notOk(applies({ versions: '1.5' }));
  t.notOk(applies({ loader: 'cilium/ebpf' }));
  t.ok(applies({ loader: 'mine' }));
  t.notOk(applies({ loader: 'mine', versions: '1.4' }), 'its own version is a digest');
  t.notOk(applies({}, { ...own, like: undefined }), 'by its name alone it is no libbpf');
  const branch: LoaderSituation = { ...own, family: 'libbpf', loaderVersion: 'unknown' };
  t.ok(applies({ versions: '1.4' }, branch), 'a local build whose version nothing tells');
  t.end();
});

t.test('the first difference counts, those of the matrix before what is built in, and then the program', async (t) => {
  const program = sampleProgram('typeless-one');
  const own: KnownDifference = { ...DIFFERENCE, id: 'mine', outcome: 'works', from: 'matrix' };
  t.match(findLoaderExpectation(program, [], [own, DIFFERENCE], HERE), { source: 'differences: mine' });
  t.match(findLoaderExpectation(program, [], [], HERE), { source: 'programs/typeless-one.yaml expect[0]' });
  const exceptions = [{ when: {}, outcome: 'works' as const, reason: 'of the matrix', program: undefined }];
  t.match(findLoaderExpectation(program, exceptions, [], HERE), { source: 'matrix.yaml exceptions[0]' });
  const all = await knownDifferences([{ ...DIFFERENCE, id: 'mine' }]);
  t.equal(all[0]?.id, 'mine');
  t.same(new Set(all.slice(1).map(({ from }) => from)), new Set(all.length > 1 ? ['built-in'] : []));
});

/** What is expected of a program with any loader. */
function expect(outcome: LoaderExpectation['outcome']): LoaderExpectation {
  return { outcome, externs: {}, reason: 'because I say so', source: 'here' };
}

t.test('what a program expects of any loader is compared by kinds of answers', (t) => {
  const verdict = (outcome: Outcome, expected: LoaderExpectation['outcome']): string =>
    judgeLoader(outcome, expect(expected), []).verdict;
  const noVars = { phase: 'resolve', class: 'btf-has-no-vars', extern: 'x' } as const;
  t.equal(verdict(failed('ksym-not-in-btf', { extern: 'x' }), noVars), 'xfail', 'not every loader tells why');
  t.equal(verdict(failed('ksym-not-in-btf', { extern: 'y' }), noVars), 'fail', 'it is about another extern');
  t.equal(verdict(failed('ksym-not-in-kallsyms', { extern: 'x' }), noVars), 'fail');
  t.equal(verdict(failed('loader-lacks-feature'), noVars), 'fail', 'what a loader cannot do is a difference');
  t.equal(verdict(OK, noVars), 'xpass');
  t.equal(verdict(failed('btf-missing'), noVars), 'fail', 'the kernel has BTF: the loader could not read it');
  const hidden = { phase: 'resolve', class: 'kallsyms-hidden' } as const;
  t.equal(verdict(failed('ksym-not-in-kallsyms'), hidden), 'fail', 'hidden is not absent');
  const rejected = { phase: 'load', class: 'verifier-rejected', errno: 'EACCES', log: 'rdonly_mem' } as const;
  const log = 'R0 cannot write into rdonly_mem';
  t.equal(verdict(failed('verifier-rejected', { errno: 'EACCES', verifierLog: log }), rejected), 'xfail');
  t.equal(verdict(failed('load-refused', { errno: 'EACCES' }), rejected), 'xfail', 'it asked for no log');
  t.equal(verdict(failed('verifier-rejected', { errno: 'EINVAL', verifierLog: log }), rejected), 'fail');
  t.equal(verdict(failed('verifier-rejected', { errno: 'EACCES', verifierLog: 'R1' }), rejected), 'fail');
  const address = { phase: 'resolve', class: 'ksym-address-unavailable' } as const;
  const found = 'ldimm64 failed to find the address for kernel symbol';
  t.equal(verdict(failed('verifier-rejected', { verifierLog: `${found} 'x'.` }), address), 'xfail');
  t.equal(verdict(failed('verifier-rejected', { verifierLog: 'R1 type=inv' }), address), 'fail');
  t.equal(verdict(failed('verifier-rejected'), 'works'), 'fail');
  t.equal(verdict(failed('kernel-panic'), 'works'), 'panic');
  t.equal(verdict(failed('infra'), 'works'), 'infra');
  t.equal(judgeLoader(OK, undefined, []).verdict, 'fail', 'every cell must be covered');
  t.end();
});

t.test('a loader may stop at another extern that cannot be had', (t) => {
  const broken = (name: string): ExternResolution => ({
    name,
    kind: 'typeless',
    weak: false,
    outcome: { result: 'error', reason: 'NOT_IN_KALLSYMS', explanation: '', fix: '' },
  });
  const expected = expect({ phase: 'resolve', class: 'ksym-not-in-kallsyms', extern: 'x' });
  const outcome = failed('ksym-not-in-kallsyms', { extern: 'y' });
  t.equal(judgeLoader(outcome, expected, [broken('x')]).verdict, 'fail');
  t.equal(judgeLoader(outcome, expected, [broken('x'), broken('y')]).verdict, 'xfail');
  t.end();
});

t.test('what externs resolved to is compared where the observer saw it, and address 0 is NULL', (t) => {
  const expected = { ...expect('works'), externs: { x: 'null' as const, y: 'btf-id' as const } };
  const seen = (externs: Outcome['externs']): string =>
    judgeLoader({ ...OK, externs: externs ?? [] }, expected, []).verdict;
  const head = { kind: 'typeless', weak: true } as const;
  t.equal(seen([]), 'pass');
  t.equal(seen([{ ...head, name: 'x', result: 'address', address: '0x0' }]), 'pass');
  t.equal(seen([{ ...head, name: 'x', result: 'address', address: '0x10' }]), 'fail');
  t.equal(seen([{ ...head, name: 'y', result: 'null' }]), 'fail');
  const start: ExternResolution = { ...head, name: 'z', outcome: { result: 'address', address: 0n } };
  const none = { ...OK, externs: [{ ...head, name: 'z', result: 'null' as const }] };
  const address = { ...expect('works'), externs: { z: 'address' as const } };
  t.equal(judgeLoader(none, address, [start]).verdict, 'pass', 'nobody can tell them apart');
  t.equal(judgeLoader(none, address, []).verdict, 'fail');
  t.end();
});

t.test('what the kernel got is held against our own rules, unless a known difference says otherwise', (t) => {
  const head = { name: 'x', kind: 'typeless', weak: false } as const;
  const rule: ExternResolution = { ...head, outcome: { result: 'address', address: 0x10n } };
  const id = { result: 'btf-id', id: 7, type: 'int', declaration: 'int y' } as const;
  const typed: ExternResolution = { ...head, name: 'y', kind: 'typed', outcome: { ...id, module: null } };
  const ofModule: ExternResolution = { ...typed, outcome: { ...id, module: 'dummy' } };
  const hidden: ExternResolution = {
    ...head,
    outcome: { result: 'error', reason: 'KALLSYMS_RESTRICTED', explanation: '', fix: '' },
  };
  const saw = (more: Partial<NonNullable<Outcome['externs']>[number]>): Outcome => ({
    ...OK,
    externs: [{ ...head, result: 'address', ...more }],
  });
  const y = { name: 'y', kind: 'typed', result: 'btf-id', btfId: 7 } as const;
  const verdict = (outcome: Outcome, rules: ExternResolution[], difference?: Partial<KnownDifference>): string => {
    const known =
      difference === undefined ? {} : { difference: { ...DIFFERENCE, outcome: 'works' as const, ...difference } };
    return judgeLoader(outcome, { ...expect('works'), ...known }, rules).verdict;
  };
  t.equal(verdict(saw({ address: '0x10' }), [rule]), 'pass');
  t.equal(verdict(saw({ address: '0x20' }), [rule]), 'fail');
  t.equal(verdict(saw({ result: 'null' }), [rule]), 'fail');
  t.equal(verdict(saw(y), [typed]), 'pass');
  t.equal(verdict(saw({ ...y, btfId: 8 }), [typed]), 'fail');
  t.equal(verdict(saw(y), [ofModule]), 'fail', "a module's ids are its own");
  t.equal(verdict(saw({ ...y, module: 'dummy' }), [ofModule]), 'pass');
  t.equal(verdict(saw({ result: 'null' }), [hidden]), 'pass', 'what our rules refuse is no measure');
  t.equal(verdict(OK, [rule]), 'pass', 'nobody saw it');
  const about = { externs: ['typeless hidden'], resolves: 'null' } as const;
  t.equal(verdict(saw({ result: 'null' }), [hidden], { ...about, externs: [...about.externs] }), 'pass');
  t.equal(verdict(saw({ address: '0x30' }), [hidden], { ...about, externs: [...about.externs] }), 'fail');
  t.equal(verdict(saw({ address: '0x30' }), [rule], { externs: ['typeless'] }), 'fail', 'it says nothing of values');
  t.equal(
    verdict(
      {
        ...OK,
        externs: [
          { ...head, result: 'null' },
          { ...head, ...y, btfId: 9 },
        ],
      },
      [hidden, typed],
      {
        ...about,
        externs: [...about.externs],
      },
    ),
    'fail',
    'it is about another extern',
  );
  const wrong: Outcome = { ...saw({ address: '0x30' }), phase: 'check', class: 'wrong-value' };
  const toFail = {
    externs: ['typeless hidden'],
    resolves: 'null',
    outcome: { phase: 'check', class: 'wrong-value' },
  } as const;
  const expected = {
    ...expect(toFail.outcome),
    difference: { ...DIFFERENCE, ...toFail, externs: [...toFail.externs] },
  };
  t.equal(judgeLoader(wrong, expected, [hidden]).verdict, 'fail', 'the wrong value has another cause');
  t.equal(judgeLoader({ ...wrong, externs: [{ ...head, result: 'null' }] }, expected, [hidden]).verdict, 'xfail');
  const toWork = { ...expect('works'), difference: { ...expected.difference, outcome: 'works' } } as const;
  t.equal(
    judgeLoader({ ...wrong, externs: [{ ...head, result: 'null' }] }, toWork, [hidden]).verdict,
    'xfail',
    'it looks',
  );
  t.equal(judgeLoader(wrong, toWork, [hidden]).verdict, 'fail', 'the extern is something else');
  t.equal(judgeLoader({ ...wrong, externs: [] }, toWork, [hidden]).verdict, 'fail', 'nobody saw the extern');
  const crashed: Outcome = { ...saw({ result: 'null' }), phase: 'load', class: 'loader-crashed' };
  t.equal(judgeLoader(crashed, toWork, [hidden]).verdict, 'fail', 'it is about values alone');
  t.end();
});

t.test('a known difference is compared exactly, and says so', (t) => {
  const expected = findLoaderExpectation(sampleProgram('typeless-one'), [], [DIFFERENCE], HERE);
  const said = { ...REJECTED, message: 'libbpf-1.5: pseudo btf_id 0' };
  const right = judgeLoader(said, expected, []);
  t.equal(right.verdict, 'xfail');
  t.match(right.why, /known difference libbpf-does-otherwise: libbpf gives the verifier id 0\. It takes/);
  t.equal(
    judgeLoader({ ...REJECTED, printed: { log: 'pseudo btf_id 0', document: null } }, expected, []).verdict,
    'xfail',
  );
  const words = judgeLoader({ ...REJECTED, message: 'another complaint' }, expected, []);
  t.equal(words.verdict, 'fail');
  t.match(words.why, /"pseudo btf_id" among the loader's words, but it is not there, by known difference libbpf-does/);
  t.equal(judgeLoader({ ...said, errno: 'EPERM' }, expected, []).verdict, 'fail');
  t.equal(judgeLoader({ ...said, class: 'load-refused' }, expected, []).verdict, 'fail', 'no kinds here');
  const outdated = judgeLoader(OK, expected, []);
  t.equal(outdated.verdict, 'xpass');
  t.match(outdated.why, /known difference libbpf-does-otherwise does not hold here/);
  t.end();
});

t.test('each loader is judged by its family and version; ours by the program alone', (t) => {
  const program = sampleProgram('typeless-one', ['default'], [WORKS]);
  const variant = { name: 'default', sysctl: {}, boot: [] };
  const kernel = selected('6.12');
  const alone: KnownDifference = { ...DIFFERENCE, id: 'ours-alone', loader: 'ksym-matrix', outcome: 'works' };
  const options = {
    matrix: { exceptions: [] },
    compiled: new Map(),
    loaders: [{ name: 'old', family: 'libbpf', version: '0.3.0' }],
    differences: [{ ...DIFFERENCE, versions: '<1.0' }, alone],
  };
  const attempt = { state: STATE, durationMs: 1, console: null, consoleLines: [], splats: [], leftovers: [] };
  const old = { name: 'old', request: { kind: 'libbpf' as const, version: '0.3' } };
  const other = judgeCell({ kernel, program, variant, loader: old }, { ...attempt, outcome: OK }, options);
  t.equal(other.verdict, 'xpass');
  t.equal(other.difference?.id, 'libbpf-does-otherwise');
  const missing = failed('module-missing', { phase: 'boot' });
  const before = judgeCell({ kernel, program, variant, loader: old }, { ...attempt, outcome: missing }, options);
  t.equal(before.difference, undefined, 'the loader was not asked');
  t.equal(before.expected?.source, 'programs/typeless-one.yaml expect[0]');
  const ours = judgeCell({ kernel, program, variant, loader: OURS }, { ...attempt, outcome: OK }, options);
  t.equal(ours.verdict, 'pass');
  t.equal(ours.expected?.source, 'programs/typeless-one.yaml expect[0]');
  t.equal(ours.difference?.id, 'ours-alone');
  const wrong = judgeCell({ kernel, program, variant, loader: OURS }, { ...attempt, outcome: REJECTED }, options);
  t.equal(wrong.verdict, 'fail');
  t.equal(wrong.difference, undefined, 'what ours does not do explains nothing');
  t.end();
});

t.test(
  'a difference that no cell needed is told of loaders that were run, and of what is built in in our own matrices',
  (t) => {
    const own: KnownDifference = { ...DIFFERENCE, id: 'mine', from: 'matrix' };
    const of = (path: string, version: string, unavailable: string | null, used: string[]): string[] =>
      unusedDifferences(
        [DIFFERENCE, own].map((one) => ({ ...one, versions: '>=1.0' })),
        [{ family: 'libbpf', version, unavailable }],
        path,
        new Set(used),
      ).map(({ id }) => id);
    t.same(of('/elsewhere/matrix.yaml', '1.5.0', null, []), ['mine']);
    t.same(of(`${PACKAGE_ROOT}/matrix.loaders.yaml`, '1.5.0', null, []), ['libbpf-does-otherwise', 'mine']);
    t.same(of(`${PACKAGE_ROOT}/matrix.loaders.yaml`, '1.5.0', null, ['mine']), ['libbpf-does-otherwise']);
    t.same(of(`${PACKAGE_ROOT}/matrix.loaders.yaml`, '0.3.0', null, []), [], 'a version that it is not about');
    t.same(of(`${PACKAGE_ROOT}/matrix.loaders.yaml`, '1.5.0', 'no such package', []), []);
    const elsewhere: KnownDifference = { ...DIFFERENCE, elsewhere: true };
    const loaders = [{ family: 'libbpf', version: '1.5.0', unavailable: null }];
    const path = `${PACKAGE_ROOT}/matrix.loaders.yaml`;
    t.same(unusedDifferences([elsewhere], loaders, path, new Set()), [], 'no program of ours shows it');
    t.end();
  },
);
