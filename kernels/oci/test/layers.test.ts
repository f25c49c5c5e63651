import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { type Member, makeTar } from '../../test/archive.ts';
import { parseChallenges } from '../challenge.ts';
import { type LayerLimits, unpackLayers } from '../layers.ts';
import { parseManifest } from '../manifest.ts';
import { parseReference, showReference } from '../reference.ts';

const root = t.testdir({ outside: { 'boot.txt': 'outside' } });

/** Unpacks layers into a new folder, which is returned with the paths in it. */
async function unpack(
  layers: readonly (Buffer | readonly Member[])[],
  limits?: LayerLimits,
): Promise<{ folder: string; paths: string[] }> {
  const parent = mkdtempSync(join(root, 'case-'));
  const files = layers.map((layer, index) => {
    const path = join(parent, `${index}`);
    writeFileSync(path, Buffer.isBuffer(layer) ? layer : makeTar(layer));
    return { path, digest: `sha256:${index}` };
  });
  const folder = join(parent, 'root');
  await unpackLayers(files, folder, 'IMAGE', limits === undefined ? {} : { limits });
  return { folder, paths: readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort() };
}

t.test('entries that lead out of the image, or have no business in a kernel, are refused', async (t) => {
  const link = (path: string, target: string): Member => ({ path, flag: '2', target, mode: 0o777 });
  const cases: readonly [string, ...(readonly Member[])[]][] = [
    ['dots', [{ path: '../boot/x' }]],
    ['dots within', [{ path: 'boot/../../outside/x' }]],
    ['dots in what is not wanted', [{ path: 'etc/../../x' }]],
    ['absolute', [{ path: '/boot/x' }]],
    ['link out', [link('boot/x', '../../outside')]],
    ['absolute link with dots', [link('boot/x', '/../outside')]],
    ['link to nothing', [link('boot/x', '')]],
    ['below a link', [link('boot/x', 'y'), { path: 'boot/x/y' }]],
    ['below /lib as a link', [link('lib', 'usr/lib'), { path: 'lib/modules/6.1/x' }]],
    [
      'out by way of others',
      [link('boot/up', '/'), link('boot/a/b/up', '../..'), link('boot/x', 'a/b/up/../../outside')],
    ],
    ['hard link out', [{ path: 'boot/x', flag: '1', target: '../outside/boot.txt' }]],
    ['absolute hard link', [{ path: 'boot/x', flag: '1', target: '/etc/passwd' }]],
    ['hard link to what is not unpacked', [{ path: 'etc/x' }, { path: 'boot/x', flag: '1', target: 'etc/x' }]],
    ['hard link to a link', [link('boot/l', 'x'), { path: 'boot/x', flag: '1', target: 'boot/l' }]],
    ['device', [{ path: 'boot/x', flag: '3' }]],
    ['pipe', [{ path: 'lib/modules/6.1/x', flag: '6' }]],
    ['set-user-id', [{ path: 'boot/x', mode: 0o4755 }]],
    ['in an upper layer', [{ path: 'boot/x' }], [{ path: 'boot/../../x' }]],
  ];
  for (const [name, ...layers] of cases) {
    await t.rejects(unpack(layers), { code: 'image-entry-refused', where: /^IMAGE, layer sha256:/ }, name);
  }
  t.same(readdirSync(join(root, 'outside')), ['boot.txt']);
  t.equal(readFileSync(join(root, 'outside/boot.txt'), 'utf8'), 'outside');
});

