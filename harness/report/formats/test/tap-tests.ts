import t from 'tap';
import { type FinalResults, Parser, type Result } from 'tap-parser';
import { cell, results } from '../../test/samples.ts';
import { renderTap } from '../tap.ts';
import { HOSTILE, hostileResults } from './hostile.ts';

interface Parsed {
  readonly end: FinalResults;
  /** The subtests' test points, by the name of the subtest. */
  readonly points: Readonly<Record<string, readonly Result[]>>;
  readonly bailedOut: string | boolean;
}

/** Reads TAP as node-tap does, in strict mode, in which anything that is no TAP is a failure. */
function parse(text: string): Parsed {
  const points: Record<string, Result[]> = {};
  let end: FinalResults | undefined;
  const parser = new Parser({ strict: true }, (results) => {
    end = results;
  });
  parser.on('child', (child: Parser) => {
    child.on('assert', (point: Result) => {
      points[child.name] = [...(points[child.name] ?? []), point];
    });
  });
  parser.end(text);
  if (end === undefined) throw new Error('the parser did not come to an end');
  return { end, points, bailedOut: parser.bailedOut };
}

t.test('TAP that a strict parser reads has the names, counts and verdicts of the run', (t) => {
  const red = cell('6.12-generic', 'second', 'fail', {
    location: { path: 'programs/second.bpf.c', line: 7, text: 'return *p;', about: 'here' },
    verifierLog: 'first line\n\n  ...\nlast line\n',
  });
  const { end, points } = parse(
    renderTap(
      results([
        red,
        cell('5.10', 'first', 'xfail'),
        cell('5.10', 'second', 'pass', { variant: 'a' }),
        cell('5.10', 'second', 'pass'),
      ]),
    ),
  );
  t.match(end, { ok: false, count: 2, pass: 1, fail: 1, todo: 0, skip: 0, plan: { start: 1, end: 2 } });
  t.same(
    end.failures.map(({ tapError }) => tapError),
    [null],
    'nothing but the red kernel is wrong with it',
  );
  t.same(
    Object.fromEntries(Object.entries(points).map(([name, own]) => [name, own.map((point) => [point.ok, point.name])])),
    {
      '5.10': [
        [true, 'second'],
        [true, 'second@a'],
        [true, 'first'],
      ],
      '6.12-generic': [[false, 'second']],
    },
  );
  t.match(points['6.12-generic']?.[0]?.diag, {
    message: 'the verifier refused it',
    verdict: 'fail',
    type: 'verifier-rejected',
    at: { file: 'programs/second.bpf.c', line: 7 },
    verifierLog: 'first line\n\n  ...\nlast line\n',
    repeat: 'ksym-matrix run --kernel 6.12-generic --program second',
  });
  t.end();
});

t.test('nothing that a program, a log or a kernel says is taken for TAP', (t) => {
  const run = hostileResults();
  const text = renderTap(run);
  const { end, points, bailedOut } = parse(text);
  t.equal(bailedOut, false);
  t.match(end, { count: 1, fail: 1, todo: 0, skip: 0 });
  const own = points['5.10'] ?? [];
  t.equal(own.length, run.cells.length);
  t.same(
    own.map(({ ok }) => ok),
    [true, true, false, false, false, false, false, false],
  );
  t.same(
    own.map(({ todo, skip, tapError }) => [todo, skip, tapError]),
    own.map(() => [false, false, null]),
  );
  t.match(
    own[0]?.name,
    /^"0 <\/failure><b a="1".*␊not ok 99 - injected # TODO␊.*␊\\# \\\\ # \{"$/,
    'names are readable still',
  );
  t.equal(new Set(own.map(({ name }) => name)).size, own.length);
  const diagnosis: unknown = own[2]?.diag;
  const lines = HOSTILE.split('\n');
  lines[8] = '␛[31mred␛[0m ␀ ␇ \\u009b1m ␡ ␍';
  t.match(diagnosis, {
    verdict: 'fail',
    message: lines.join('\n').replace('\ud800', '\ufffd').replace('\u2028', '\\u2028'),
  });
  t.notMatch(text, /[\0-\x09\x0b-\x1f\x7f-\x9f]/, 'no terminal is steered by it');
  t.end();
});

t.test('a run of nothing and an interrupted one are told from a green one', (t) => {
  t.equal(renderTap(results([])).split('\n')[2], '1..0 # nothing was run');
  t.match(parse(renderTap(results([]))).end, { ok: true, count: 0, plan: { skipAll: true } });
  const stopped = parse(renderTap(results([cell('5.10', 'first', 'pass')], { complete: false })));
  t.equal(stopped.bailedOut, 'The run was interrupted: cells are missing');
  t.equal(stopped.end.ok, false);
  t.end();
});
