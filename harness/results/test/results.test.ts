import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cell, results } from '../../report/test/samples.ts';
import { parseResults, readResults } from '../read.ts';
import { resultsJson } from '../results-json.ts';
import { toJson } from '../write.ts';
import './ranges-tests.ts';

const SAMPLE = results([cell('5.10', 'p', 'pass')]);

t.test('results are read from a file or from the folder of a run, as they were written', async (t) => {
  const folder = t.testdir({ 'results.json': toJson(SAMPLE) });
  t.same(await readResults(folder), SAMPLE);
  t.same(await readResults(join(folder, 'results.json')), SAMPLE);
  const more = toJson({ ...SAMPLE, added: 'later', cells: SAMPLE.cells.map((one) => ({ ...one, added: 1 })) });
  t.same(parseResults(more, 'x'), SAMPLE, 'parts that a later version adds are dropped');
});

t.test('what is no results is told in one message, whatever it is', async (t) => {
  const folder = t.testdir({});
  const where = 'some.json';
  const refuse = (text: string, why: string | RegExp, message = 'told'): void => {
    t.throws(() => parseResults(text, where), { code: 'no-results', where, why }, message);
  };
  refuse('', /^it is no JSON: /);
  refuse('{"schemaVersion": 2,', /^it is no JSON: /, 'the file of a run that was killed while it was copied');
  refuse(toJson({ ...SAMPLE, schemaVersion: 1 }), 'an older version of this program wrote it (schemaVersion 1)');
  refuse(toJson({ ...SAMPLE, schemaVersion: 3 }), 'a newer version of this program wrote it (schemaVersion 3)');
  for (const other of ['null', '[]', '"text"', '7', '{}', '{"schemaVersion":"2"}'])
    refuse(other, /^it holds something else: /);
  refuse(toJson({ ...SAMPLE, cells: [{ ...SAMPLE.cells[0], verdict: 'great' }] }), /`cells\.0\.verdict`/);
  refuse(toJson({ ...SAMPLE, origin: { ...SAMPLE.origin, url: 'javascript:alert(1)' } }), /`origin\.url`/);
  refuse(toJson({ ...SAMPLE, id: '../../etc/passwd' }), /`id`/);
  // A deep value is not a reason to lose the stack.
  refuse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`, /^it (is no JSON|holds something else): /);

  await t.rejects(readResults(join(folder, 'gone.json')), { code: 'no-results', where: join(folder, 'gone.json') });
  await t.rejects(readResults(folder), { code: 'no-results', where: join(folder, 'results.json'), why: /ENOENT/ });
  mkdirSync(join(folder, 'run', 'results.json'), { recursive: true });
  await t.rejects(readResults(join(folder, 'run')), { code: 'no-results', why: /EISDIR/ });
  writeFileSync(join(folder, 'zeros'), Buffer.alloc(1000));
  await t.rejects(readResults(join(folder, 'zeros')), { code: 'no-results', why: /^it is no JSON: / });
});

t.test('results of many cells are read in time and memory that fit them', (t) => {
  const many = Array.from({ length: 5000 }, (_, index) =>
    cell('5.10', `p${index}`, index % 3 === 0 ? 'xfail' : 'pass'),
  );
  const text = toJson(results(many));
  const started = performance.now();
  t.equal(parseResults(text, 'x').cells.length, 5000);
  t.ok(performance.now() - started < 5000, 'far less than a millisecond for each');
  t.end();
});

t.test('a file that is longer than a string may be is read line by line, as it is written', async (t) => {
  const odd = cell('6.12', 'p', 'fail', {
    why: 'two\nlines, "quoted", \u2028 and ],\n]',
    console: ['{', '[', '"cells": ['],
  });
  const run = results([cell('5.10', 'p', 'pass'), odd], { directory: '/ü' });
  const text = [...resultsJson(run)].join('');
  t.same(JSON.parse(text), run, 'it is plain JSON for everybody else');
  t.equal(text.split('\n').filter((line) => line.includes('"verdict":')).length, 2, 'with a line for each cell');
  const folder = t.testdir({ 'results.json': text, other: toJson(run) });
  t.same(await readResults(folder, 0), run);
  t.same(await readResults(folder), run);
  // Without a cell, without a kernel.
  writeFileSync(join(folder, 'empty'), [...resultsJson(results([], { kernels: [] }))].join(''));
  t.same(await readResults(join(folder, 'empty'), 0), results([], { kernels: [] }));

  const refuse = async (name: string, content: string, why: string | RegExp): Promise<void> => {
    writeFileSync(join(folder, name), content);
    await t.rejects(readResults(join(folder, name), 0), { code: 'no-results', why }, name);
  };
  await refuse('verdict', text.replace('"verdict":"fail"', '"verdict":"great"'), /a cell's `verdict`/);
  await refuse('version', text.replace('"schemaVersion": 2', '"schemaVersion": 3'), /a newer version/);
  await refuse('cut', text.slice(0, -40), /not in the form that this program writes|JSON/);
  await refuse('half', text.slice(0, text.indexOf('"verdict":"fail"')), /JSON/);
  const oneLine = (cells: unknown): string =>
    text.replace(/"cells": \[\n[\s\S]*?\n\],/, `"cells": ${JSON.stringify(cells)},`);
  writeFileSync(join(folder, 'one-line'), oneLine(run.cells));
  t.same(await readResults(join(folder, 'one-line'), 0), run);
  await refuse('one-line-bad', oneLine([{ ...odd, verdict: 'great' }]), /a cell's `verdict`/);
  await refuse('no-list', oneLine({ length: 1 }), /`cells`/);
  await refuse('inherited', text.replace('"cells": [', '"__proto__": ['), /`cells`/);
  await refuse('pretty', toJson(run), /not in the form that this program writes, a line for each cell/);
});