t.test('a layer replaces and takes away what is below it, never what is beside', async (t) => {
  const { folder, paths } = await unpack([
    [
      { path: 'boot/link', flag: '2', target: 'dir', mode: 0o777 },
      { path: 'boot/dir/kept', content: '1' },
      { path: 'boot/dir2/inside' },
      { path: 'lib/modules/6.1/x.ko' },
      { path: 'usr/lib/modules/6.1/y.ko', content: 'lower' },
      { path: 'usr/lib/modules/6.1/source', flag: '2', target: '/usr/src/linux', mode: 0o777 },
    ],
    [
      { path: 'boot/link/file', content: 'written to a folder, not through the link' },
      { path: 'boot/dir2', content: 'a file now' },
      { path: 'boot/twice', content: 'first' },
      { path: 'boot/twice', content: 'last' },
      { path: 'lib', flag: '2', target: 'usr/lib', mode: 0o777 },
      { path: 'usr/lib/modules/6.1/y.ko', content: 'upper' },
      { path: '.wh.etc' },
      { path: 'boot/.wh.never-there' },
    ],
  ]);
  t.same(
    paths.filter((path) => !['boot', 'usr', 'usr/lib', 'usr/lib/modules', 'usr/lib/modules/6.1'].includes(path)),
    ['boot/dir', 'boot/dir/kept', 'boot/dir2', 'boot/link', 'boot/link/file', 'boot/twice', 'usr/lib/modules/6.1/y.ko'],
  );
  t.equal(readFileSync(join(folder, 'boot/twice'), 'utf8'), 'last');
  t.equal(readFileSync(join(folder, 'usr/lib/modules/6.1/y.ko'), 'utf8'), 'upper');

  const emptied = await unpack([
    [{ path: 'boot/a/b' }, { path: 'boot/c' }],
    [{ path: 'boot/.wh.a' }, { path: '.wh.boot' }],
  ]);
  t.same(emptied.paths, []);
  const whole = await unpack([[{ path: 'usr/lib/modules/6.1/a' }], [{ path: '.wh..wh..opq' }, { path: 'boot/b' }]]);
  t.same(whole.paths, ['boot', 'boot/b']);
});

t.test('a layer that unpacks into more than any kernel is stopped, however it is packed', async (t) => {
  const limits = { bytes: 4 << 20, entries: 100 };
  const zeros = Buffer.alloc(24 << 20);
  const big = makeTar([{ path: 'boot/vmlinuz', content: zeros }]);
  const elsewhere = makeTar([{ path: 'usr/share/big', content: zeros }]);
  const zstd = spawnSync('zstd', ['-q', '-c'], { input: big }).stdout;
  const cases: readonly [string, Buffer][] = [
    ['gzip', gzipSync(big, { level: 1 })],
    ['zstd', zstd],
    ['nothing but padding', gzipSync(zeros, { level: 1 })],
    ['what is not wanted', gzipSync(elsewhere, { level: 1 })],
    ['very many entries', makeTar(Array.from({ length: 101 }, (_, index) => ({ path: `etc/${index}` })))],
  ];
  for (const [name, layer] of cases) {
    t.ok(layer.length < 1 << 20, `${name}: ${layer.length} bytes`);
    await t.rejects(unpack([layer], limits), { code: 'layer-too-large', where: 'IMAGE' }, name);
  }
  const part = gzipSync(makeTar([{ path: 'boot/x', content: Buffer.alloc(3 << 20) }]));
  await t.rejects(unpack([part, part], limits), { code: 'layer-too-large' }, 'all layers together');
  t.match((await unpack([part], limits)).paths, ['boot', 'boot/x']);
});

t.test('a layer that is damaged is an error, not half a kernel', async (t) => {
  const whole = makeTar([{ path: 'boot/x', content: Buffer.alloc(100_000, 'x') }]);
  const gzip = gzipSync(whole);
  const zstd = spawnSync('zstd', ['-q', '-c'], { input: whole }).stdout;
  const checksum = Buffer.from(gzip);
  checksum[gzip.length - 8] = (checksum[gzip.length - 8] ?? 0) ^ 1;
  const cases: readonly [string, Buffer][] = [
    ['tar', whole.subarray(0, 50_000)],
    ['gzip', gzip.subarray(0, gzip.length - 20)],
    ['gzip with a wrong checksum', checksum],
    ['zstd', zstd.subarray(0, zstd.length - 10)],
    ['text', Buffer.from('{"errors": []}')],
    ['empty', Buffer.alloc(0)],
  ];
  for (const [name, layer] of cases) await t.rejects(unpack([layer]), { code: 'layer-unreadable' }, name);
});

