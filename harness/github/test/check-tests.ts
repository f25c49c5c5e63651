import t from 'tap';
import { type CheckRemark, type CheckRun, checkRequests, putCheckRun } from '../check-run.ts';
import { connect, failure, PLACE, SHA, server } from './stage.ts';

function remarks(count: number): CheckRemark[] {
  return Array.from({ length: count }, (_, index) => ({
    path: 'programs/a.bpf.c',
    start_line: index + 1,
    end_line: index + 1,
    annotation_level: 'failure',
    message: `${index}`,
  }));
}

function run(count: number, more: Partial<CheckRun> = {}): CheckRun {
  return {
    ...PLACE,
    name: 'ksym-matrix',
    sha: SHA,
    conclusion: 'failure',
    externalId: '42',
    detailsUrl: 'https://example.org/site/',
    output: { title: '2 cells are red', summary: 'a', text: 'b', annotations: remarks(count) },
    ...more,
  };
}

/** Messages of the annotations of a check run that is there. */
function told(index = 0): string[] {
  return (server.checks[index]?.annotations ?? []).map((one) => (one as CheckRemark).message);
}

const WANTED = remarks(120).map(({ message }) => message);

t.test('120 annotations go out in three requests, of which the last completes the check run', async (t) => {
  server.reset();
  t.match(await putCheckRun(connect().github, run(120)), /\/runs\/\d+$/);
  const writes = server.requests.filter(({ id }) => !/list/.test(id));
  t.match(
    writes.map(({ id, body }) => [id, body?.status, body?.conclusion]),
    [
      ['checks/create', 'in_progress', undefined],
      ['checks/update', 'in_progress', undefined],
      ['checks/update', 'completed', 'failure'],
    ],
  );
  t.same(told(), WANTED);
  t.match(server.checks, [{ fields: { head_sha: SHA, external_id: '42', details_url: 'https://example.org/site/' } }]);
});

t.test('for 50 annotations and for none one request is enough', async (t) => {
  for (const [count, requests] of [
    [0, 1],
    [1, 1],
    [50, 1],
    [51, 2],
    [100, 2],
    [101, 3],
  ] as const) {
    const { create, updates } = checkRequests(run(count));
    t.equal(updates.length + 1, requests, `${count} annotations`);
    t.equal((updates.at(-1) ?? create).status, 'completed');
    t.equal([create, ...updates].filter(({ status }) => status === 'completed').length, 1);
  }
});

t.test('whatever happens to a request, no annotation is there twice and none is missing', async (t) => {
  for (const id of ['checks/create', 'checks/update']) {
    for (const fault of [{ status: 502 }, { line: 'reset' }] as const) {
      for (const isDone of [true, false]) {
        server.reset();
        server.fail(id, { ...fault, isDone });
        await putCheckRun(connect().github, run(120));
        t.equal(server.checks.length, 1);
        t.same(told(), WANTED, `${id}, ${JSON.stringify(fault)}, carried out: ${isDone}`);
        t.equal(server.checks[0]?.fields.status, 'completed');
      }
    }
  }
});

t.test('a check run that broke off is not green, and the next try takes its place', async (t) => {
  server.reset();
  server.fail('checks/update', ...Array.from({ length: 3 }, () => ({ status: 500 })));
  t.equal(
    (await failure(putCheckRun(connect().github, run(120, { conclusion: 'success' })))).code,
    'github-unavailable',
  );
  t.match(server.checks, [{ fields: { status: 'in_progress', conclusion: undefined } }]);
  await putCheckRun(connect().github, run(120));
  t.equal(server.checks.length, 2, 'the first one has annotations already');
  t.same(told(1), WANTED);
  // The same once more, after a run that is complete.
  server.fail('checks/create', { status: 502, isDone: true });
  await putCheckRun(connect().github, run(60));
  t.equal(server.checks.length, 3);
  t.same(told(2), WANTED.slice(0, 60));
});

t.test('a check run that had nothing yet is taken up; one of another run is not', async (t) => {
  server.reset();
  const fields = { head_sha: SHA, name: 'ksym-matrix', status: 'queued' };
  server.checks.push({ id: 1, annotations: [], fields: { ...fields, external_id: '41' } });
  server.checks.push({ id: 2, annotations: [], fields: { ...fields, external_id: '42' } });
  await putCheckRun(connect().github, run(60));
  t.equal(server.checks.length, 2);
  t.match(server.checks, [{ fields: { status: 'queued' } }, { fields: { status: 'completed' } }]);
});

t.test('without the right token or permission it is said which', async (t) => {
  server.reset();
  server.fail('checks/create', { status: 403, message: 'You must authenticate via a GitHub App.' });
  t.match((await failure(putCheckRun(connect().github, run(1)))).explain?.(), /GITHUB_TOKEN.*--check/s);
  server.fail('checks/create', { status: 403, message: 'Resource not accessible by integration' });
  t.match((await failure(putCheckRun(connect().github, run(1)))).explain?.(), 'checks: write');
  server.fail('checks/create', { status: 422, message: `No commit found for SHA: ${SHA}` });
  t.match((await failure(putCheckRun(connect().github, run(1)))).explain?.(), 'No commit found');
});

t.test('texts that are too long are not sent', (t) => {
  const long = { title: 'a', text: '', summary: 'ä'.repeat(32_768), annotations: [] };
  t.throws(() => checkRequests(run(0, { output: long })), { code: 'github-check-too-long' }, 'bytes, not characters');
  checkRequests(run(0, { output: { ...long, summary: 'ä'.repeat(32_767) } }));
  t.end();
});
