import t from 'tap';
import { compareResults } from '../../../results/compare.ts';
import { summariseRun } from '../../../results/history.ts';
import { cell, results } from '../../test/samples.ts';
import { renderChangesPage } from '../changes-page.ts';
import { renderHistoryPage } from '../history-page.ts';
import { commitOf } from '../page.ts';
import { modelSite } from '../site.ts';
// Like the tests of folders, these wait for the browser that they do not need.
import './shared.ts';

t.test('a commit is linked on the server that its run was on, and nowhere else', (t) => {
  const of = (url: string | null): string =>
    String(commitOf({ repository: 'example/bpf', commit: 'c0ffee'.repeat(3), modified: false, url }));
  const path = `/example/bpf/commit/${'c0ffee'.repeat(3)}"`;
  t.match(of(null), `<a href="https://github.com${path}`);
  t.match(
    of('https://git.example.com:8443/example/bpf/actions/runs/1'),
    `<a href="https://git.example.com:8443${path}`,
  );
  for (const url of ['https://evil.example/other/actions/runs/1', 'javascript:alert(1)//example/bpf/']) {
    t.equal(of(url), '<code>c0ffeec0ffee</code>');
  }
  t.end();
});

t.test('a run that is older than its history stands where it belongs', (t) => {
  const at = (id: string, verdict: 'pass' | 'fail') =>
    results([cell('5.10', 'one', verdict)], { id, startedAt: `${id}T12:00:00.000Z` });
  const later = [at('2026-01-03', 'pass'), at('2026-01-01', 'fail')].map(summariseRun);
  const { body } = renderHistoryPage(modelSite(at('2026-01-02', 'fail'), { history: later }));
  const [, since = ''] = String(body).split('<h2>');
  t.match(since, /<code>2026-01-01<\/code>.*1 run ago, or earlier/s);
  t.same(
    String(body)
      .split('<h2>Runs')[1]
      ?.match(/<code>2026-01-0\d/g),
    ['3', '2', '1'].map((day) => `<code>2026-01-0${day}`),
  );
  t.end();
});

t.test('the page of changes counts them in words that fit', (t) => {
  const about = (count: number): string => {
    const run = (verdict: 'pass' | 'fail') =>
      results(['one', 'two'].slice(0, count).map((name) => cell('5.10', name, verdict)));
    return renderChangesPage(modelSite(run('fail'), { comparison: compareResults(run('pass'), run('fail')) })).about;
  };
  t.match(about(1), /^1 cell differs from run /);
  t.match(about(2), /^2 cells differ from run /);
  t.end();
});
