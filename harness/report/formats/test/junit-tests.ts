import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { validateXML } from 'xmllint-wasm';
import { PACKAGE_ROOT } from '../../../package-root.ts';
import type { RunResults } from '../../../results/results.ts';
import { cell, results } from '../../test/samples.ts';
import { renderJunit } from '../junit.ts';
import { hostileResults } from './hostile.ts';

const SCHEMA = readFileSync(join(PACKAGE_ROOT, 'harness/report/formats/test/junit-10.xsd'), 'utf8');

/** What the schema of Jenkins' xUnit plugin has against documents. */
async function complaints(...documents: readonly string[]): Promise<readonly string[]> {
  const xml = documents.map((contents, index) => ({ fileName: `${index}.xml`, contents }));
  const { errors } = await validateXML({ xml, schema: SCHEMA });
  return errors.map(({ rawMessage }) => rawMessage);
}

const twoLoaders = (): RunResults =>
  results([
    cell('6.12-generic', 'second', 'pass', { loader: 'libbpf' }),
    cell('6.12-generic', 'second', 'infra', { durationMs: 1500 }),
    cell('5.10', 'first', 'xfail'),
    cell('5.10', 'second', 'fail', {
      location: { path: 'programs/second.bpf.c', line: 7, text: 'return *p;', about: 'the verifier stopped here' },
      verifierLog: 'R1 invalid mem access\n',
    }),
    cell('5.10', 'second', 'pass', { variant: 'a' }),
  ]);

t.test("JUnit XML is valid by the schema of Jenkins' xUnit plugin, whatever programs and kernels print", async (t) => {
  const hostile = renderJunit(hostileResults());
  t.same(await complaints(renderJunit(twoLoaders()), renderJunit(results([])), hostile), []);
  const broken = hostile.replace('tests="', 'tetss="');
  t.match((await complaints(broken)).join(), /tetss/, 'the schema does find mistakes');
  t.notMatch(hostile, /[\0-\x08\x0b-\x1f\x7f\ufffe\uffff]/, 'nothing that XML does not know');
  t.notMatch(hostile, '<b ');
});

t.test('a suite for each kernel and loader counts its cells, a case says where it belongs', (t) => {
  const text = renderJunit(twoLoaders());
  t.same(text.match(/<testsuites? .*>/g)?.slice(0, 1), [
    '<testsuites name="matrix.yaml" tests="5" errors="1" failures="1" time="1.520">',
  ]);
  t.same(
    text.match(/<testsuite .*>/g)?.map((line) => line.replace(/ timestamp.*/, '')),
    [
      '<testsuite name="5.10 (ksym-matrix)" tests="3" failures="1" errors="0" time="0.015" skipped="0"',
      '<testsuite name="6.12-generic (libbpf)" tests="1" failures="0" errors="0" time="0.005" skipped="0"',
      '<testsuite name="6.12-generic (ksym-matrix)" tests="1" failures="0" errors="1" time="1.500" skipped="0"',
    ],
  );
  t.match(text, 'timestamp="2026-01-31T12:00:00"');
  t.match(text, '<testcase classname="ksym-matrix.5_10" name="second@a" time="0.005"/>');
  t.match(text, '<property name="kernel.release" value="5.10.1-amd64"/>');
  t.match(text, '<property name="kernel.sha256" value="00"/>');
  t.match(text, '<property name="accelerator" value="tcg"/>');
  t.end();
});

t.test('a red case says why, where in the source, what the verifier said and how to repeat it', (t) => {
  const text = renderJunit(twoLoaders());
  const [, failure = ''] = /<failure (.*?)<\/failure>/s.exec(text) ?? [];
  t.match(failure, 'type="verifier-rejected" message="the verifier refused it"');
  for (const part of [
    'the verifier refused it',
    'programs/second.bpf.c:7: the verifier stopped here',
    'R1 invalid mem access',
    'ksym-matrix run --kernel 5.10 --program second',
  ]) {
    t.match(failure, part);
  }
  t.match(text, /<error type="verifier-rejected"/, 'what could not be tried is an error, no failure');
  t.match(
    text,
    /<testcase [^>]*name="first"[^>]*>\n<system-out>fails, as expected: verifier-rejected in phase load: .*it works everywhere<\/system-out>/s,
    'an expected failure passes, with a note',
  );
  t.notMatch(text, '<skipped');
  t.end();
});

t.test('a run that was interrupted is not green to whoever reads the XML', async (t) => {
  const text = renderJunit(results([cell('5.10', 'first', 'pass')], { complete: false }));
  t.match(text, '<testsuites name="matrix.yaml" tests="2" errors="1" failures="0"');
  t.match(text, '<error type="interrupted" message="the run was interrupted">');
  t.same(await complaints(text), []);
});
