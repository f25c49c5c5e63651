import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DebianSource } from '../../debian/source.ts';
import { type Handler, serve, serveFiles } from '../../http/test/server.ts';
import type { InstallContext, ResolveContext } from '../../kernel-source.ts';
import { type ArchivePackage, type Member, writeArchive } from '../../test/archive.ts';
import { makeKey } from '../../test/openpgp.ts';
import { candidateSuites } from '../candidate-suites.ts';
import { SnapshotKernels } from '../kernels.ts';

// The service's JSON and its archive trees are made here, signed with keys made here, and read by the system's real gpgv, xz and dpkg-deb.
const THEN = new Date('2020-12-28T20:00:00Z');
const key = makeKey('Archive of 2020 <old@example.org>', {
  from: new Date('2019-01-01T00:00:00Z'),
  until: new Date('2022-01-01T00:00:00Z'),
});
const stranger = makeKey('Somebody else <else@example.org>');

/** A package of the service. */
interface Published {
  readonly source: string;
  readonly sourceVersion: string;
  readonly archive: string;
  readonly firstSeen: string;
  readonly packages: readonly ArchivePackage[];
}

const OLD = '5.9.0-5-cloud-amd64';
const SPLIT = '6.19.3-cloud-amd64';

function image(release: string, version: string, suffix = ''): ArchivePackage {
  const members: Member[] = [
    { path: `./boot/vmlinuz-${release}`, content: `kernel ${version}` },
    { path: `./boot/config-${release}`, content: 'CONFIG_VIRTIO=m\n' },
    { path: `./lib/modules/${release}/kernel/x.ko`, content: 'module' },
  ];
  return { name: `linux-image-${release}${suffix}`, version, members };
}

const PUBLISHED: readonly Published[] = [
  {
    ...{ source: 'linux-signed-amd64', sourceVersion: '5.9.15+1', archive: 'debian', firstSeen: '20201228T143456Z' },
    packages: [image(OLD, '5.9.15-1'), image('5.9.0-5-amd64', '5.9.15-1')],
  },
  // Never signed for Secure Boot, and in experimental only.
  {
    ...{ source: 'linux', sourceVersion: '5.8.1-1~exp1', archive: 'debian', firstSeen: '20200810T000000Z' },
    packages: [image('5.8.0-trunk-cloud-amd64', '5.8.1-1~exp1', '-unsigned')],
  },
  {
    ...{ source: 'linux-signed-amd64', sourceVersion: '6.19.3+1', archive: 'debian', firstSeen: '20210301T120000Z' },
    packages: [
      {
        ...{ name: `linux-image-${SPLIT}`, version: '6.19.3-1', members: [] },
        depends: `linux-binary-${SPLIT} (= 6.19.3-1), linux-base-${SPLIT} (= 6.19.3-1)`,
      },
      { name: `linux-binary-${SPLIT}`, version: '6.19.3-1', members: part('vmlinuz', 'kernel 6.19.3') },
    ],
  },
  {
    ...{ source: 'linux', sourceVersion: '6.19.3-1', archive: 'debian', firstSeen: '20210301T060000Z' },
    packages: [
      { name: `linux-base-${SPLIT}`, version: '6.19.3-1', members: part('config', 'CONFIG_VIRTIO=y\n') },
      { name: `linux-modules-${SPLIT}`, version: '6.19.3-1', members: part('kernel/y.ko', 'module') },
    ],
  },
];
const SOURCE_VERSIONS = [
  '5.8.1-1~exp1',
  '5.9~rc8-1~exp1',
  '5.9.1-1',
  '5.9.15-1',
  '5.9.15-1~bpo10+1',
  '6.19.3-1',
  '6.20~rc1-1~exp1',
];

function part(path: string, content: string): Member[] {
  return [{ path: `./usr/lib/modules/${SPLIT}/${path}`, content }];
}

