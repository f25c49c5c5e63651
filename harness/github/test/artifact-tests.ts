import { spawnSync } from 'node:child_process';
import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cell, results } from '../../report/test/samples.ts';
import { ARTIFACT_LIMITS, readArtifact, withoutOrigin, withTrustedOrigin } from '../artifact.ts';
import { failure, SHA, target } from './stage.ts';

const GOOD = results([cell('5.10', 'a', 'pass'), cell('6.12-generic', 'a', 'fail')]);
const TEXT = JSON.stringify(GOOD);

/** Why a file with this text is refused. */
async function refusal(folder: string, text: string | Uint8Array, limits = ARTIFACT_LIMITS): Promise<string> {
  const path = join(folder, 'results.json');
  writeFileSync(path, text);
  return (await failure(readArtifact(path, limits))).explain?.() ?? '';
}

t.test('good results are read from a file or a folder, with a base or without', async (t) => {
  const folder = t.testdir({ 'results.json': TEXT });
  t.same(await readArtifact(folder), { results: GOOD, base: null });
  t.same(await readArtifact(join(folder, 'results.json')), { results: GOOD, base: null });
  writeFileSync(join(folder, 'base.json'), TEXT);
  t.same((await readArtifact(folder)).base, GOOD);
});

t.test('an artifact has the files that are expected, as regular files', async (t) => {
  for (const name of ['extra.txt', '.git', 'Results.json', 'results.json\n']) {
    const folder = t.testdir({ 'results.json': TEXT });
    writeFileSync(join(folder, name), '');
    t.match(await failure(readArtifact(folder)), { code: 'artifact-bad', why: 'it holds 1 other files' }, name);
  }
  const folder = t.testdir({ secret: TEXT, links: {}, pipes: {}, folders: { 'results.json': {} }, none: {} });
  symlinkSync(join(folder, 'secret'), join(folder, 'links', 'results.json'));
  t.match(await failure(readArtifact(join(folder, 'links'))), { why: 'it is a link' });
  t.match(await failure(readArtifact(join(folder, 'links', 'results.json'))), { why: 'it is a link' });
  t.equal(spawnSync('mkfifo', [join(folder, 'pipes', 'results.json')]).status, 0);
  t.match(await failure(readArtifact(join(folder, 'pipes'))), { why: 'it is no regular file' });
  t.match(await failure(readArtifact('/dev/zero')), { why: 'it is no regular file' });
  t.match(await failure(readArtifact(join(folder, 'folders'))), { why: 'it is no regular file' });
  t.match(await failure(readArtifact(join(folder, 'none'))), { why: 'it cannot be read (ENOENT)' });
  t.match(await failure(readArtifact(join(folder, 'nowhere'))), { why: 'there is no such file or folder' });
});

t.test('size, depth and number of values are limited before anything is made of them', async (t) => {
  const folder = t.testdir();
  t.match(await refusal(folder, TEXT, { ...ARTIFACT_LIMITS, bytes: TEXT.length - 1 }), 'bytes');
  const huge = join(folder, 'huge.json');
  writeFileSync(huge, '');
  truncateSync(huge, ARTIFACT_LIMITS.bytes + 1);
  const started = performance.now();
  t.match(await failure(readArtifact(huge)), { why: 'it has more than 67108864 bytes' });
  t.match(await refusal(folder, '['.repeat(5_000_000)), '32 levels deep');
  t.match(await refusal(folder, `[${'[],'.repeat(5_000_000)}0]`), '4000000 values');
  t.ok(performance.now() - started < 10_000);
  t.match(await refusal(folder, `{"a":"${'[{,\\"'.repeat(10_000)}"}`), 'schemaVersion', 'brackets in strings are none');
});

t.test('what is no JSON, not UTF-8 or of no schema is refused, without being quoted', async (t) => {
  const folder = t.testdir();
  for (const text of ['', '{', '\x1b[31mevil', Buffer.from([0x22, 0xff, 0x22])]) {
    t.match(await refusal(folder, text), 'it is no JSON in UTF-8');
  }
  t.match(await refusal(folder, TEXT.replace('"schemaVersion":2', '"schemaVersion":1')), 'an older version');
  t.match(await refusal(folder, TEXT.replace('"verdict":"fail"', '"verdict":"great"')), 'cells.1.verdict');
  t.match(
    await refusal(folder, TEXT.replace('"facts":{}', '"facts":{"__proto__":{"polluted":1}}')),
    'a name that nothing has',
  );
  t.match(
    await refusal(folder, TEXT.replace('"facts":{}', `"facts":{"${'k'.repeat(201)}":1}`)),
    'a name that nothing has',
  );
  t.equal(Reflect.get({}, 'polluted'), undefined);
  const said = await refusal(
    folder,
    TEXT.replace('"facts":{}', '"facts":{"\\n::add-mask::x\\u001b[2J##[error]":[{}]}'),
  );
  t.match(said, 'kernels.0.facts. ::add-mask::x\ufffd[2J## [error]', 'names in messages are no commands');
  t.notMatch(said, /\n(?! {2}→)/);
});

t.test('results have to agree with themselves', async (t) => {
  const folder = t.testdir();
  const [first] = GOOD.cells;
  for (const [changed, why] of [
    [{ ...GOOD, kernels: [] }, 'a cell of a kernel that it does not have'],
    [{ ...GOOD, programs: [] }, 'a cell of a program'],
    [{ ...GOOD, loaders: [] }, 'a cell of a loader'],
    [{ ...GOOD, kernels: [...GOOD.kernels, ...GOOD.kernels] }, 'a kernel twice'],
    [{ ...GOOD, cells: [...GOOD.cells, first] }, 'a cell twice'],
    [results([cell('5.10', 'a'.repeat(201), 'pass')]), 'a name of 201 characters'],
    [results([cell('5.10', 'a', 'pass', { variant: '' })]), 'a name of 0 characters'],
  ] as const) {
    t.match(await refusal(folder, JSON.stringify(changed)), why);
  }
  writeFileSync(
    join(folder, 'results.json'),
    JSON.stringify({ ...GOOD, totals: { ...GOOD.totals, fail: 0, pass: 2 } }),
  );
  t.match((await readArtifact(folder)).results.totals, { pass: 1, fail: 1 }, 'totals are counted, not believed');
});

t.test('overlong strings are shortened, and say so', async (t) => {
  const [program] = GOOD.programs;
  const text = `${'x'.repeat(ARTIFACT_LIMITS.string - 1)}😀 and ${'y'.repeat(5_000_000)}`;
  const folder = t.testdir({ 'results.json': JSON.stringify({ ...GOOD, programs: [{ ...program, text }] }) });
  const read = (await readArtifact(folder)).results.programs[0]?.text ?? '';
  t.equal(read, `${'x'.repeat(ARTIFACT_LIMITS.string - 1)}\n… (5000007 more characters are left out)`);
});

t.test('where results say that they come from is not believed', (t) => {
  const lying = {
    ...GOOD,
    origin: { repository: 'evil/evil', commit: 'e'.repeat(40), modified: false, url: 'https://evil.example/' },
  };
  const expected = { repository: 'o/r', commit: SHA, modified: null, url: 'https://github.com/o/r/actions/runs/42' };
  t.same(withTrustedOrigin(lying, target()).origin, expected);
  t.same(withTrustedOrigin(lying, target({ run: null })).origin, { ...expected, url: null });
  t.same(withoutOrigin(lying, target()).origin, { ...expected, commit: 'e'.repeat(40), url: null });
  t.end();
});
