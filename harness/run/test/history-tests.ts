import t from 'tap';
import { dateRequests } from '../dated-request.ts';
import { differingFacts } from '../fact-differences.ts';

t.test('what a matrix asks for has its version before it is looked up, where the request names one', async (t) => {
  const store = {
    expand: async (request: object) =>
      'debian' in request && request.debian === 'all'
        ? [{ debian: '6.1' }, { debian: '6.12' }]
        : [request as { host: true }],
  };
  const requests = [
    { debian: 'all' },
    { debian: 'latest' },
    { 'debian-snapshot': '5.9', flavour: 'rt' },
    { 'ubuntu-mainline': 'v6.7-rc3' },
    { oci: 'host:5000/a/b:6.6-main@sha256:00' },
    { oci: 'host:5000/a/b' },
    { image: '/boot/vmlinuz-6.12.1' },
    { host: true },
  ] as const;
  const { dated, undated } = await dateRequests(
    requests.map((request) => ({ request, name: undefined })),
    store,
  );
  t.same(
    dated.map(({ kind, version, flavour }) => [kind, version, flavour]),
    [
      ['debian', '6.1', 'cloud'],
      ['debian', '6.12', 'cloud'],
      ['debian-snapshot', '5.9', 'rt'],
      ['ubuntu-mainline', 'v6.7-rc3', null],
      ['oci', '6.6-main', null],
    ],
  );
  t.same(
    undated.map(({ request }) => Object.keys(request)[0]),
    ['debian', 'oci', 'image', 'host'],
  );
});

t.test('of the facts in which two kernels differ, those that are there on one of them alone come first', (t) => {
  const before = { release: '5.10.1', 'btf.bytes': 1, 'btf.vars': 0, 'config.A': 'n', lockdown: 'none', same: true };
  const after = {
    release: '6.1.1',
    'btf.bytes': 2,
    'btf.vars': 356,
    'config.A': 'y',
    lockdown: 'none',
    same: true,
    new: 7,
  };
  t.same(
    differingFacts(before, after).map(({ name, isSwitch }) => [name, isSwitch]),
    [
      ['btf.vars', true],
      ['config.A', true],
      ['new', true],
      ['btf.bytes', false],
    ],
  );
  t.match(differingFacts(before, after)[2], { before: null, after: 7 });
  t.end();
});