/** Answers as the service's machine-readable interface does. */
function answerJson(path: string): unknown {
  const [, kind, name = '', version = '', what] = path.split('/').map(decodeURIComponent).slice(1);
  if (kind === 'package' && version === '') {
    return name === 'linux' ? { package: name, result: SOURCE_VERSIONS.map((one) => ({ version: one })) } : null;
  }
  if (kind === 'package' && what === 'binpackages') {
    const found = PUBLISHED.find((one) => one.source === name && one.sourceVersion === version);
    return found === undefined
      ? null
      : { result: found.packages.map((one) => ({ name: one.name, version: one.version })) };
  }
  const owner = PUBLISHED.find(({ packages }) => packages.some((one) => one.name === name && one.version === version));
  if (owner === undefined || what !== 'binfiles?fileinfo=1') return null;
  const { archive, firstSeen } = owner;
  return {
    result: [
      { architecture: 'arm64', hash: 'a'.repeat(40) },
      { architecture: 'amd64', hash: 'b'.repeat(40) },
    ],
    fileinfo: {
      ['a'.repeat(40)]: [{ archive_name: archive, first_seen: '20000101T000000Z' }],
      ['b'.repeat(40)]: [{ archive_name: archive, first_seen: firstSeen, name: 'x.deb', size: 1, path: '/pool' }],
    },
  };
}