t.test('a reference says which registry is asked, and how', async (t) => {
  const digest = `sha256:${'0a'.repeat(32)}`;
  const good: Readonly<Record<string, readonly [address: string, shown: string]>> = {
    'ghcr.io/cilium/ci-kernels:6.6': ['https://ghcr.io', 'ghcr.io/cilium/ci-kernels:6.6'],
    [`ghcr.io/a/b/c@${digest}`]: ['https://ghcr.io', `ghcr.io/a/b/c@${digest}`],
    [`ghcr.io/a/b:1@${digest}`]: ['https://ghcr.io', `ghcr.io/a/b:1@${digest}`],
    'example.org:5000/kernels': ['https://example.org:5000', 'example.org:5000/kernels:latest'],
    'localhost/kernels:1': ['http://localhost', 'localhost/kernels:1'],
    '127.0.0.1:5000/kernels:1': ['http://127.0.0.1:5000', '127.0.0.1:5000/kernels:1'],
    '[::1]:5000/kernels:1': ['http://[::1]:5000', '[::1]:5000/kernels:1'],
    'https://localhost:5000/kernels:1': ['https://localhost:5000', 'localhost:5000/kernels:1'],
    'http://registry:5000/kernels:1': ['http://registry:5000', 'registry:5000/kernels:1'],
    '127.evil.example/kernels:1': ['https://127.evil.example', '127.evil.example/kernels:1'],
  };
  for (const [text, [address, shown]] of Object.entries(good)) {
    const reference = parseReference(text);
    t.same([reference.address, showReference(reference)], [address, shown]);
  }
  t.match(parseReference('alpine'), { registry: 'docker.io', repository: 'library/alpine', tag: 'latest' });
  t.match(parseReference('linuxkit/kernel:6.6.71'), { registry: 'docker.io', repository: 'linuxkit/kernel' });
  const bad = [
    '',
    'ghcr.io/',
    'ghcr.io/Upper/case',
    'ghcr.io/a:',
    'ghcr.io/a:b:c',
    'ghcr.io/a@sha256:12',
    'a b',
    'ghcr.io/../x',
    'http://',
    'ftp://x/y',
  ];
  for (const text of bad) t.throws(() => parseReference(text), { code: 'bad-image-reference' }, text);
});

t.test('challenges and manifests are read as far as they can be', async (t) => {
  const read = (header: string): unknown =>
    parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
  t.same(read('Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push"'), [
    ['bearer', { realm: 'https://ghcr.io/token', service: 'ghcr.io', scope: 'repository:a/b:pull,push' }],
  ]);
  t.same(read('Negotiate, Basic realm="a \\"b\\"", BEARER Realm=x'), [
    ['negotiate', {}],
    ['basic', { realm: 'a "b"' }],
    ['bearer', { realm: 'x' }],
  ]);
  t.same(read(''), []);
  const parse = (document: object | string): unknown =>
    parseManifest(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)), 'IMAGE');
  const blob = { mediaType: 'x', digest: `sha256:${'0'.repeat(64)}`, size: 1 };
  t.match(parse({ config: blob, layers: [blob] }), { kind: 'image' });
  for (const [document, why] of [
    ['<html>', /no JSON/],
    ['[]', /neither/],
    [{ config: blob, layers: [], manifests: [] }, /neither/],
    [{ schemaVersion: 1, fsLayers: [] }, /schema 1/],
    [{ config: blob, layers: [{ ...blob, size: -1 }] }, /^layers\.0\.size/],
    [{ config: blob, layers: [{ ...blob, digest: 'sha512:00' }] }, /only digests with sha256/],
  ] as const) {
    t.throws(() => parse(document), { code: 'bad-manifest', where: 'IMAGE', why });
  }
});
