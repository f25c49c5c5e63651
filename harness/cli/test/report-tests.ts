import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ExplainedError } from '../../../loader/errors.ts';
import { cell, results } from '../../report/test/samples.ts';
import { addToHistory } from '../../results/history.ts';
import type { RunResults } from '../../results/results.ts';
import { toJson } from '../../results/write.ts';
import { createProgressView } from '../progress.ts';
import { report } from '../report.ts';
import { REPORT_FORMATS, type ReportFormat } from '../report-formats.ts';
import { createPlace } from './command.ts';

const place = createPlace();
t.teardown(() => place.end());

const run = results([
  cell('5.10', 'first', 'fail'),
  cell('5.10', 'second', 'pass'),
  cell('6.12-generic', 'first', 'pass'),
]);
const before = results([cell('5.10', 'first', 'pass'), cell('5.10', 'second', 'pass')], { id: 'before' });
const head = write('head.json', run);
const base = write('base.json', before);

function write(name: string, what: RunResults): string {
  const path = join(place.folder, name);
  writeFileSync(path, toJson(what));
  return path;
}

/** The files of a folder and what is in them, but for what is hidden. */
function contents(folder: string): Readonly<Record<string, string>> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length), readFileSync(path, 'utf8')];
    }),
  );
}

/** How a report that cannot be made is refused. */
async function refusal(options: Parameters<typeof report>[1], results: string = head): Promise<ExplainedError> {
  try {
    await report(results, options);
  } catch (error) {
    if (error instanceof ExplainedError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** What each format cannot be without. */
const TELLING: Readonly<Record<Exclude<ReportFormat, 'html'>, RegExp>> = {
  terminal: /✖ FAIL/,
  markdown: /first/,
  junit: /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites /,
  tap: /^TAP version 14\n/,
  json: /^\{\n"schemaVersion": 2,/,
  compat: /^\{\n {2}"schemaVersion": 1,\n {2}"run": \{/,
  badge: /"message": "1 of 3 red on 2 kernels"/,
  'github-summary': /first/,
  'github-annotations': /^::(error|warning) /,
};

t.test('report writes every format to a file, the same bytes each time, and the file is whole', async (t) => {
  const folder = join(place.folder, 'formats');
  mkdirSync(folder);
  for (const [name, telling] of Object.entries(TELLING)) {
    const format = Object.keys(REPORT_FORMATS).find((one): one is ReportFormat => one === name) ?? 'html';
    const paths = ['1', '2'].map((number) => join(folder, `${name}.${number}`));
    for (const output of paths) t.equal(await report(head, { format, output }), 0);
    const [first, second] = paths.map((path) => readFileSync(path, 'utf8'));
    t.match(first, telling, name);
    t.equal(first, second, name);
    t.notMatch(first, '\u001b', 'a file has no colours');
  }
  t.equal(Object.keys(TELLING).length + 1, Object.keys(REPORT_FORMATS).length, 'html is below');
  t.equal(readdirSync(folder).length, 2 * Object.keys(TELLING).length, 'nothing else was left');
});

t.test('report says what differs from another run, where the format has a place for it', async (t) => {
  for (const format of ['terminal', 'markdown', 'github-summary'] as const) {
    const output = join(place.folder, `differences.${format}`);
    await report(head, { format, output, base });
    t.match(readFileSync(output, 'utf8'), /regressed/i, format);
  }
});

t.test('report --format html writes a site, replaces it, and nothing that is none', async (t) => {
  const history = join(place.folder, 'history');
  await addToHistory(history, before);
  const site = join(place.folder, 'around', 'site');
  const options = ['--format', 'html', '--base', base, '--history', history, '--site-url', 'https://example.org/x'];
  const { code, stdout, stderr } = await place.run(['report', head, ...options, '--output', site]);
  t.equal(code, 0, stderr);
  t.match(stdout, `${site}: `);
  t.match(stdout, join(site, 'index.html'), 'and how to open it');
  const first = contents(site);
  for (const name of [
    '/index.html',
    '/history.html',
    '/changes.html',
    '/results.json',
    '/compat.json',
    '/badge.json',
  ]) {
    t.ok(first[name] !== undefined, name);
  }
  t.equal((await place.run(['report', head, ...options, '-o', site])).code, 0);
  t.same(contents(site), first, 'the same bytes');
  const other = join(place.folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'mine.txt'), 'mine');
  t.match((await refusal({ format: 'html', output: other })).explain(), `${other}: `);
  t.same(contents(other), { '/mine.txt': 'mine' });
});

t.test('report refuses before there is any work what it cannot write', async (t) => {
  writeFileSync(join(place.folder, 'file'), '');
  const missing = join(place.folder, 'nowhere.json');
  const cases: readonly (readonly [ReportFormat, string])[] = [
    ['tap', join(place.folder, 'no-folder', 'out.tap')],
    ['tap', place.folder],
    ['html', join(place.folder, 'file')],
    ['html', join(place.folder, 'file', 'site')],
    ['html', '-'],
  ];
  for (const [format, output] of cases) {
    // The results are not there either, and were not looked for yet.
    const error = await refusal({ format, output }, missing);
    t.match(error, { code: 'output-has-no-place', where: `--output ${output}` });
  }
  t.match(await refusal({ format: 'json', output: '/dev/full' }), { code: 'output-not-written', why: /ENOSPC/ });
  t.notOk(existsSync(join(place.folder, 'no-folder')));
});

t.test('report is of the last run unless another is named; mistakes exit with 2 and one message', async (t) => {
  const cache = join(place.folder, 'own-cache');
  mkdirSync(join(cache, 'runs', 'one'), { recursive: true });
  symlinkSync('one', join(cache, 'runs', 'latest'));
  writeFileSync(join(cache, 'runs', 'one', 'results.json'), toJson(run));
  writeFileSync(join(place.folder, 'odd.json'), '\x1b[2J{');
  const old = write('old.json', { ...run, schemaVersion: 1 } as unknown as RunResults);
  const lines = Array.from({ length: 2000 }, (_, index) => cell('5.10', `program-${index}`, 'pass'));
  const large = write('large.json', results(lines));
  const environment = { KSYM_MATRIX_CACHE: cache };
  const evil = cell('5.10', 'first', 'fail', {
    why: 'why \u001b[2J',
    evidence: {
      console: 'c\u001b',
      cellConsole: 'said.log',
      resolution: null,
      verifierLog: null,
      values: null,
      loaderAnswer: 'loader.json',
    },
  });
  writeFileSync(join(place.folder, 'said.log'), 'said \u001b]0;title\u0007\n');
  const told = write('told.json', results([evil], { directory: place.folder }));
  const elsewhere = write('elsewhere.json', results([cell('5.10', 'first', 'pass')], { directory: '/\u001b[2J' }));
  const strange = join(place.folder, 'strange');
  mkdirSync(strange);
  writeFileSync(join(strange, 'x\u001b[2J.json'), '{');
  const site = ['--format', 'html', '--output', join(place.folder, 'strange-site')];
  const [last, help, format, address, older, noBase, unused, odd, logs, green, alone, history, cut] = await Promise.all(
    [
      place.run(['report', '--format', 'json'], { environment }),
      place.run(['report', '--help']),
      place.run(['report', head, '--format', 'xml']),
      place.run(['report', head, '--format', 'html', '--site-url', 'javascript:alert(1)']),
      place.run(['report', old]),
      place.run(['report', head, '--base', join(place.folder, 'nowhere.json')]),
      place.run(['report', head, '--format', 'badge', '--base', base]),
      place.run(['report', join(place.folder, 'odd.json')]),
      place.run(['logs', '--run', told]),
      place.run(['logs', '--run', elsewhere]),
      place.run(['ranges', elsewhere]),
      place.run(['report', head, ...site, '--history', strange]),
      place.run(['report', large, '--format', 'json'], {
        prefix: ['bash', '-c', 'set -o pipefail; "$@" | head -c 1', '-'],
      }),
    ],
  );
  t.same([last.code, JSON.parse(last.stdout).id], [0, run.id]);
  for (const [name, { about }] of Object.entries(REPORT_FORMATS))
    t.match(help.stdout, new RegExp(`${name} +${about.slice(0, 30).replace(/[$(]/g, '.')}`));
  const cases = [
    [format, /'xml' is invalid. Allowed choices are terminal, /],
    [address, /an address is wanted/],
    [older, /old\.json: .*an older version of this program wrote it/],
    [odd, /odd\.json: .*it is no JSON: .*␛/],
    [noBase, /nowhere\.json: .*no such file/],
  ] as const;
  for (const [{ code, stdout, stderr }, message] of cases) {
    t.same([code, stdout], [2, '']);
    t.match(stderr, message);
    t.notMatch(stderr, /\n {4}at /, 'no stack trace');
  }
  t.match(cut, { code: 0, stdout: '{', stderr: '' }, 'who reads no further misses nothing');
  t.equal(unused.code, 0);
  t.match(unused.stderr, '--base changes nothing about --format badge');
  t.match(history, { code: 0, stderr: /x␛\[2J\.json is left out/ }, 'files of a history do not steer a terminal');
  t.equal(logs.code, 0, logs.stderr);
  for (const shown of [/^why ␛\[2J$/m, /^said ␛\]0;title␇$/m, /answered: .*loader\.json$/m, /whole console: .*c␛$/m])
    t.match(logs.stdout, shown);
  for (const { code, stdout } of [green, alone]) t.match({ code, stdout }, { code: 0, stdout: /: \/␛\[2J\n$/ });
  t.notMatch([history.stdout, history.stderr, logs.stdout].join(''), '\u001b');
});

t.test('what a run tells meanwhile of a program and its kernel does not steer the terminal', (t) => {
  const shown: string[] = [];
  const stream = Object.create(process.stderr, { write: { value: (text: string) => shown.push(text) } });
  const view = createProgressView(Object.defineProperty(stream, 'isTTY', { value: false }));
  view.show({ kind: 'leftovers', kernel: '6.12', cell: 'first', what: ['process 7 (\u001b[2J)'] });
  view.show({ kind: 'warning', text: 'no \u0007' });
  view.end();
  t.same(shown, ['note: 6.12: a new machine after first: process 7 (␛[2J)\n', 'note: no ␇\n']);
  t.end();
});