async function setUp(t: Test, before?: Handler) {
  const root = t.testdir({ keys: {}, work: {} });
  const write = (time: string, suite: string, packages: readonly ArchivePackage[], by = key, at = THEN): string => {
    const archive = join(root, 'archive/debian', time);
    writeArchive(archive, suite, by, packages, {
      at,
      validUntil: new Date(at.getTime() + 7 * 86_400_000),
      compressed: true,
    });
    return archive;
  };
  const old = write('20201228T143456Z', 'unstable', [image(OLD, '5.9.15-1'), image('5.9.0-5-amd64', '5.9.15-1')]);
  const keyring = join(root, 'keys/old.gpg');
  writeFileSync(keyring, key.keyring);
  const files = serveFiles(root);
  const server = await serve(t, (message, response) => {
    const url = message.url ?? '';
    if (before !== undefined) before(message, response);
    if (response.writableEnded || response.destroyed) return;
    if (!url.startsWith('/mr/')) return files(message, response);
    const answer = answerJson(url);
    if (answer === null) response.writeHead(404).end('<h1>Not Found</h1>');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  const said: string[] = [];
  const context: ResolveContext & InstallContext = {
    ...{ name: '5.9', refresh: false, modules: [], signal: undefined, folder: join(root, 'work') },
    onProgress: () => {},
    say: (line) => said.push(line),
  };
  const source = new SnapshotKernels({
    mirror: `${server.address}/`,
    keyrings: [keyring],
    env: {},
    http: { firstDelayMs: 5, retries: 2 },
  });
  return { root, old, keyring, server, source, context, said, write };
}

t.test(
  'the newest kernel of a line that ever was is found, with the signed list that names it, and unpacked',
  async (t) => {
    const { source, context, server, write } = await setUp(t);
    const kernel = await source.resolve({ 'debian-snapshot': '5.9' }, context);
    t.match(kernel, {
      ...{ source: 'debian-snapshot', line: '5.9', flavour: 'cloud', release: OLD, version: '5.9.15-1' },
      folder: 'snapshot-5.9-cloud-5.9.15-1',
      origin: 'Debian unstable of 2020-12-28',
      files: [{ path: `archive/debian/20201228T143456Z/pool/linux-image-${OLD}_5.9.15-1_amd64.deb`, role: 'kernel' }],
      extra: { archive: 'debian', suite: 'unstable', time: '20201228T143456Z' },
    });
    t.notOk(
      server.seen.some(({ url }) => /Packages$/.test(url ?? '')),
      'the compressed list is read',
    );
    const parts = await source.install(kernel, { 'debian-snapshot': '5.9' }, context);
    t.equal(readFileSync(parts.image, 'utf8'), 'kernel 5.9.15-1');
    t.match(parts, { release: OLD, config: /config-5\.9/, modules: /lib\/modules\/5\.9/ });
    t.same(parts.files, [{ name: `linux-image-${OLD}`, version: '5.9.15-1', sha256: kernel.files[0]?.sha256 }]);

    const generic = await source.resolve({ 'debian-snapshot': '5.9.15-1', flavour: 'generic' }, context);
    t.match(generic, { release: '5.9.0-5-amd64', folder: 'snapshot-5.9-generic-5.9.15-1' });

    // The list of that time does not name it yet, but the one of half a day later does.
    write('20200810T000000Z', 'experimental', []);
    write('20200810T120000Z', 'experimental', [image('5.8.0-trunk-cloud-amd64', '5.8.1-1~exp1', '-unsigned')]);
    const unsigned = await source.resolve({ 'debian-snapshot': '5.8' }, context);
    t.match(unsigned, {
      release: '5.8.0-trunk-cloud-amd64',
      extra: { suite: 'experimental', time: '20200810T120000Z' },
    });
    t.match(unsigned.files[0]?.path, /-unsigned_5\.8\.1/);
    t.same(await source.lines(context), ['5.8', '5.9', '6.19'], 'not the one that has candidates only');
  },
);

t.test('a kernel in several packages is put together', async (t) => {
  const { source, context, write } = await setUp(t);
  write('20210301T120000Z', 'unstable', [...(PUBLISHED[2]?.packages ?? []), ...(PUBLISHED[3]?.packages ?? [])]);
  const kernel = await source.resolve({ 'debian-snapshot': '6.19' }, context);
  t.match(
    kernel.files.map(({ name, role }) => [name, role]),
    [
      [`linux-binary-${SPLIT}`, 'kernel'],
      [`linux-base-${SPLIT}`, 'kernel'],
      [`linux-modules-${SPLIT}`, 'modules'],
    ],
  );
  const parts = await source.install(kernel, { 'debian-snapshot': '6.19' }, { ...context, modules: ['y'] });
  t.equal(readFileSync(parts.image, 'utf8'), 'kernel 6.19.3');
  t.equal(parts.files.length, 3);
});

t.test('what does not exist is said with what there is', async (t) => {
  const { source, context } = await setUp(t);
  const cases: [string, Record<string, string | RegExp>, 'cloud' | 'rt'][] = [
    ['4.2', { code: 'kernel-line-unknown', why: 'it has 5.8, 5.9, 6.19' }, 'cloud'],
    ['6.20', { code: 'kernel-line-unknown', fix: /candidates only/ }, 'cloud'],
    ['5.9.7-1', { code: 'kernel-line-unknown', why: /^it has 5\.9~rc8-1~exp1, 5\.9\.1-1, / }, 'cloud'],
    ['5.9', { code: 'kernel-line-unknown', why: 'it has the flavours cloud, generic', fix: /flavour: cloud/ }, 'rt'],
    ['6.19', { code: 'kernel-not-listed', why: /unstable of 20210301T120000Z, / }, 'cloud'],
  ];
  for (const [line, error, flavour] of cases) {
    t.match(
      await source.resolve({ 'debian-snapshot': line, flavour }, context).catch((one: unknown) => one),
      error,
      line,
    );
  }
});

t.test('a list of the past is read though its date and its key have run out, and refused for all else', async (t) => {
  const { root, source, context, keyring, old, write } = await setUp(t);
  const packages = [image(OLD, '5.9.15-1')];
  const time = '20201228T143456Z';
  const resolve = () => source.resolve({ 'debian-snapshot': '5.9' }, context);
  t.match(await resolve(), { version: '5.9.15-1' }, 'a list of 2020, signed by a key that expired in 2022');

  // The ordinary source refuses such a date, whoever signed it, unless apt's settings on this machine waive that: they are shut out here.
  const settings = join(root, 'apt.conf');
  writeFileSync(settings, `Dir::Etc::main "/dev/null";\nDir::Etc::parts "${join(root, 'keys')}";\n`);
  const { APT_CONFIG } = process.env;
  process.env.APT_CONFIG = settings;
  t.teardown(() => {
    if (APT_CONFIG === undefined) delete process.env.APT_CONFIG;
    else process.env.APT_CONFIG = APT_CONFIG;
  });
  const mirror = join(root, 'mirror');
  writeArchive(mirror, 'stable', stranger, packages, { validUntil: new Date(Date.now() - 86_400_000) });
  writeFileSync(join(root, 'keys/today.gpg'), stranger.keyring);
  const ordinary = new DebianSource({
    ...{ cache: join(root, 'cache'), keyring: join(root, 'keys/today.gpg') },
    suites: [{ name: 'stable', archive: 'main', for: 'tests' }],
    mirror: { option: `file:${mirror}`, env: {} },
  });
  await t.rejects(ordinary.lists(), { code: 'release-expired', fix: /out of date/ });

  const release = join(old, 'dists/unstable/InRelease');
  const refused: [string, () => void, RegExp][] = [
    ['signed by somebody else', () => write(time, 'unstable', packages, stranger), /key [0-9A-F]{16} is not known/],
    [
      'signed after the key had expired',
      () => write(time, 'unstable', packages, key, new Date('2023-05-01')),
      /had expired when it signed/,
    ],
    [
      'altered',
      () => writeFileSync(release, readFileSync(release, 'utf8').replace('Suite: unstable', 'Suite: unsstable')),
      /altered/,
    ],
    ['not signed', () => writeFileSync(release, 'Origin: Debian\n'), /is not signed/],
    [
      'with something before it',
      () => writeFileSync(release, `SHA256:\n${readFileSync(release, 'utf8')}`),
      /is not signed/,
    ],
    ['with a second message', () => appendFileSync(release, readFileSync(release)), /more than one message/],
  ];
  for (const [name, spoil, why] of refused) {
    write(time, 'unstable', packages);
    spoil();
    await t.rejects(resolve(), { code: 'signature-refused', why }, name);
  }
  write(time, 'unstable', packages);
  appendFileSync(join(old, 'dists/unstable/main/binary-amd64/Packages.xz'), '\n');
  await t.rejects(resolve(), { code: /digest-mismatch|too-large/ }, 'a list that is not what the release file says');
  write(time, 'unstable', packages);
  writeFileSync(keyring, stranger.keyring);
  await t.rejects(resolve(), { code: 'signature-refused' }, 'with other keys');
});

t.test('packages come whole or not at all', async (t) => {
  let cut = 0;
  let busy = 2;
  const { source, context, server, old, said } = await setUp(t, (message, response) => {
    if (message.url?.endsWith('binpackages') === true && busy-- > 0) response.writeHead(503).end();
    if (message.url?.endsWith('.deb') === true && cut-- > 0) {
      response.writeHead(200, { 'content-length': 5000 });
      response.write(Buffer.alloc(100), () => response.destroy());
      response.end();
    }
  });
  const request = { 'debian-snapshot': '5.9' };
  const kernel = await source.resolve(request, context);
  t.match(said, [/status 503; asking again/, /status 503/]);
  const deb = join(old, 'pool', `linux-image-${OLD}_5.9.15-1_amd64.deb`);
  const good = readFileSync(deb);

  writeFileSync(deb, good.subarray(0, -512));
  await t.rejects(
    source.install(kernel, request, context),
    { code: 'digest-mismatch', why: /its size is/ },
    'truncated, with the right status',
  );
  const altered = Buffer.from(good);
  altered[good.length - 600] = 1;
  writeFileSync(deb, altered);
  await t.rejects(source.install(kernel, request, context), { code: 'digest-mismatch', why: /SHA-256/ });
  rmSync(deb);
  await t.rejects(source.install(kernel, request, context), { code: 'package-gone', where: new RegExp(`${OLD}_5`) });
  server.server.close();
  server.server.closeAllConnections();
  await t.rejects(source.resolve(request, context), {
    code: 'network-failed',
    why: /refused/,
    fix: /KSYM_MATRIX_SNAPSHOT_MIRROR/,
  });
});

t.test('a version tells which suites may have it', async (t) => {
  const suites = (version: string, date: string, archive = 'debian'): string =>
    candidateSuites(archive, version, new Date(date)).join(' ');
  t.match(suites('4.19.16-1', '2019-01-20'), /^unstable experimental /);
  t.equal(suites('5.9.15-1~bpo10+1', '2021-01-10'), 'buster-backports buster-backports-sloppy');
  t.equal(suites('4.19.37-5+deb10u2', '2019-08-10'), 'buster-proposed-updates buster');
  t.match(
    suites('4.19.316-1', '2024-06-25', 'debian-security'),
    /^trixie-security bookworm-security bullseye-security buster\/updates$/,
  );
});
