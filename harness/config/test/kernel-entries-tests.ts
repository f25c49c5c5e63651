import { homedir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type KernelRequest, requestKey, requestName } from '../../../kernels/request.ts';
import { checkKernels, readKernels } from '../kernel-entries.ts';
import type { KernelEntry } from '../schema.ts';

const ENTRIES: readonly (readonly [KernelEntry, KernelRequest, string])[] = [
  [{ debian: '6.12' }, { debian: '6.12' }, '6.12'],
  [{ debian: 'newest' }, { debian: 'newest' }, 'latest'],
  [{ debian: 'all', flavour: 'generic' }, { debian: 'all', flavour: 'generic' }, 'all-generic'],
  [{ debian: '6.16.12-1~bpo13+1' }, { debian: '6.16.12-1~bpo13+1' }, '6.16.12-1~bpo13+1'],
  [{ 'debian-snapshot': '5.9', flavour: 'rt' }, { 'debian-snapshot': '5.9', flavour: 'rt' }, '5.9-rt-snapshot'],
  [{ 'ubuntu-mainline': 'v6.7-rc3' }, { 'ubuntu-mainline': 'v6.7-rc3' }, '6.7-rc3-mainline'],
  [{ oci: 'ghcr.io/cilium/ci-kernels:6.6' }, { oci: 'ghcr.io/cilium/ci-kernels:6.6' }, 'ci-kernels-6.6'],
  [
    { image: 'out/bzImage', modules: '../mods', config: '/boot/config' },
    { image: '/matrix/out/bzImage', modules: '/mods', config: '/boot/config' },
    'bzImage',
  ],
  [{ tree: '~/src/linux' }, { tree: join(homedir(), 'src/linux') }, 'linux'],
  [{ host: true }, { host: true }, 'host'],
  [
    { build: { source: 'debian-5.10', config: ['kernels/config/x.config'], modules: ['bpf_testmod'] } },
    { build: { source: 'debian-5.10', config: ['/matrix/kernels/config/x.config'], modules: ['bpf_testmod'] } },
    'debian-5.10-build',
  ],
  [{ build: { source: 'linux.tar.xz' } }, { build: { source: '/matrix/linux.tar.xz' } }, 'linux.tar.xz-build'],
];

t.test('an entry of each source is one line, with paths from the folder of the matrix', (t) => {
  t.same(checkKernels(ENTRIES.map(([entry]) => entry)), []);
  const requests = readKernels(
    ENTRIES.map(([entry]) => entry),
    '/matrix',
  ).map(({ request }) => request);
  t.same(
    requests,
    ENTRIES.map(([, request]) => request),
  );
  t.same(
    requests.map(requestName),
    ENTRIES.map(([, , name]) => name),
  );
  t.equal(new Set(requests.map(requestKey)).size, ENTRIES.length, 'no two requests are taken for the same');
  t.end();
});

const MISTAKES: readonly (readonly [string, KernelEntry, readonly (string | number)[], RegExp])[] = [
  ['two sources', { debian: '6.12', oci: 'x/y:1' }, ['kernels', 0, 'oci'], /has two: debian and oci/],
  ['no source', { flavour: 'cloud' }, ['kernels', 0], /one of the keys debian, debian-snapshot, ubuntu-mainline/],
  ['a flavour of a source that has none', { host: true, flavour: 'rt' }, ['kernels', 0, 'flavour'], /not to host/],
  ['modules of a tree', { tree: 'x', modules: 'y' }, ['kernels', 0, 'modules'], /belongs to image, not to tree/],
  ['one name for many kernels', { debian: 'all', name: 'x' }, ['kernels', 0, 'name'], /many kernels/],
  ['a line that is none', { debian: 'six' }, ['kernels', 0, 'debian'], /"six" is no line such as "6.12".*latest/],
  ['a flavour in a line', { debian: '6.12-rt' }, ['kernels', 0, 'debian'], /write debian: "6.12" and flavour: rt/],
  ['no path', { image: '' }, ['kernels', 0, 'image'], /empty/],
  ['a build of nothing', { build: { source: '' } }, ['kernels', 0, 'build'], /empty/],
  ['"all" of the archive', { 'debian-snapshot': 'all' }, ['kernels', 0, 'debian-snapshot'], /"all" is no line/],
];

t.test('an entry that cannot be meant is placed', (t) => {
  for (const [what, entry, path, message] of MISTAKES) {
    const findings = checkKernels([entry]);
    t.same(
      findings.map((finding) => finding.path),
      [path],
      what,
    );
    t.match(findings[0]?.message, message);
  }
  t.match(checkKernels([{ debian: 'newest' }, { debian: 'latest' }]), [{ message: 'kernel "latest" is listed twice' }]);
  for (const [one, other] of [
    [{ image: 'a/bzImage' }, { image: 'b/bzImage' }],
    [{ debian: '6.12', name: '6.1' }, { debian: '6.1' }],
  ] as const) {
    t.match(checkKernels([one, other]), [{ path: ['kernels', 1], message: /another kernel of the name/ }]);
  }
  t.end();
});
