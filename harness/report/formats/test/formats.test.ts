import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import t from 'tap';
import { jsonSchemas } from '../../../config/json-schema.ts';
import { PACKAGE_ROOT } from '../../../package-root.ts';
import { summariseRun } from '../../../results/history.ts';
import { parseResults } from '../../../results/read.ts';
import type { RunResults } from '../../../results/results.ts';
import { cell, PLAIN, results, sampleKernel } from '../../test/samples.ts';
import { badgeOf, renderBadge } from '../badge.ts';
import { renderCompat } from '../compat.ts';
import { renderJson } from '../json.ts';
import { reportSchemas } from '../json-schemas.ts';
import { renderJunit } from '../junit.ts';
import { renderTap } from '../tap.ts';
import { renderTerminal } from '../terminal.ts';
import { HOSTILE, hostileResults } from './hostile.ts';
import './compat-tests.ts';
import './junit-tests.ts';
import './tap-tests.ts';

const FORMATS: Readonly<Record<string, (results: RunResults) => string>> = {
  badge: renderBadge,
  compat: renderCompat,
  json: (run) => [...renderJson(run)].join(''),
  junit: renderJunit,
  tap: renderTap,
  terminal: (run) => renderTerminal(run, PLAIN),
};

function sample(): RunResults {
  return results([
    cell('5.10', 'first', 'xfail'),
    cell('5.10', 'second', 'fail', { variant: 'b' }),
    cell('6.12-generic', 'first', 'pass'),
    cell('6.12-generic', 'second', 'pass', { loader: 'libbpf' }),
    cell('5.10', 'second', 'pass'),
    cell('5.10', 'second', 'pass', { variant: 'a' }),
  ]);
}

t.test('every format gives the same bytes, whatever the order of cells and the time zone', (t) => {
  const run = sample();
  const shuffled = { ...run, cells: [...run.cells].reverse() };
  const zone = process.env.TZ;
  for (const [name, render] of Object.entries(FORMATS)) {
    const before = render(run);
    process.env.TZ = 'Asia/Tokyo';
    t.equal(render(shuffled), before, name);
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
    t.equal(before.at(-1), '\n', `${name} ends with a newline`);
  }
  t.end();
});

t.test('a terminal is not steered by what programs print', (t) => {
  const text = renderTerminal(hostileResults(), PLAIN);
  t.notMatch(text, /[\0-\x08\x0b-\x1f\x7f-\x9f]/);
  t.match(text, '␛[31mred');
  t.end();
});

t.test('JSON is the results, and can be read again', (t) => {
  const run = hostileResults();
  const again = parseResults([...renderJson(run)].join(''), 'test');
  t.same(again, run);
  t.match(again.cells[0]?.why, HOSTILE);
  t.end();
});

t.test('the schemas in schema/ are the generated ones, and no others lie there', (t) => {
  // If this fails: `ksym-matrix schema`, and commit what it wrote.
  const folder = join(PACKAGE_ROOT, 'schema');
  for (const [name, text] of Object.entries(reportSchemas())) {
    t.equal(readFileSync(join(folder, name), 'utf8'), text, name);
  }
  const all = { ...jsonSchemas(), ...reportSchemas() };
  t.same(readdirSync(folder).sort(), Object.keys(all).sort());
  t.end();
});

t.test('what is written is valid by the schemas that are published', (t) => {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const complain = (schema: string, value: unknown): unknown => {
    const validate = ajv.compile(JSON.parse(reportSchemas()[schema] ?? '{}'));
    return validate(value) ? [] : validate.errors;
  };
  for (const run of [sample(), hostileResults(), results([])]) {
    t.same(complain('results.schema.json', JSON.parse([...renderJson(run)].join(''))), []);
    t.same(complain('compat.schema.json', JSON.parse(renderCompat(run))), []);
    t.same(complain('history.schema.json', JSON.parse(JSON.stringify(summariseRun(run)))), []);
  }
  t.not(JSON.stringify(complain('compat.schema.json', { ...sample(), schemaVersion: 1 })), '[]', 'and can be invalid');
  const { id: _, ...nameless } = sample();
  t.match(complain('results.schema.json', nameless), [{ params: { missingProperty: 'id' } }]);
  t.end();
});

t.test('a badge says what is wrong before anything is green', (t) => {
  const green = results([cell('5.10', 'first', 'pass'), cell('6.12', 'first', 'xfail')]);
  const kernels = [sampleKernel('5.10')];
  const cases: readonly (readonly [RunResults, string, string, boolean])[] = [
    [green, '2 as expected on 2 kernels', 'brightgreen', false],
    [{ ...green, complete: false }, 'interrupted on 2 kernels', 'orange', true],
    [results([cell('5.10', 'first', 'infra')], { kernels }), '1 not tried on 1 kernel', 'orange', true],
    [
      results([cell('5.10', 'first', 'infra'), cell('5.10', 'second', 'xpass'), cell('5.10', 'third', 'pass')]),
      '1 of 3 red, 1 not tried on 1 kernel',
      'red',
      true,
    ],
    [results([]), 'nothing was run', 'lightgrey', true],
    [results([], { complete: false }), 'interrupted', 'lightgrey', true],
  ];
  for (const [run, message, color, isError] of cases) {
    t.same(badgeOf(run), { schemaVersion: 1, label: 'ksym matrix', message, color, isError });
  }
  t.end();
});
